"""Reads the rows of a legacy table. Pure.

A legacy row has the key ``issue_key``, or ``issue_key`` and ``updated_at``. Its times have ``Z`` or an offset, and perhaps a
fraction. Its issue is a snapshot (one attribute, a map or JSON) or in flat attributes: see docs/how-to/migrate.md.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from lib.jira import snapshot_codec
from lib.jira.issues import IssueFields, Stamp, issue_key, read_fields, read_updated
from lib.jira.webhooks import Delivery
from lib.platform import clock, errors
from lib.platform.fields import id_at, optional_object, optional_objects, optional_text, read_object
from lib.platform.log import scrub

_KEYS = ("issue_key", "updated_at")
_SNAPSHOTS = ("raw", "snapshot", "payload", "issue", "data")


def read_legacy(item: Mapping[str, Any]) -> Delivery:
    """The delivery of a legacy row. Pure: the same row always gives the same delivery.

    Raises:
        InvalidInputError: it is not the row of an issue, or has no time with an offset.
    """
    row = {name: _plain(value) for name, value in item.items()}
    issue = _snapshot(row)
    fields = optional_object(issue, "fields") or {} if issue is not None else {}
    key = issue_key(optional_text(row, "issue_key", max_bytes=256))
    stamped = row.get("updated_at") or row.get("updated") or fields.get("updated")
    updated = read_updated({"updated": stamped})
    if updated is None:
        raise errors.InvalidInputError("the row has no time with an offset")
    sent = row.get("event_at", row.get("timestamp"))
    event_at = int(sent) if isinstance(sent, Decimal) and 0 <= sent < 10**15 else max(0, clock.epoch_ms(updated))
    digest = hashlib.sha256(json.dumps(item, sort_keys=True, default=str).encode()).hexdigest()
    return Delivery(
        issue_key=key,
        issue_id=id_at(issue or {}, "id") or id_at(row, "issue_id"),
        stamp=Stamp(
            clock.canonical(updated),
            event_at,
            optional_text(row, "idempotency_key", max_bytes=256) or f"backfill:{digest}",
        ),
        event_type="backfill",
        fields=read_fields(fields) if fields else _flat_fields(row),
        deleted=row.get("deleted") is True,
        snapshot="" if issue is None else json.dumps(issue, separators=(",", ":"), default=_number),
    )


def _snapshot(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The issue in a row: an attribute that holds an issue or a whole webhook, as a map or as JSON."""
    for name in _SNAPSHOTS:
        value = row.get(name)
        if isinstance(value, bytes) and name == "snapshot":
            value = _decoded(value)
        if isinstance(value, str) and value.startswith("{"):
            value = read_object(value)
        if isinstance(value, dict):
            issue = value.get("issue", value)
            if isinstance(issue, dict) and isinstance(issue.get("fields"), dict):
                return issue
    return None


def _decoded(stored: bytes) -> str:
    """The snapshot of a row that Switchboard wrote."""
    try:
        return snapshot_codec.decode(stored)
    except errors.PayloadTooLargeError as error:
        raise errors.InvalidInputError(str(error)) from error


def _flat_fields(row: Mapping[str, Any]) -> IssueFields:
    versions = row.get("fix_versions", row.get("fixVersions")) or None
    if isinstance(versions, str):
        versions = [versions]
    if isinstance(versions, list):
        versions = [_as_object(version, "name") for version in versions]
    return read_fields(
        {
            "summary": row.get("summary"),
            "status": _as_object(row.get("status"), "name"),
            "assignee": _as_object(row.get("assignee"), "accountId"),
            # Strict, unlike for webhooks: a layout that can only be read in part must not be migrated.
            "fixVersions": optional_objects({"fix_versions": versions}, "fix_versions"),
        }
    )


def _as_object(value: Any, name: str) -> Any:
    return {name: value} if isinstance(value, str) else value


def _plain(value: Mapping[str, Any]) -> Any:
    """The Python value of a DynamoDB attribute."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return Decimal(content)
        case "NULL":
            return None
        case "L":
            return [_plain(element) for element in content]
        case "M":
            return {name: _plain(element) for name, element in content.items()}
        case "SS":
            return sorted(content)
    return content


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def name_of(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """A row as reports show it: by the key of a legacy row and the attributes ``keys``."""
    named = {name: scrub(str(_plain(item[name])))[:60] for name in (*_KEYS, *keys) if name in item}
    parts = (text if name in _KEYS else f"{name}={text}" for name, text in named.items())
    return " ".join(parts) or "a row without issue_key"
