"""Normalises what Jira sends: every form of webhook becomes a typed Delivery, Ignored or NeedsFetch. No input or output.

Forms differ by product and age (Cloud, Server, old Server); the tests have one payload of each. docs/adr/0021 says which time a
deletion and a move get, and why.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lib.jira.issues import IssueFields, Observation, Stamp, is_issue_key, issue_key, read_fields, read_updated
from lib.platform import clock, errors
from lib.platform.fields import decoded, epoch_ms_at, id_at, object_at, objects_at, read_object, text_at

TRANSITION = "transition"
"""The event type of a webhook that is a post function of a workflow transition: it has no ``webhookEvent``."""
AUTOMATION = "automation"
"""The event type of issue data without an event, as rules of Jira Automation send it."""

_UNREADABLE = "unreadable"
_MAX_EVENT_TYPE_BYTES = 100
_DELETION = "jira:issue_deleted"
_OF_ISSUES = frozenset({"jira:issue_created", "jira:issue_updated", _DELETION, TRANSITION, AUTOMATION})
"""The events that contain a whole issue."""
_COMMENT_URL = re.compile(r"/issue/([0-9]{1,18})/comment/[0-9]+", re.ASCII)
_JUST_AFTER = timedelta(microseconds=1)
_LONGEST_AHEAD = timedelta(days=1)
"""The furthest that ``updated`` may be in the future. A later one would hide every state of the issue until then."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A whole issue at one moment, or its deletion.

    Attributes:
        issue_key: its current key.
        issue_id: stays the same when the key changes; None if the sender omitted it.
        stamp: the moment, in the store's order.
        event_type: Jira's ``webhookEvent``, or why the issue was fetched.
        fields: those that the store keeps.
        deleted: it was deleted at ``stamp.version_at``.
        moved_from: its former key, if the delivery reports a move.
        moved_to: its next key, if the deletion is a move.
        snapshot: the JSON as received, with U+FFFD for bytes that are not UTF-8.
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
        """One observation per key. The new key of a move comes first: after a crash between the two, the issue is under both
        keys for a while, never under neither."""
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
    """The event names issues without their state: fetch each from Jira.

    Attributes:
        issues: keys or ids: Jira's ``GET /issue/{key or id}`` accepts both.
        event_type: Jira's ``webhookEvent``.
        event_at: when Jira sent it, in ms since the epoch.
        idempotency_key: of the event: the SHA-256 of its body.
    """

    issues: tuple[str, ...]
    event_type: str
    event_at: int
    idempotency_key: str


def normalise(body: bytes, received_at: datetime) -> Delivery | Ignored | NeedsFetch:
    """Read the raw ``body`` of a webhook whose signature is valid.

    A delivery needs a key and ``fields.updated``. Any other member that is malformed counts as absent, and an issue without
    a usable ``updated`` is fetched (docs/adr/0028).

    Args:
        body: as received.
        received_at: used for a fetch if the event has no time.

    Raises:
        InvalidInputError: the body is not a JSON object, or its event promises an issue that it does not contain.
    """
    event = read_object(body)
    if "fields" in event and is_issue_key(event.get("key")):
        event = {"issue": event}  # issue data of Jira Automation, signed by a proxy
    event_type = _event_type(event)
    if event_type is None:
        return Ignored("the event names no type")  # user_deleted of Server is one
    event_at = epoch_ms_at(event, "timestamp")
    digest = hashlib.sha256(body).hexdigest()
    source = _Source(event_type, event_at, digest, decoded(body))
    issue = event.get("issue")
    promised = event_type in _OF_ISSUES and issue is not None
    if promised:
        if not isinstance(issue, dict):
            raise errors.InvalidInputError("issue is not an object")
        if issue.get("key"):
            issue_key(issue["key"])
        former = moved_from(event, issue.get("key"))
        delivery = _deletion(source, issue) if event_type == _DELETION else _change(source, issue, former)
        if delivery is not None:
            return delivery
    named = _issues_named(event)
    if named:
        return NeedsFetch(named, event_type, clock.epoch_ms(received_at) if event_at is None else event_at, digest)
    if promised:
        raise errors.InvalidInputError("the issue has no key")
    if event_type == _UNREADABLE:
        raise errors.InvalidInputError("webhookEvent is not a string")
    return Ignored(f"the event {event_type} names no issue")


def normalise_automation(body: bytes, received_at: datetime) -> Delivery | NeedsFetch:
    """Read what Jira Automation sends by *Send web request*, authenticated by a token.

    The body is one issue, or an object with one as its ``issue``. A token proves less about the body than a signature, so it
    allows neither a deletion nor a move (docs/adr/0029).

    Raises:
        UnauthenticatedError: it is the body of a webhook, which must be signed.
        InvalidInputError: it is not an issue.
    """
    value = read_object(body)
    if "webhookEvent" in value or "transition" in value:
        raise errors.UnauthenticatedError("a webhook must be signed: the token is for issue data of Jira Automation")
    issue = object_at(value, "issue") or value
    key = issue_key(issue.get("key"))
    source = _Source(AUTOMATION, None, hashlib.sha256(body).hexdigest(), decoded(body))
    delivery = _change(source, issue, None)
    if delivery is not None and delivery.stamp.version_at <= clock.canonical(received_at + _LONGEST_AHEAD):
        return delivery
    return NeedsFetch((key,), AUTOMATION, clock.epoch_ms(received_at), source.idempotency_key)


def from_rest(
    issue: Mapping[str, Any],
    *,
    event_type: str,
    event_at: int,
    idempotency_key: str,
    asked_for: str | None = None,
) -> Delivery:
    """The delivery of an issue that was read from Jira's REST API.

    Args:
        issue: one issue as the API returns it, with ``fields.updated`` and the fields of :data:`REST_FIELDS`.
        event_type: why it was fetched; kept with the version.
        event_at: of the event that caused the fetch, or of the fetch itself, in ms since the epoch.
        idempotency_key: of that event or fetch.
        asked_for: the key or id in the request. Jira returns a moved issue under its new key, without a notice (docs/adr/0021),
            so a different key in the answer is a move.

    Raises:
        InvalidInputError: the issue is not as the API promises.
    """
    key = issue_key(issue.get("key"))
    source = _Source(event_type, event_at, idempotency_key, json.dumps(issue, separators=(",", ":"), default=str))
    delivery = _change(source, issue, asked_for if is_issue_key(asked_for) and asked_for != key else None)
    if delivery is None:
        raise errors.InvalidInputError("the issue has no usable fields.updated")
    return delivery


REST_FIELDS = ("summary", "status", "assignee", "fixVersions", "updated", "created", "project", "issuetype", "labels")
"""The fields to ask Jira's REST API for."""


def gone(
    issue_key: str, issue_id: str | None, *, seen_at: datetime, after: Stamp, reason: str, moved_to: str | None = None
) -> Delivery:
    """The deletion of an issue that Jira no longer has and for which no event arrived.

    The tombstone gets the time of the request to Jira (``seen_at``), or one just after the state that it ends (``after``) if
    that is later: a difference of clocks must not leave the issue alive.
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


def restored(delivery: Delivery, wrong: Stamp) -> Delivery:
    """``delivery``, stamped just after a stored state that is ``wrong``: a tombstone, or a state that Jira never had.

    It is the state that Jira itself returned for this key. Its ``updated`` is older than the wrong state and would lose against
    it. Any later event of Jira still replaces it.
    """
    at = clock.canonical(_later(clock.parse(wrong.version_at)))
    stamp = Stamp(at, delivery.stamp.event_at, delivery.stamp.idempotency_key)
    return replace(delivery, stamp=stamp, event_type="restored", deleted=False, moved_from=None, moved_to=None)


@dataclass(frozen=True, slots=True)
class _Source:
    """The event of a delivery. ``event_at`` is None if it has no usable time."""

    event_type: str
    event_at: int | None
    idempotency_key: str
    snapshot: str

    def delivery(self, issue: Mapping[str, Any], version_at: datetime) -> Delivery:
        event_at = max(0, clock.epoch_ms(version_at)) if self.event_at is None else self.event_at
        return Delivery(
            issue_key=issue_key(issue.get("key")),
            issue_id=id_at(issue, "id"),
            stamp=Stamp(clock.canonical(version_at), event_at, self.idempotency_key),
            event_type=self.event_type,
            fields=read_fields(object_at(issue, "fields")),
            snapshot=self.snapshot,
        )


def _event_type(event: Mapping[str, Any]) -> str | None:
    """Jira's name of the event, or ours if it has none; None if it is not about an issue."""
    named = text_at(event, "webhookEvent", max_bytes=_MAX_EVENT_TYPE_BYTES)
    if named:
        return named
    if event.get("webhookEvent"):
        return _UNREADABLE  # it may be a deletion, so the issue is fetched
    if "transition" in event:
        return TRANSITION
    return AUTOMATION if "issue" in event else None


def _change(source: _Source, issue: Mapping[str, Any], moved_from: str | None) -> Delivery | None:
    """The delivery of a whole issue; None if it lacks its key or time."""
    updated = read_updated(object_at(issue, "fields"))
    if not issue.get("key") or updated is None:
        return None
    return replace(source.delivery(issue, updated), moved_from=moved_from)


def _deletion(source: _Source, issue: Mapping[str, Any]) -> Delivery:
    updated = read_updated(object_at(issue, "fields"))
    times = [] if source.event_at is None else [clock.from_epoch_ms(source.event_at)]
    if updated is not None:
        times.append(_later(updated))  # never before the edit that it ends, even if clocks differ
    if not times:
        raise errors.InvalidInputError("the deletion has no timestamp")
    return replace(source.delivery(issue, max(times)), deleted=True)


def moved_from(event: Mapping[str, Any], key: object) -> str | None:
    """The former key, from the changelog item ``Key``. A custom field may also be named Key."""
    for item in objects_at(object_at(event, "changelog"), "items"):
        if item.get("field") == "Key" and item.get("fieldtype") != "custom":
            former = item.get("fromString")
            if isinstance(former, str) and is_issue_key(former) and former != key:
                return former
    return None


def _issues_named(event: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys or ids that the event names: of its issue, else of its comment, worklog or link."""
    issue = object_at(event, "issue")
    key = issue.get("key")
    named = key if is_issue_key(key) else id_at(issue, "id")
    if named:
        return (named,)
    link = object_at(event, "issueLink")
    ids = (
        _issue_of_comment(object_at(event, "comment").get("self")),
        id_at(object_at(event, "worklog"), "issueId"),
        id_at(link, "sourceIssueId"),
        id_at(link, "destinationIssueId"),
    )
    return tuple(dict.fromkeys(value for value in ids if value))


def _issue_of_comment(url: object) -> str | None:
    """The issue's id in a comment's URL, which is all that Data Center sends. The URL itself is never called."""
    found = _COMMENT_URL.search(url) if isinstance(url, str) else None
    return found[1] if found else None


def _later(moment: datetime) -> datetime:
    try:
        return moment + _JUST_AFTER
    except OverflowError:
        raise errors.InvalidInputError("fields.updated is too late") from None
