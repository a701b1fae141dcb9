"""Versions of an issue: what each contained, what differs between two, and the moves that they report."""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lib.jira import snapshot_codec
from lib.jira.issue_reader import IssueReader
from lib.jira.items import Issue, Version
from lib.jira.webhooks import moved_from
from lib.operations.deployed import Deployment
from lib.operations.paging import Page, page_of
from lib.platform import aws, errors
from lib.platform.fields import object_at, require_object

MOST_DIFFERENCES = 200

ReadObject = Callable[[str], bytes]
"""Returns an object of the artifact bucket."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs: its path (``fields.priority.name``), and both values as text; None where it is absent."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two versions of an issue.

    Attributes:
        older, newer: the versions.
        state: of what Switchboard stores as the issue's state.
        snapshot: of Jira's JSON, the first 200. A field that only one of the two deliveries has is left out: deliveries
            differ in the fields that they send.
        problem: why the JSON can't be compared; empty if it was.
    """

    older: Version
    newer: Version
    state: tuple[Difference, ...]
    snapshot: tuple[Difference, ...]
    problem: str


@dataclass(frozen=True, slots=True)
class Move:
    """An issue got another key. ``at`` is the stored time of the version that reports it."""

    former: str
    issue_key: str
    at: str


def page_of_versions(reader: IssueReader, issue_key: str, cursor: str = "") -> Page[Version]:
    """The versions that are kept, the newest state first, 50 at a time.

    Raises:
        SwitchboardError: the table can't be reached or refuses.
    """
    versions = reader.history(issue_key, before=cursor or None)
    return page_of(versions, lambda version: version.stamp.version_at)


def compare(reader: IssueReader, read_object: ReadObject, issue_key: str, first: str, second: str) -> Comparison:
    """Compare two versions, named by their ``updated`` as it is stored, in any order.

    Raises:
        NotFoundError: one of them is not kept.
        SwitchboardError: the table can't be reached or refuses.
    """
    older, newer = (_version(reader, issue_key, version_at) for version_at in sorted((first, second)))
    problem = ""
    snapshot: tuple[Difference, ...] = ()
    try:
        snapshot = _common_differences(*(_issue_in(version, read_object) for version in (older, newer)))
    except errors.SwitchboardError as error:
        problem = str(error)
    return Comparison(older, newer, differences(_state(older), _state(newer)), snapshot, problem)


def content_of(reader: IssueReader, read_object: ReadObject, issue_key: str, version_at: str) -> str:
    """What Jira sent for a version: the JSON of a webhook or of an issue, as it is.

    Raises:
        NotFoundError: the version is not kept.
        SwitchboardError: it can't be read.
    """
    return _content(_version(reader, issue_key, version_at), read_object)


def differences(older: Mapping[str, Any], newer: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What differs between two JSON objects, field by field, by path. Pure."""
    before, after = dict(_flat(older)), dict(_flat(newer))
    paths = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return tuple(Difference(path, before.get(path), after.get(path)) for path in paths[:MOST_DIFFERENCES])


def moves_of(issue: Issue, versions: Iterable[Version]) -> tuple[Move, ...]:
    """The moves that an issue and some of its versions report, the latest first. A snapshot that can't be read reports none."""
    found: dict[tuple[str, str], Move] = {}
    if issue.moved_to:
        found[issue.issue_key, issue.moved_to] = Move(issue.issue_key, issue.moved_to, issue.stamp.version_at)
    for version in versions:
        event = _event_of(version)
        former = version.issue_key if version.moved_to else moved_from(event, version.issue_key)
        if former:
            move = Move(former, version.moved_to or version.issue_key, version.stamp.version_at)
            found.setdefault((move.former, move.issue_key), move)
    return tuple(sorted(found.values(), key=lambda move: move.at, reverse=True))


def artifacts_of(deployed: Deployment) -> ReadObject:
    """Reads objects of a deployment's artifact bucket. Most comparisons need none."""

    def read(name: str) -> bytes:
        bucket, s3 = deployed.output("artifact_bucket_name"), deployed.client("s3")
        with aws.translated("read the snapshot"):
            return bytes(s3.get_object(Bucket=bucket, Key=name)["Body"].read())

    return read


def _state(version: Version) -> dict[str, Any]:
    state: dict[str, Any] = asdict(version.fields)
    state["fix_versions"] = ", ".join(version.fields.fix_versions) or None  # one field, and not one per position
    return state | {"deleted": version.deleted, "moved_to": version.moved_to}


def _version(reader: IssueReader, issue_key: str, version_at: str) -> Version:
    version = reader.version(issue_key, version_at)
    if version is None:
        raise errors.NotFoundError(f"no version of {issue_key} with the time {version_at[:40]!a} is kept")
    return version


def _content(version: Version, read_object: ReadObject) -> str:
    if version.stored_snapshot is None and version.snapshot_object:
        return snapshot_codec.decode(read_object(version.snapshot_object))
    return version.snapshot() or ""


def _event_of(version: Version) -> Mapping[str, Any]:
    with contextlib.suppress(errors.SwitchboardError):
        return _read(version.snapshot() or "{}")
    return {}


def _issue_in(version: Version, read_object: ReadObject) -> Mapping[str, Any]:
    """The issue as Jira sent it: the body is a webhook with the issue, or the issue. Empty if no JSON is kept."""
    body = _read(_content(version, read_object) or "{}")
    return object_at(body, "issue") or body


def _read(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text, parse_int=str)  # Python converts at most 4,300 digits
    except (ValueError, RecursionError) as error:
        raise errors.InvalidInputError(f"the snapshot can't be read: {error}") from None
    return require_object(value, "the snapshot")


def _common_differences(older: Mapping[str, Any], newer: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The differences of the fields that both have."""
    before, after = object_at(older, "fields"), object_at(newer, "fields")
    both = before.keys() & after.keys()
    return differences({"fields": {name: before[name] for name in both}}, {"fields": {name: after[name] for name in both}})


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of JSON by path. A leaf that is null is absent."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(each, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for position, each in enumerate(value):
            yield from _flat(each, f"{path}[{position}]")
    elif value is not None:
        yield path, value if isinstance(value, str) else json.dumps(value)
