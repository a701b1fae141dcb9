"""The rows of JiraIssues: typed values to DynamoDB items and back, and the conditions of each write.

Pure. docs/database-schema.md has the table of rows and indexes; docs/adr/0020 the reasons.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lib.jira import snapshot_codec
from lib.jira.issues import IssueFields, Observation, Stamp, split_key
from lib.platform import clock
from lib.platform.dynamodb import Condition, Delete, Put, number

HEAD = "HEAD"
COMMIT_PREFIX = "COMMIT#"
CORRELATION = "CORRELATION"
FIX_VERSION_PREFIX = "FIXVERSION#"
MOVED_PREFIX = "MOVED#"
"""Followed by a key that the issue moved from or to, which is recomputed together with this one (docs/adr/0030)."""

FIRST_LETTER = "A"
"""Times start with a digit and all other rows with a capital, so that ``updated_at < "A"`` is exactly the history."""

NAME_SHARDS = 32
"""Over how many partitions of an index the issues with one status, assignee or fix version are spread. It may be raised at any
time. If it is lowered, lists leave issues out until they change (docs/adr/0034)."""

_HOUR = len("2026-03-01T12")

Item = dict[str, dict[str, Any]]

_LATER_EVENT = "event_at < :event_at OR (event_at = :event_at AND idempotency_key {} :key)"
_LATER_STAMP = f"attribute_not_exists(issue_key) OR version_at < :version_at OR (version_at = :version_at AND ({_LATER_EVENT}))"


@dataclass(frozen=True, slots=True)
class Issue:
    """The current state of an issue: its HEAD row."""

    issue_key: str
    issue_id: str | None
    stamp: Stamp
    fields: IssueFields
    deleted: bool = False
    moved_to: str | None = None

    @property
    def project_key(self) -> str:
        """The project's key."""
        return split_key(self.issue_key)[0]

    @property
    def issue_number(self) -> int:
        """The issue's number in its project."""
        return split_key(self.issue_key)[1]


@dataclass(frozen=True, slots=True)
class Version:
    """One delivery in an issue's history.

    ``stored_snapshot`` is what the row keeps of Jira's JSON, as :mod:`lib.jira.snapshot_codec` reads it; None if there is none
    or it is in the bucket, at ``snapshot_object``.
    """

    issue_key: str
    issue_id: str | None
    stamp: Stamp
    event_type: str
    received_at: str
    fields: IssueFields
    deleted: bool
    moved_to: str | None
    stored_snapshot: str | bytes | None
    snapshot_object: str | None

    def snapshot(self) -> str | None:
        """Jira's JSON of this delivery, decompressed; None if the row has none.

        Raises:
            InvalidInputError: it is damaged, or a later release wrote it.
            PayloadTooLargeError: it is too large to be read.
        """
        return None if self.stored_snapshot is None else snapshot_codec.decode(self.stored_snapshot)


def key(issue_key: str, updated_at: str) -> Item:
    """The primary key of a row."""
    return {"issue_key": {"S": issue_key}, "updated_at": {"S": updated_at}}


def no_newer_event(stamp: Stamp) -> Condition:
    """A version may be put unless a newer event is stored for the same time of the same issue."""
    return Condition(
        expression=f"attribute_not_exists(issue_key) OR {_LATER_EVENT.format('<')}",
        values={":event_at": number(stamp.event_at), ":key": {"S": stamp.idempotency_key}},
    )


def no_newer_stamp(stamp: Stamp) -> Condition:
    """HEAD or a hint may be put unless its stamp is as new or newer: the comparison of :class:`lib.jira.issues.Stamp`."""
    return _stamp_condition(stamp, "<")


def shard_keys(name: str) -> Iterator[str]:
    """Every partition of an index that has issues with ``name``, a status, assignee or fix version."""
    return (f"{name}#{shard}" for shard in range(NAME_SHARDS))


def changed_hour(version_at: str) -> str:
    """The hour of a canonical time, by which the indexes of names are sorted: another change in it moves no entry."""
    return version_at[:_HOUR]


def put_hint(observation: Observation, fix_version: str) -> Put:
    """Store a hint, by which the fix-version index finds an issue under a version that HEAD is not indexed by."""
    item = {
        **key(observation.issue_key, FIX_VERSION_PREFIX + fix_version),
        **_stamp(observation.stamp),
        "fix_version": {"S": fix_version},
        **index_keys(observation.issue_key, observation.stamp, fix_version=fix_version),
    }
    return Put(item=item, condition=no_newer_stamp(observation.stamp))


def delete_hint(issue_key: str, fix_version: str, stamp: Stamp) -> Delete:
    """Delete a hint, unless a newer stamp than ``stamp`` has put it again."""
    return Delete(key=key(issue_key, FIX_VERSION_PREFIX + fix_version), condition=_stamp_condition(stamp, "<="))


def version_item(observation: Observation, received_at: datetime, expires_at: datetime, snapshot_object: str | None) -> Item:
    """The history row of an observation. No attribute of it is an index's key: the fields are one level down."""
    item = {
        **key(observation.issue_key, observation.stamp.version_at),
        "event_at": number(observation.stamp.event_at),
        "idempotency_key": {"S": observation.stamp.idempotency_key},
        "event_type": {"S": observation.event_type},
        "received_at": {"S": clock.canonical(received_at)},
        "expires_at": number(clock.epoch_s(expires_at)),
        "deleted": {"BOOL": observation.deleted},
        "fields": {"M": _fields(observation.fields)},
    }
    if snapshot_object is not None:
        item["raw_object"] = {"S": snapshot_object}
    elif observation.snapshot:
        item["snapshot"] = {"B": snapshot_codec.encode(observation.snapshot)}
    return _with_texts(item, issue_id=observation.issue_id, moved_to=observation.moved_to)


def head_item(observation: Observation) -> Item:
    """The HEAD row of an observation. Only a live issue's has the key attributes of the indexes."""
    item = {
        **key(observation.issue_key, HEAD),
        **_stamp(observation.stamp),
        "deleted": {"BOOL": observation.deleted},
    }
    if observation.deleted:
        return _with_texts(
            item, issue_id=observation.issue_id, summary=observation.fields.summary, moved_to=observation.moved_to
        )
    project, issue_number = split_key(observation.issue_key)
    fields = observation.fields
    item |= {"project_key": {"S": project}, "issue_number": number(issue_number), **_fields(fields)}
    first = fields.fix_versions[0] if fields.fix_versions else None
    item |= index_keys(
        observation.issue_key, observation.stamp, status=fields.status, assignee=fields.assignee, fix_version=first
    )
    return _with_texts(item, issue_id=observation.issue_id)


def index_keys(issue_key: str, stamp: Stamp, **names: str | None) -> Item:
    """The attributes by which the indexes of ``names`` find a row."""
    shard = zlib.crc32(issue_key.encode()) % NAME_SHARDS
    shards = {f"{attribute}_shard": name and f"{name}#{shard}" for attribute, name in names.items()}
    return _with_texts({"changed_hour": {"S": changed_hour(stamp.version_at)}}, **shards)


def former_project_item(observation: Observation) -> Item:
    """A HEAD with the number 0, which no issue has and no list shows: it keeps the project of a moved issue known when no live
    issue is left in it."""
    project, _ = split_key(observation.issue_key)
    return {
        **key(f"{project}-0", HEAD),
        **_stamp(observation.stamp),
        "deleted": {"BOOL": False},
        "project_key": {"S": project},
        "issue_number": {"N": "0"},
    }


def hinted(fix_versions: tuple[str, ...]) -> tuple[str, ...]:
    """The versions that need a hint: all but the first, under which HEAD itself is indexed."""
    return fix_versions[1:]


def read_stamp(head: Mapping[str, Any]) -> Stamp:
    """The stamp of a HEAD or hint item."""
    return Stamp(head["version_at"]["S"], int(head["event_at"]["N"]), head["idempotency_key"]["S"])


def read_head(item: Mapping[str, Any]) -> Issue:
    """The issue of a HEAD item."""
    return Issue(
        issue_key=item["issue_key"]["S"],
        issue_id=_text(item, "issue_id"),
        stamp=read_stamp(item),
        fields=_read_fields(item),
        deleted=item["deleted"]["BOOL"],
        moved_to=_text(item, "moved_to"),
    )


def read_version(item: Mapping[str, Any]) -> Version:
    """The version of a history item."""
    return Version(
        issue_key=item["issue_key"]["S"],
        issue_id=_text(item, "issue_id"),
        stamp=Stamp(item["updated_at"]["S"], int(item["event_at"]["N"]), item["idempotency_key"]["S"]),
        event_type=item["event_type"]["S"],
        received_at=item["received_at"]["S"],
        fields=_read_fields(item["fields"]["M"]),
        deleted=item["deleted"]["BOOL"],
        moved_to=_text(item, "moved_to"),
        stored_snapshot=item["snapshot"]["B"] if "snapshot" in item else _text(item, "raw"),
        snapshot_object=_text(item, "raw_object"),
    )


def _stamp_condition(stamp: Stamp, comparison: str) -> Condition:
    return Condition(
        expression=_LATER_STAMP.format(comparison),
        values={":version_at": {"S": stamp.version_at}, **no_newer_event(stamp).values},
    )


def _stamp(stamp: Stamp) -> Item:
    return {
        "version_at": {"S": stamp.version_at},
        "event_at": number(stamp.event_at),
        "idempotency_key": {"S": stamp.idempotency_key},
    }


def _fields(fields: IssueFields) -> Item:
    names = [{"S": name} for name in fields.fix_versions]
    return _with_texts(
        {"fix_versions": {"L": names}} if names else {},
        summary=fields.summary,
        status=fields.status,
        assignee=fields.assignee,
        assignee_name=fields.assignee_name,
    )


def _read_fields(item: Mapping[str, Any]) -> IssueFields:
    return IssueFields(
        summary=_text(item, "summary"),
        status=_text(item, "status"),
        assignee=_text(item, "assignee"),
        assignee_name=_text(item, "assignee_name"),
        fix_versions=tuple(name["S"] for name in item.get("fix_versions", {}).get("L", [])),
    )


def _with_texts(item: Item, **texts: str | None) -> Item:
    return item | {name: {"S": value} for name, value in texts.items() if value is not None}


def _text(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    return None if value is None else str(value["S"])
