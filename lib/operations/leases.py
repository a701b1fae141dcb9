"""Reads from log lines what Switchboard did with leases: notifications, enrichment, and the schemas of their records.

The lease system keeps no history of a record, and Switchboard stores none: this goes back as far as the logs are kept. A record
itself is found by its owner's e-mail address only, which no log line has (``trace UUID --owner``).
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from lib.operations.arrivals import Event, events_of
from lib.operations.events import MOST_LINES, EventReader, Filters
from lib.operations.flows import Flow
from lib.operations.log_search import LogLine, read_lines
from lib.platform import clock, errors
from lib.platform.log import scrub

_FUNCTION = "notification"
_SCHEMAS = '{ $.message = "lease_schema" || $.message = "schema_drift" }'
_EVENTS_READ = 300
"""The events that are read for a page of leases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The schema that the records of leases had.

    Attributes:
        fingerprint: of the names of their fields.
        lease_status: the leases' status.
        field_count: how many fields they had.
        first_at, last_at: when it was seen first and last.
        leases: how many leases had it.
        unknown, missing, mistyped: what differs from the known schema of that status.
    """

    fingerprint: str
    lease_status: str
    field_count: int
    first_at: datetime
    last_at: datetime
    leases: int
    unknown: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    mistyped: tuple[str, ...] = ()

    @property
    def has_drifted(self) -> bool:
        """Whether it differs from the known schema."""
        return bool(self.unknown or self.missing or self.mistyped)

    def to_json(self) -> dict[str, Any]:
        """The schema for programs."""
        times = {"first_at": clock.phoenix(self.first_at), "last_at": clock.phoenix(self.last_at), "timezone": clock.TIMEZONE}
        return {**dataclasses.asdict(self), **times}


@dataclass(frozen=True, slots=True)
class Notification:
    """An event of a lease, and how it was enriched: the status, and the reason."""

    event: Event
    enrichment: str

    def to_json(self) -> dict[str, Any]:
        """The notification for programs."""
        return {**self.event.to_json(), "enrichment": self.enrichment}


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease with its events, the newest first.

    ``owner`` is the hash of an e-mail address, and ``status`` that of its record; empty if no line has it.
    """

    uuid: str
    owner: str
    status: str
    notifications: tuple[Notification, ...]
    schemas: tuple[Schema, ...] = ()
    """In time order, the newest first: a schema that came back is listed twice."""

    def to_json(self) -> dict[str, Any]:
        """The lease for programs."""
        notifications, schemas = ([each.to_json() for each in some] for some in (self.notifications, self.schemas))
        return {
            "uuid": self.uuid,
            "owner": self.owner,
            "status": self.status,
            "notifications": notifications,
            "schemas": schemas,
        }


@dataclass(frozen=True, slots=True)
class RecentLeases:
    """The leases of the latest events, and the schemas of their records, both the newest first.

    ``until`` is where the next page ends, or None. ``problems`` are sentences on what could not be read.
    """

    leases: tuple[Lease, ...]
    schemas: tuple[Schema, ...]
    until: datetime | None
    problems: tuple[str, ...]


class LeaseReader:
    """Reads leases of one deployment.

    Args:
        logs: a client of CloudWatch Logs.
        functions: the functions by entry point.
    """

    def __init__(self, logs: Any, functions: Mapping[str, str]) -> None:
        self._logs = logs
        self._functions = {name: of for name, of in functions.items() if name == _FUNCTION}

    def recent(self, since: datetime, until: datetime) -> RecentLeases:
        """The leases that events between ``since`` and ``until`` were about: one page, from the end."""
        page = EventReader(self._logs, self._functions).page(Filters(flow=Flow.LEASES), since, until, _EVENTS_READ)
        problems = dict.fromkeys(page.problems)
        lines = self._lines(problems, page.until or since, until, pattern=_SCHEMAS)
        by_uuid: dict[str, list[Event]] = defaultdict(list)
        for event in page.events:
            if event.about:
                by_uuid[event.about].append(event)
        leases = [_lease(uuid, events, lines) for uuid, events in by_uuid.items()]
        return RecentLeases(tuple(leases), _seen(lines), page.until, tuple(problems))

    def lease(self, uuid: str, since: datetime, until: datetime) -> tuple[Lease, tuple[str, ...]]:
        """One lease, and sentences on what could not be read.

        Raises:
            NotFoundError: no line of that time has it.
        """
        problems: dict[str, None] = {}
        lines = [line for line in self._lines(problems, since, until, term=uuid) if line.fields.get("lease_uuid") == uuid]
        if not lines:
            problem = f"; {next(iter(problems))}" if problems else ""
            raise errors.NotFoundError(f"no log line of that time is about the lease {uuid[:200]!a}{problem}")
        drifts = [line for line in self._lines(problems, since, until, pattern=_SCHEMAS) if line.message == "schema_drift"]
        return _lease(uuid, events_of(lines), lines, _periods([*lines, *drifts])), tuple(problems)

    def _lines(
        self, problems: dict[str, None], since: datetime, until: datetime, *, term: str = "", pattern: str = ""
    ) -> list[LogLine]:
        found: list[LogLine] = []
        for function in self._functions.items():
            found, problem = read_lines(self._logs, function, term, since=since, until=until, most=MOST_LINES, pattern=pattern)
            problems.update({problem: None} if problem else {})
        if len(found) == MOST_LINES:
            problems[f"only the first {MOST_LINES:,} log lines of that time were read"] = None
        return found


def _lease(uuid: str, events: Iterable[Event], lines: Iterable[LogLine], schemas: tuple[Schema, ...] = ()) -> Lease:
    known: dict[str, str] = {}
    for line in lines:
        if line.fields.get("lease_uuid") == uuid:
            known.update({name: value for name, value in line.fields.items() if isinstance(value, str)})
    owner, status = scrub(known.get("lease_user", "")), scrub(known.get("lease_status", ""))
    return Lease(scrub(uuid), owner, status, tuple(map(_notification, events)), schemas)


def _notification(event: Event) -> Notification:
    results = (line.fields.get("enrichment") for line in reversed(event.lines))
    result = next((result for result in results if isinstance(result, dict)), {})
    texts = (str(text).replace("_", " ") for text in (result.get("status"), result.get("reason")) if text)
    return Notification(event, scrub(": ".join(texts)))


def _seen(lines: Sequence[LogLine]) -> tuple[Schema, ...]:
    """Each schema once, the one seen last first."""
    ordered = sorted(_schema_lines(lines), key=lambda line: (*_key(line), line.at))
    return _newest_first(_schema(list(group), _drifts(lines)) for _, group in groupby(ordered, _key))


def _periods(lines: Sequence[LogLine]) -> tuple[Schema, ...]:
    """The schemas one after another."""
    ordered = sorted(_schema_lines(lines), key=lambda line: line.at)
    return _newest_first(_schema(list(group), _drifts(lines)) for _, group in groupby(ordered, _key))


def _newest_first(schemas: Iterator[Schema]) -> tuple[Schema, ...]:
    return tuple(sorted(schemas, key=lambda schema: schema.last_at, reverse=True))


def _schema_lines(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    return (line for line in lines if line.message == "lease_schema")


def _key(line: LogLine) -> tuple[str, str]:
    return str(line.fields.get("fingerprint")), str(line.fields.get("lease_status"))


def _drifts(lines: Iterable[LogLine]) -> dict[tuple[str, str], LogLine]:
    return {_key(line): line for line in lines if line.message == "schema_drift"}


def _schema(lines: list[LogLine], drifts: Mapping[tuple[str, str], LogLine]) -> Schema:
    first, last = lines[0], lines[-1]
    fingerprint, lease_status = _key(last)
    drift = drifts.get((fingerprint, lease_status))
    count = last.fields.get("field_count")
    return Schema(
        fingerprint=scrub(fingerprint),
        lease_status=scrub(lease_status),
        field_count=count if isinstance(count, int) else 0,
        first_at=first.at,
        last_at=last.at,
        leases=len({str(line.fields.get("lease_uuid")) for line in lines}),
        **({name: _names(drift, name) for name in ("unknown", "missing", "mistyped")} if drift else {}),
    )


def _names(line: LogLine, name: str) -> tuple[str, ...]:
    names = line.fields.get(name)
    return tuple(scrub(str(each)) for each in names) if isinstance(names, list) else ()
