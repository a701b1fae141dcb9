"""Reads a lease event as EventBridge delivers it, and finds the key of its lease.

The result is a :class:`LeaseEvent` or a clear error. A lease key that can't be found is not an error but a :class:`MissingKey`
that says which part is wrong: people are still notified of the event.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from lib.platform import clock, errors

MAX_EVENT_BYTES = 1024 * 1024
"""The largest event, as JSON: the limit of Lambda's asynchronous invocation, applied to HTTP as well."""
MAX_DEPTH = 64
"""The deepest nesting of an event. Real events have 4 levels; JSON is read and written by recursion."""
MAX_DETAIL_TYPE_CHARACTERS = 128
"""EventBridge's own limit (PutEvents, DetailType)."""
MAX_CLOCK_SKEW = timedelta(days=1)
"""How far the clock of a sender may be ahead of ours."""
MAX_USER_EMAIL_BYTES = 2048
MAX_UUID_BYTES = 1024
"""DynamoDB's limits for a HASH and a RANGE key (its developer guide, "Constraints")."""

# An id becomes part of a key and of every log line: printable, without spaces, short. EventBridge's ids are UUIDs.
_ID = re.compile(r"[!-~]{1,128}")


class EventType(StrEnum):
    """Every event type of Innovation Sandbox on AWS 1.2. Other types are accepted too and get a plain wording."""

    LEASE_REQUESTED = "LeaseRequested"
    LEASE_APPROVED = "LeaseApproved"
    LEASE_DENIED = "LeaseDenied"
    LEASE_BUDGET_THRESHOLD_ALERT = "LeaseBudgetThresholdAlert"
    LEASE_DURATION_THRESHOLD_ALERT = "LeaseDurationThresholdAlert"
    LEASE_FREEZING_THRESHOLD_ALERT = "LeaseFreezingThresholdAlert"
    LEASE_BUDGET_EXCEEDED = "LeaseBudgetExceeded"
    LEASE_EXPIRED = "LeaseExpired"
    LEASE_TERMINATED = "LeaseTerminated"
    LEASE_FROZEN = "LeaseFrozen"
    LEASE_UNFROZEN = "LeaseUnfrozen"
    LEASE_PROVISIONING_FAILED = "LeaseProvisioningFailed"
    BLUEPRINT_DEPLOYMENT_REQUEST = "BlueprintDeploymentRequest"
    BLUEPRINT_DEPLOYMENT_SUCCEEDED = "BlueprintDeploymentSucceeded"
    BLUEPRINT_DEPLOYMENT_FAILED = "BlueprintDeploymentFailed"
    CLEAN_ACCOUNT_REQUEST = "CleanAccountRequest"
    ACCOUNT_CLEANUP_SUCCEEDED = "AccountCleanupSucceeded"
    ACCOUNT_CLEANUP_FAILED = "AccountCleanupFailed"
    ACCOUNT_QUARANTINED = "AccountQuarantined"
    ACCOUNT_DRIFT_DETECTED = "AccountDriftDetected"
    GROUP_COST_REPORT_GENERATED = "GroupCostReportGenerated"
    GROUP_COST_REPORT_GENERATED_FAILURE = "GroupCostReportGeneratedFailure"


@dataclass(frozen=True, slots=True)
class LeaseEvent:
    """One event. ``detail`` is JSON as received; ``time`` is when the event happened, in UTC.

    ``is_dated`` says whether ``time`` shows the event's age. It is False if the event has no readable time, or one that is
    later than a wrong clock explains (``MAX_CLOCK_SKEW``).
    """

    id: str
    detail_type: str
    source: str
    time: datetime
    detail: Mapping[str, Any]
    is_dated: bool = True


@dataclass(frozen=True, slots=True)
class LeaseKey:
    """The key of a record in LeaseTable."""

    user_email: str
    uuid: str


@dataclass(frozen=True, slots=True)
class MissingKey:
    """Why an event has no lease key: the problem of each part, or None if that part is right."""

    user_email: str | None
    uuid: str | None

    @property
    def problems(self) -> dict[str, str]:
        """The problems, by the part's name in the event: ``{"uuid": "is a number"}``."""
        parts = {"userEmail": self.user_email, "uuid": self.uuid}
        return {name: problem for name, problem in parts.items() if problem is not None}


def own_id(obj: object) -> str | None:
    """The id of an event, even if the rest can't be read; None if it has no usable id."""
    value = obj.get("id") if isinstance(obj, Mapping) else None
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def read_event(obj: object, now: clock.Clock = clock.utc_now) -> LeaseEvent:
    """Read an EventBridge event.

    A missing or unusable id is replaced by the SHA-256 of the event's canonical JSON, so that a retry of the event has the
    same id. A missing or unreadable time is replaced by ``now``.

    Raises:
        InvalidInputError: it is not a JSON object, has no ``detail`` object or no ``detail-type``, or nests too deep.
        PayloadTooLargeError: it is larger than ``MAX_EVENT_BYTES``.
    """
    if not isinstance(obj, dict):
        raise errors.InvalidInputError(f"the event {_describe(obj)}, not a JSON object")
    canonical = _canonical(obj)
    obj = _without_lone_surrogates(obj, canonical)
    detail_type, detail = obj.get("detail-type"), obj.get("detail")
    if not isinstance(detail_type, str) or not detail_type.strip():
        raise errors.InvalidInputError("the event has no detail-type")
    if len(detail_type) > MAX_DETAIL_TYPE_CHARACTERS:
        raise errors.InvalidInputError(f"the event's detail-type is longer than {MAX_DETAIL_TYPE_CHARACTERS} characters")
    if not isinstance(detail, dict):
        raise errors.InvalidInputError("the event has no detail object")
    time, source = _time(obj.get("time")), obj.get("source")
    received_at = now()
    return LeaseEvent(
        id=own_id(obj) or hashlib.sha256(canonical).hexdigest(),
        detail_type=detail_type,
        source=source if isinstance(source, str) else "",
        time=time or received_at,
        detail=detail,
        is_dated=time is not None and time <= received_at + MAX_CLOCK_SKEW,
    )


def find_lease_key(detail: object) -> LeaseKey | MissingKey:
    """Find the key of the lease that an event's ``detail`` is about. Never raises.

    It has one of three forms, and the first complete one counts::

        {"leaseId": {"userEmail": …, "uuid": …}}      most events
        {"leaseId": uuid, "userEmail": …}             LeaseApproved, LeaseDenied, BlueprintDeploymentRequest
        {"uuid": uuid, "userEmail": …}

    A part is valid if it is text, not blank, and fits a DynamoDB key. Parts of different forms are never combined: together
    they might be the key of somebody else's lease. If no form is complete, the result describes the first form in the event.
    """
    if not isinstance(detail, Mapping):
        return MissingKey("is missing", "is missing")
    found = [_read_key(form) for form in _forms(detail)]
    return next((key for key in found if isinstance(key, LeaseKey)), found[0])


def _forms(detail: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The objects of ``detail`` that may hold a key (``userEmail`` and ``uuid``), in order of priority."""
    lease_id = detail.get("leaseId")
    if isinstance(lease_id, Mapping):
        yield lease_id
    elif lease_id is not None:
        yield {**detail, "uuid": lease_id}
    yield detail


def _read_key(form: Mapping[str, Any]) -> LeaseKey | MissingKey:
    email_problem = _problem(form, "userEmail", MAX_USER_EMAIL_BYTES)
    uuid_problem = _problem(form, "uuid", MAX_UUID_BYTES)
    if email_problem is None and uuid_problem is None:
        return LeaseKey(user_email=form["userEmail"], uuid=form["uuid"])
    return MissingKey(email_problem, uuid_problem)


def _problem(parts: Mapping[str, object], name: str, max_bytes: int) -> str | None:
    if name not in parts:
        return "is missing"
    value = parts[name]
    if not isinstance(value, str):
        return _describe(value)
    if not value.strip():
        return "is empty"
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "is not Unicode text"
    return None if size <= max_bytes else f"is longer than {max_bytes} bytes"


def _describe(value: object) -> str:
    if value is None:
        return "is null"
    for kind, words in ((bool, "is a boolean"), (int | float, "is a number"), (str, "is text"), (list | tuple, "is a list")):
        if isinstance(value, kind):
            return words
    return "is an object" if isinstance(value, Mapping) else "is not JSON"


def _canonical(obj: dict[str, Any]) -> bytes:
    """The event as JSON with sorted keys and without spaces. Its size and digest are those of the event."""
    _check_depth(obj)
    try:
        text = json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise errors.InvalidInputError("the event contains a value that JSON can't represent") from error
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) > MAX_EVENT_BYTES:
        raise errors.PayloadTooLargeError(f"the event is larger than {MAX_EVENT_BYTES} bytes")
    return encoded


def _check_depth(obj: dict[str, Any]) -> None:
    """Check level by level, without recursion, at most as many values as an event of the allowed size can contain."""
    level: list[Any] = [obj]
    seen = 0
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list | tuple):
                inner.extend(value)
        if not inner:
            return
        seen += len(inner)
        if seen > MAX_EVENT_BYTES // 2:  # each takes a character and a comma at least
            raise errors.PayloadTooLargeError(f"the event is larger than {MAX_EVENT_BYTES} bytes")
        level = inner
    raise errors.InvalidInputError(f"the event nests deeper than {MAX_DEPTH} levels")


def _without_lone_surrogates(obj: dict[str, Any], canonical: bytes) -> dict[str, Any]:
    """The event with replacement characters for lone surrogates, which JSON can contain and UTF-8 can't.

    Replaced here, once, because no channel, log or table accepts them.
    """
    try:
        canonical.decode()
    except UnicodeDecodeError:
        text = canonical.decode("utf-8", "surrogatepass")
        replaced: dict[str, Any] = json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        return replaced
    return obj


def _time(value: object) -> datetime | None:
    try:
        return clock.parse(value) if isinstance(value, str) else None
    except ValueError:
        return None
