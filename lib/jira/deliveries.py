"""What Jira sends, normalised: every webhook shape becomes a typed Delivery, Ignored or NeedsFetch.

Shapes differ by product and age (Cloud, Server, old Server); the tests hold one payload for each. Nothing here does input
or output. Times: docs/adr/0021 says which time a deletion and a move get, and why.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lib import clock, errors
from lib.jira import payload
from lib.jira.issues import IssueFields, Observation, Stamp, is_issue_key, issue_key, read_fields, read_updated

IDENTIFIER_HEADER = "X-Atlassian-Webhook-Identifier"
"""Unique per delivery, and the same on its retries."""

_MAX_IDENTIFIER_BYTES = 256
_MAX_EVENT_TYPE_BYTES = 100
_CHANGES = frozenset({"jira:issue_created", "jira:issue_updated"})
_DELETION = "jira:issue_deleted"
_JUST_AFTER = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A whole issue at one moment, or its deletion.

    Attributes:
        issue_key: the key it has now.
        issue_id: the id that stays when the key changes; None where the sender left it out.
        stamp: the moment, in the store's order.
        event_type: Jira's ``webhookEvent``, or what made us ask Jira.
        fields: the fields that count.
        deleted: it was deleted at ``stamp.version_at``.
        moved_from: the key it had before, if the delivery tells of a move.
        snapshot: the JSON it came in, as it came.
    """

    issue_key: str
    issue_id: str | None
    stamp: Stamp
    event_type: str
    fields: IssueFields
    deleted: bool = False
    moved_from: str | None = None
    moved_to: str | None = None
    snapshot: str = ""

    def observations(self) -> tuple[Observation, ...]:
        """What the delivery tells about each key. The new key of a move comes first: a crash between the two shows an
        issue under both keys for a while, never under none."""
        current = Observation(
            issue_key=self.issue_key,
            issue_id=self.issue_id,
            stamp=self.stamp,
            event_type=self.event_type,
            fields=self.fields,
            deleted=self.deleted,
            moved_to=self.moved_to,
            snapshot=self.snapshot,
        )
        if self.moved_from is None:
            return (current,)
        former = Observation(
            issue_key=self.moved_from,
            issue_id=self.issue_id,
            stamp=self.stamp,
            event_type=self.event_type,
            fields=IssueFields(summary=self.fields.summary),
            deleted=True,
            moved_to=self.issue_key,
        )
        return (current, former)


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing to store, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class NeedsFetch:
    """The event names issues without telling their state: ask Jira for each.

    Attributes:
        issues: keys or ids, as Jira's ``GET /issue/{key or id}`` takes either.
        event_type: Jira's ``webhookEvent``.
        event_at: when Jira sent it, in ms since the epoch.
        idempotency_key: of the delivery.
    """

    issues: tuple[str, ...]
    event_type: str
    event_at: int
    idempotency_key: str


def normalise(body: bytes, identifier: str | None, received_at: datetime) -> Delivery | Ignored | NeedsFetch:
    """Read one webhook's raw ``body``.

    Args:
        body: as received, its signature checked.
        identifier: the value of the header ``X-Atlassian-Webhook-Identifier``, if it is there.
        received_at: stands in for the time of an event that has none (and only asks for a fetch).

    Raises:
        InvalidInputError: the body is no JSON object, or breaks the shape that its event promises.
    """
    event = payload.read_object(body)
    idempotency_key = _idempotency_key(body, identifier)
    event_type = payload.text(event, "webhookEvent", max_bytes=_MAX_EVENT_TYPE_BYTES)
    if event_type is None:
        return Ignored("the event names no type")  # user_deleted of Server is one
    event_at = payload.epoch_ms(event, "timestamp")
    issue = payload.mapping(event, "issue")
    if issue is not None:
        fields = payload.mapping(issue, "fields") or {}
        if event_type == _DELETION:
            return _deletion(
                issue=issue,
                fields=fields,
                event_type=event_type,
                event_at=event_at,
                idempotency_key=idempotency_key,
                snapshot=body.decode(),
            )
        updated = read_updated(fields) if event_type in _CHANGES else None
        if updated is not None:
            stamp = Stamp(clock.canonical(updated), _sent_at(event_at, updated), idempotency_key)
            return _change(event=event, issue=issue, fields=fields, event_type=event_type, stamp=stamp, snapshot=body.decode())
    named = _issues_named(event, issue)
    if not named:
        return Ignored(f"the event {event_type} names no issue")
    return NeedsFetch(named, event_type, clock.epoch_ms(received_at) if event_at is None else event_at, idempotency_key)


def from_rest(
    issue: Mapping[str, Any],
    *,
    event_type: str,
    event_at: int,
    idempotency_key: str,
    asked_for: str | None = None,
) -> Delivery:
    """The delivery that an issue read from Jira's REST API amounts to.

    Args:
        issue: one issue as the API returns it, with ``fields.updated`` and the fields of :data:`REST_FIELDS`.
        event_type: what made us ask, kept with the version.
        event_at: the event that made us ask, or when we asked, in ms since the epoch.
        idempotency_key: of that event, or of this look.
        asked_for: the key or id that was asked for. Jira answers a moved issue under its new key and without a word
            (docs/adr/0021), so that another key than this one is a move.

    Raises:
        InvalidInputError: the issue is not as the API promises.
    """
    fields = payload.mapping(issue, "fields") or {}
    updated = read_updated(fields)
    if updated is None:
        raise errors.InvalidInputError("the issue has no fields.updated")
    key = issue_key(payload.text(issue, "key", max_bytes=_MAX_IDENTIFIER_BYTES))
    return Delivery(
        issue_key=key,
        issue_id=payload.identifier(issue, "id"),
        stamp=Stamp(clock.canonical(updated), event_at, idempotency_key),
        event_type=event_type,
        fields=read_fields(fields),
        moved_from=asked_for if is_issue_key(asked_for) and asked_for != key else None,
        snapshot=json.dumps(issue, separators=(",", ":"), default=str),
    )


REST_FIELDS = ("summary", "status", "assignee", "fixVersions", "updated", "created", "project", "issuetype", "labels")
"""The fields to ask Jira's REST API for."""


def gone(
    issue_key: str, issue_id: str | None, *, seen_at: datetime, after: Stamp, reason: str, moved_to: str | None = None
) -> Delivery:
    """The deletion of an issue that Jira no longer has and never told us of.

    The tombstone stands at the moment Jira was asked, and in any case after the state it ends (``after``), so that
    clocks that differ can't leave the issue alive.
    """
    at = max(clock.canonical(seen_at), clock.canonical(_later(clock.parse(after.version_at))))
    return Delivery(
        issue_key=issue_key,
        issue_id=issue_id,
        stamp=Stamp(at, clock.epoch_ms(seen_at), f"gone:{issue_key}:{at}"),
        event_type=reason,
        fields=IssueFields(),
        deleted=True,
        moved_to=moved_to,
    )


def restored(delivery: Delivery, tombstone: Stamp) -> Delivery:
    """``delivery``, stamped just after a ``tombstone`` that was in error.

    For an issue that Jira, asked directly, has under a key that the store holds for deleted: its ``updated`` is older
    than the tombstone and would lose. Any later event of Jira still wins over this.
    """
    at = clock.canonical(_later(clock.parse(tombstone.version_at)))
    stamp = Stamp(at, delivery.stamp.event_at, delivery.stamp.idempotency_key)
    return Delivery(
        issue_key=delivery.issue_key,
        issue_id=delivery.issue_id,
        stamp=stamp,
        event_type="restored",
        fields=delivery.fields,
        snapshot=delivery.snapshot,
    )


def _idempotency_key(body: bytes, identifier: str | None) -> str:
    if identifier:
        return payload.checked(identifier, IDENTIFIER_HEADER, max_bytes=_MAX_IDENTIFIER_BYTES)
    return hashlib.sha256(body).hexdigest()


def _change(
    *,
    event: Mapping[str, Any],
    issue: Mapping[str, Any],
    fields: Mapping[str, Any],
    event_type: str,
    stamp: Stamp,
    snapshot: str,
) -> Delivery:
    key = issue_key(payload.text(issue, "key", max_bytes=_MAX_IDENTIFIER_BYTES))
    return Delivery(
        issue_key=key,
        issue_id=payload.identifier(issue, "id"),
        stamp=stamp,
        event_type=event_type,
        fields=read_fields(fields),
        moved_from=_moved_from(event, key),
        snapshot=snapshot,
    )


def _deletion(
    *,
    issue: Mapping[str, Any],
    fields: Mapping[str, Any],
    event_type: str,
    event_at: int | None,
    idempotency_key: str,
    snapshot: str,
) -> Delivery:
    if event_at is None:
        raise errors.InvalidInputError("the deletion has no timestamp")
    deleted_at = clock.from_epoch_ms(event_at)
    updated = read_updated(fields)
    if updated is not None:
        deleted_at = max(deleted_at, _later(updated))  # never before the edit it ends, whatever the clocks say
    return Delivery(
        issue_key=issue_key(payload.text(issue, "key", max_bytes=_MAX_IDENTIFIER_BYTES)),
        issue_id=payload.identifier(issue, "id"),
        stamp=Stamp(clock.canonical(deleted_at), event_at, idempotency_key),
        event_type=event_type,
        fields=read_fields(fields),
        deleted=True,
        snapshot=snapshot,
    )


def _sent_at(event_at: int | None, updated: datetime) -> int:
    if event_at is not None:
        return event_at
    return max(0, clock.epoch_ms(updated))


def _moved_from(event: Mapping[str, Any], key: str) -> str | None:
    """The former key, told by the changelog item ``Key``. A custom field may be named Key as well."""
    changelog = payload.mapping(event, "changelog") or {}
    for item in payload.objects(changelog, "items"):
        if item.get("field") == "Key" and item.get("fieldtype") != "custom":
            former = item.get("fromString")
            if isinstance(former, str) and is_issue_key(former) and former != key:
                return former
    return None


def _issues_named(event: Mapping[str, Any], issue: Mapping[str, Any] | None) -> tuple[str, ...]:
    if issue is not None:
        key = payload.text(issue, "key", max_bytes=_MAX_IDENTIFIER_BYTES)
        named = issue_key(key) if key else payload.identifier(issue, "id")
        return (named,) if named else ()
    worklog = payload.mapping(event, "worklog") or {}
    link = payload.mapping(event, "issueLink") or {}
    ids = (
        payload.identifier(worklog, "issueId"),
        payload.identifier(link, "sourceIssueId"),
        payload.identifier(link, "destinationIssueId"),
    )
    return tuple(dict.fromkeys(value for value in ids if value))


def _later(moment: datetime) -> datetime:
    try:
        return moment + _JUST_AFTER
    except OverflowError:
        raise errors.InvalidInputError("fields.updated is the end of time") from None
