"""What Jira sends, normalised: every webhook shape becomes a typed Delivery, Ignored or NeedsFetch.

Shapes differ by product and age (Cloud, Server, old Server); the tests hold one payload for each. Nothing here does input
or output. Times: docs/adr/0021 says which time a deletion and a move get, and why.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lib.jira.issues import IssueFields, Observation, Stamp, is_issue_key, issue_key, read_fields, read_updated
from lib.platform import clock, errors
from lib.platform import fields as payload

TRANSITION = "transition"
"""The event type of a webhook that is a post function of a workflow's transition: it has no ``webhookEvent``."""
AUTOMATION = "automation"
"""The event type of a whole issue without an event, as rules of Jira Automation send it."""

_UNREADABLE = "unreadable"
_MAX_EVENT_TYPE_BYTES = 100
_DELETION = "jira:issue_deleted"
_OF_ISSUES = frozenset({"jira:issue_created", "jira:issue_updated", _DELETION, TRANSITION, AUTOMATION})
"""The events whose issue is whole."""
_COMMENT_URL = re.compile(r"/issue/([0-9]{1,18})/comment/[0-9]+", re.ASCII)
_JUST_AFTER = timedelta(microseconds=1)
_LONGEST_AHEAD = timedelta(days=1)
"""Jira sends no ``updated`` further ahead. If one were stored, it would hide every state of the issue until then."""


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
        moved_from: the key it had before, if the delivery reports a move.
        snapshot: the JSON it arrived in. It is unchanged but for bytes that are not UTF-8, which become U+FFFD.
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
        received_at: the time of a fetch whose event has none.

    Raises:
        InvalidInputError: the body is not a JSON object, or cannot be of an issue though its event promises one.
    """
    event = payload.read_object(body)
    if "fields" in event and is_issue_key(event.get("key")):
        event = {"issue": event}  # issue data of Jira Automation, signed by something on its way
    event_type = _event_type(event)
    if event_type is None:
        return Ignored("the event names no type")  # user_deleted of Server is one
    event_at = payload.epoch_ms_at(event, "timestamp")
    source = _Source(event_type, event_at, hashlib.sha256(body).hexdigest(), payload.decoded(body))
    issue = event.get("issue")
    promised = event_type in _OF_ISSUES and issue is not None
    if promised:
        if not isinstance(issue, dict):
            raise errors.InvalidInputError("issue is not an object")
        if issue.get("key"):
            issue_key(issue["key"])
        delivery = _deletion(source, issue) if event_type == _DELETION else _change(source, issue, event)
        if delivery is not None:
            return delivery
    named = _issues_named(event)
    if named:
        return NeedsFetch(named, event_type, clock.epoch_ms(received_at) if event_at is None else event_at, source.digest)
    if promised:
        raise errors.InvalidInputError("the issue has no key")
    if event_type == _UNREADABLE:
        raise errors.InvalidInputError("webhookEvent is not a text")
    return Ignored(f"the event {event_type} names no issue")


def normalise_automation(body: bytes, received_at: datetime) -> Delivery | NeedsFetch:
    """Read what Jira Automation sends by *Send web request*, authenticated by a token.

    That is one issue, or an object with one as its ``issue``. A token says less about the body than a signature, so that
    it opens no deletion and no move (docs/adr/0029).

    Raises:
        UnauthenticatedError: it is the body of a webhook, which must be signed.
        InvalidInputError: it is not an issue.
    """
    value = payload.read_object(body)
    if "webhookEvent" in value or "transition" in value:
        raise errors.UnauthenticatedError("a webhook must be signed: the token is for issue data of Jira Automation")
    issue = payload.object_at(value, "issue") or value
    key = issue_key(issue.get("key"))
    source = _Source(AUTOMATION, None, hashlib.sha256(body).hexdigest(), payload.decoded(body))
    delivery = _change(source, issue, {})
    if delivery is not None and delivery.stamp.version_at <= clock.canonical(received_at + _LONGEST_AHEAD):
        return delivery
    return NeedsFetch((key,), AUTOMATION, clock.epoch_ms(received_at), source.digest)


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
    fields = payload.object_at(issue, "fields")
    updated = read_updated(fields)
    if updated is None:
        raise errors.InvalidInputError("the issue has no usable fields.updated")
    key = issue_key(issue.get("key"))
    return Delivery(
        issue_key=key,
        issue_id=payload.id_at(issue, "id"),
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


def restored(delivery: Delivery, standing: Stamp) -> Delivery:
    """``delivery``, stamped just after a ``standing`` state that was in error: a tombstone, or a state that Jira never had.

    For what Jira, asked directly, has under this key: its ``updated`` is older than the standing state and would lose. Any
    later event of Jira still wins over this.
    """
    at = clock.canonical(_later(clock.parse(standing.version_at)))
    stamp = Stamp(at, delivery.stamp.event_at, delivery.stamp.idempotency_key)
    return Delivery(
        issue_key=delivery.issue_key,
        issue_id=delivery.issue_id,
        stamp=stamp,
        event_type="restored",
        fields=delivery.fields,
        snapshot=delivery.snapshot,
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a delivery comes from. ``digest`` is of the body; ``event_at`` is None if the event has no usable time."""

    event_type: str
    event_at: int | None
    digest: str
    snapshot: str

    def stamp(self, version_at: datetime) -> Stamp:
        event_at = max(0, clock.epoch_ms(version_at)) if self.event_at is None else self.event_at
        return Stamp(clock.canonical(version_at), event_at, self.digest)


def _event_type(event: Mapping[str, Any]) -> str | None:
    """Jira's name of the event, or ours for one that has none; None if it is not about an issue."""
    named = payload.text_at(event, "webhookEvent", max_bytes=_MAX_EVENT_TYPE_BYTES)
    if named:
        return named
    if event.get("webhookEvent"):
        return _UNREADABLE  # it may be a deletion, so that Jira is asked
    if "transition" in event:
        return TRANSITION
    return AUTOMATION if "issue" in event else None


def _change(source: _Source, issue: Mapping[str, Any], event: Mapping[str, Any]) -> Delivery | None:
    """The delivery of a whole issue; None if it lacks its key or time."""
    fields = payload.object_at(issue, "fields")
    key, updated = issue.get("key"), read_updated(fields)
    if not key or updated is None:
        return None
    return Delivery(
        issue_key=key,
        issue_id=payload.id_at(issue, "id"),
        stamp=source.stamp(updated),
        event_type=source.event_type,
        fields=read_fields(fields),
        moved_from=_moved_from(event, key),
        snapshot=source.snapshot,
    )


def _deletion(source: _Source, issue: Mapping[str, Any]) -> Delivery:
    fields = payload.object_at(issue, "fields")
    updated = read_updated(fields)
    times = [] if source.event_at is None else [clock.from_epoch_ms(source.event_at)]
    if updated is not None:
        times.append(_later(updated))  # never before the edit that it ends, even if clocks differ
    if not times:
        raise errors.InvalidInputError("the deletion has no timestamp")
    return Delivery(
        issue_key=issue_key(issue.get("key")),
        issue_id=payload.id_at(issue, "id"),
        stamp=source.stamp(max(times)),
        event_type=source.event_type,
        fields=read_fields(fields),
        deleted=True,
        snapshot=source.snapshot,
    )


def _moved_from(event: Mapping[str, Any], key: str) -> str | None:
    """The former key, told by the changelog item ``Key``. A custom field may be named Key as well."""
    for item in payload.objects_at(payload.object_at(event, "changelog"), "items"):
        if item.get("field") == "Key" and item.get("fieldtype") != "custom":
            former = item.get("fromString")
            if isinstance(former, str) and is_issue_key(former) and former != key:
                return former
    return None


def _issues_named(event: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys or ids that the event names: of its issue, else of its comment, worklog or link."""
    issue = payload.object_at(event, "issue")
    key = issue.get("key")
    named = key if is_issue_key(key) else payload.id_at(issue, "id")
    if named:
        return (named,)
    link = payload.object_at(event, "issueLink")
    ids = (
        _issue_of_comment(payload.object_at(event, "comment").get("self")),
        payload.id_at(payload.object_at(event, "worklog"), "issueId"),
        payload.id_at(link, "sourceIssueId"),
        payload.id_at(link, "destinationIssueId"),
    )
    return tuple(dict.fromkeys(value for value in ids if value))


def _issue_of_comment(url: object) -> str | None:
    """The issue's id in a comment's URL, which is all that Data Center says. The URL itself is never called."""
    found = _COMMENT_URL.search(url) if isinstance(url, str) else None
    return found[1] if found else None


def _later(moment: datetime) -> datetime:
    try:
        return moment + _JUST_AFTER
    except OverflowError:
        raise errors.InvalidInputError("fields.updated is the end of time") from None
