"""Reads a lease from its DynamoDB item into typed fields, without ever failing on what the item holds.

The fields of a record depend on its status (:func:`shape_of`). A field of the wrong type becomes None and is listed in
``mistyped``.

Source: Innovation Sandbox on AWS 1.2, its schemas of the lease record, versions 1 to 3.
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from lib.platform import clock

MAX_DEPTH = 32
"""DynamoDB's limit for nested documents (its developer guide, "Constraints")."""

Value = TypeVar("Value")


class LeaseStatus(StrEnum):
    """Every status of a lease that Switchboard knows."""

    PENDING_APPROVAL = "PendingApproval"
    APPROVAL_DENIED = "ApprovalDenied"
    PROVISIONING = "Provisioning"
    ACTIVE = "Active"
    FROZEN = "Frozen"
    EXPIRED = "Expired"
    BUDGET_EXCEEDED = "BudgetExceeded"
    MANUALLY_TERMINATED = "ManuallyTerminated"
    ACCOUNT_QUARANTINED = "AccountQuarantined"
    EJECTED = "Ejected"
    PROVISIONING_FAILED = "ProvisioningFailed"


@dataclass(frozen=True, slots=True)
class Shape:
    """The names that a record must have and those it may have, as in the table."""

    required: frozenset[str]
    optional: frozenset[str]


_PENDING = Shape(
    required=frozenset({"userEmail", "uuid", "status", "originalLeaseTemplateUuid", "originalLeaseTemplateName"}),
    optional=frozenset(
        (
            *("comments", "createdBy", "maxSpend", "leaseDurationInHours", "budgetThresholds", "durationThresholds"),
            *("costReportGroup", "blueprintId", "blueprintName", "meta"),
        )
    ),
)
_DENIED = Shape(required=_PENDING.required | {"ttl"}, optional=_PENDING.optional)
_MONITORED = Shape(
    required=_PENDING.required | {"awsAccountId", "approvedBy", "startDate", "lastCheckedDate", "totalCostAccrued"},
    optional=_PENDING.optional | {"expirationDate"},
)
_ENDED = Shape(required=_MONITORED.required | {"endDate", "ttl"}, optional=_MONITORED.optional)

_SHAPES: Mapping[str, Shape] = {
    **dict.fromkeys(LeaseStatus, _ENDED),
    **dict.fromkeys((LeaseStatus.PROVISIONING, LeaseStatus.ACTIVE, LeaseStatus.FROZEN), _MONITORED),
    LeaseStatus.PENDING_APPROVAL: _PENDING,
    LeaseStatus.APPROVAL_DENIED: _DENIED,
}
_UNKNOWN = Shape(required=_PENDING.required, optional=(_ENDED.required | _ENDED.optional) - _PENDING.required)


@dataclass(frozen=True, slots=True)
class Threshold:
    """At ``at`` (dollars spent, or hours remaining) the lease system takes ``action`` (``ALERT``, ``FREEZE_ACCOUNT``)."""

    at: Decimal
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The fields of a record that Switchboard uses. A field is None if it is absent, null, or of the wrong type.

    Money is in US dollars, times are in UTC.
    """

    user_email: str | None
    uuid: str | None
    status: str | None
    original_lease_template_uuid: str | None
    original_lease_template_name: str | None
    max_spend: Decimal | None
    lease_duration_in_hours: Decimal | None
    budget_thresholds: tuple[Threshold, ...] | None
    blueprint_name: str | None
    aws_account_id: str | None
    start_date: datetime | None
    expiration_date: datetime | None
    total_cost_accrued: Decimal | None
    end_date: datetime | None
    names: frozenset[str]
    """All names in the item, known or not."""
    mistyped: tuple[str, ...]
    """The names of the fields with the wrong type, sorted."""


def shape_of(status: str | None) -> Shape:
    """The names of a record of ``status``. For an unknown status: what every record must have, and what any may have."""
    return _SHAPES.get(status or "", _UNKNOWN)


def read_lease(item: Mapping[str, Any]) -> Lease:
    """Read a lease from a DynamoDB item (``{"status": {"S": "Active"}, …}``). Never raises for what the item holds."""
    status = _try(_string, item.get("status", {}))
    required = shape_of(status).required
    values: dict[str, Any] = {}
    mistyped = []
    for name, read in _READERS.items():
        value = None
        if name in item and not (item[name] == {"NULL": True} and name not in required):
            value = _try(read, item[name])
            if value is None:
                mistyped.append(name)
        if (field := _snake(name)) in Lease.__slots__:
            values[field] = value
    return Lease(**values, names=frozenset(item), mistyped=tuple(sorted(mistyped)))


def _try(read: Callable[[object], Value], attribute: object) -> Value | None:
    try:
        return read(read_value(attribute))
    except ValueError:
        return None


def read_value(attribute: object, depth: int = 0) -> Any:
    """The Python value of a DynamoDB attribute value (``{"N": "1.5"}``); numbers are Decimal.

    Raises:
        ValueError: it is malformed, nested deeper than DynamoDB allows, or binary or a set, which no field of a lease is.
    """
    if not isinstance(attribute, dict) or len(attribute) != 1 or depth > MAX_DEPTH:
        raise ValueError("not an attribute value")
    match next(iter(attribute.items())):
        case "NULL", _:
            return None
        case ("S", str() as value) | ("BOOL", bool() as value):
            return value
        case "N", str(value):
            return _number(value)
        case "L", list(values):
            return [read_value(value, depth + 1) for value in values]
        case "M", dict(values):
            return {name: read_value(value, depth + 1) for name, value in values.items()}
    raise ValueError("not an attribute value")


def _number(text: str) -> Decimal:
    # DynamoDB has neither NaN nor infinity; Decimal would read both.
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", text, re.ASCII):
        raise ValueError("not a number")
    return Decimal(text)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not text")
    return value


def _decimal(value: object) -> Decimal:
    if not isinstance(value, Decimal):
        raise ValueError("not a number")
    return value


def _moment(value: object) -> datetime:
    return clock.parse(_string(value))


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("not a map")
    return value


def _thresholds(measure: str) -> Callable[[object], tuple[Threshold, ...]]:
    def read(value: object) -> tuple[Threshold, ...]:
        if not isinstance(value, list):
            raise ValueError("not a list")
        entries = [_mapping(entry) for entry in value]
        return tuple(Threshold(_decimal(entry.get(measure)), _string(entry.get("action"))) for entry in entries)

    return read


_TEXTS = (
    *("status", "userEmail", "uuid", "originalLeaseTemplateUuid", "originalLeaseTemplateName", "comments", "createdBy"),
    *("costReportGroup", "blueprintId", "blueprintName", "awsAccountId", "approvedBy"),
)
_READERS: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(_TEXTS, _string),
    **dict.fromkeys(("maxSpend", "leaseDurationInHours", "totalCostAccrued", "ttl"), _decimal),
    **dict.fromkeys(("startDate", "expirationDate", "lastCheckedDate", "endDate"), _moment),
    "budgetThresholds": _thresholds("dollarsSpent"),
    "durationThresholds": _thresholds("hoursRemaining"),
    "meta": _mapping,
}


@functools.cache
def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda match: "_" + match.group().lower(), name)
