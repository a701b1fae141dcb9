"""Lists what arrived, from log lines: lease events, deliveries of Jira and Git hosts, drafts, clicks and jobs.

Every arrival leaves a line with its outcome in the log of the function that took it, refusals and ignored deliveries too. So
nothing is stored for this, and it goes back as far as the logs are kept. Lines are read from the newest time back, in growing
slices, until a page is full: each read is bounded. Attempts of one event are one row, at the time of its last outcome.
"""

import contextlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lib.operations.arrivals import FLOWS, PATTERNS, Event, Outcome, events_of
from lib.operations.flows import Flow
from lib.operations.log_search import LogLine, read_lines
from lib.platform import clock, errors
from lib.platform.log import scrub

MOST_LINES = 4000
"""The most lines of one function in one slice. If there are more, the slice is made smaller."""
MOST_READ = 8000
"""The most lines of all functions for one page."""
_FIRST_SLICE, _SHORTEST_SLICE = timedelta(minutes=15), timedelta(seconds=5)
_MOST_SLICES = 12
_MARGIN = timedelta(minutes=1)
"""The time before a slice that is read too, for the first lines of an event that ends in the slice."""
_RETRIES = timedelta(minutes=10)
"""The time after a page that is read too: an event that was retried there is on the page before. Lambda retries within three
minutes."""
_RECENT = timedelta(seconds=5)
"""With an ``until`` this close to the present, no retries can have been logged after it."""
_AT_ONCE = 4
"""FilterLogEvents is limited to a few calls per second in an account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which events are wanted. An empty condition matches all; texts are found in any case of letters. An e-mail address in a
    text finds its hash, which is what logs contain.
    """

    flow: Flow | None = None
    outcome: Outcome | None = None
    type: str = ""
    text: str = ""

    def match(self, event: Event) -> bool:
        """Whether all conditions hold."""
        return (
            self.flow in (None, event.flow)
            and self.outcome in (None, event.outcome)
            and self.type.casefold() in event.type.casefold()
            and (not self.text or scrub(self.text).casefold() in _searched(event))
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Events, the newest first.

    Attributes:
        events: the events.
        until: where the next page ends; None if all of the time was read.
        problems: sentences on what could not be read.
    """

    events: tuple[Event, ...]
    until: datetime | None
    problems: tuple[str, ...]


class EventReader:
    """Reads the events of one deployment.

    Args:
        logs: a client of CloudWatch Logs.
        functions: the functions by entry point.
    """

    def __init__(self, logs: Any, functions: Mapping[str, str]) -> None:
        self._logs = logs
        self._functions = functions

    def page(self, filters: Filters, since: datetime, until: datetime, limit: int) -> Page:
        """Up to about ``limit`` events between ``since`` and ``until``, the newest first.

        Fewer are found if the filters match few events: then the next page continues where this one stopped reading.
        """
        reading = _Reading(
            self._logs, {name: of for name, of in self._functions.items() if filters.flow in (None, FLOWS.get(name))}
        )
        if until < clock.utc_now() - _RECENT:
            reading.read(until, until + _RETRIES)
        begin, length, beyond = until, _FIRST_SLICE, reading.size
        found: list[Event] = []
        for _ in range(_MOST_SLICES if since < until else 0):
            start = max(since, begin - length)
            if not reading.read(start - _MARGIN, begin) and length > _SHORTEST_SLICE:
                length = max(length / 8, _SHORTEST_SLICE)
                continue
            events = events_of(reading.lines(start - _MARGIN, begin + _RETRIES))
            found += [event for event in events if start <= event.at < begin and filters.match(event)]
            begin, length = start, length * 3
            if len(found) > limit or begin <= since or reading.size - beyond > MOST_READ:
                break
        if len(found) > limit:
            begin = found[limit - 1].at
            found = [event for event in found if event.at >= begin]
        return Page(tuple(found), begin if begin > since else None, reading.problems)

    def find(self, identifier: str, since: datetime, until: datetime | None = None) -> Event:
        """The event with this id, by its log lines between ``since`` and ``until``.

        Raises:
            NotFoundError: no line of that time has it.
            SwitchboardError: the logs can't be read.
        """
        reading = _Reading(self._logs, self._functions, identifier)
        reading.read(since, until)
        found = [event for event in events_of(reading.lines()) if event.id == identifier]
        if not found:
            problem = f"; {reading.problems[0]}" if reading.problems else ""
            raise errors.NotFoundError(f"no event {identifier[:200]!a} is in the logs of that time{problem}")
        return found[0]


class _Reading:
    """The lines of several functions, read in slices.

    Args:
        logs: a client of CloudWatch Logs.
        functions: which to read.
        term: what each line must contain; empty for the lines of arrivals.
    """

    def __init__(self, logs: Any, functions: Mapping[str, str], term: str = "") -> None:
        self._logs = logs
        self._functions = {name: of for name, of in functions.items() if term or name in PATTERNS}
        self._term = term
        self._lines: dict[tuple[str, str], LogLine] = {}
        self._problems: dict[str, None] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences on what could not be read."""
        return tuple(self._problems)

    @property
    def size(self) -> int:
        """How many lines were read."""
        return len(self._lines)

    def lines(self, since: datetime | None = None, until: datetime | None = None) -> list[LogLine]:
        """What was read, or a part of it, the oldest first. Jobs end long after their order, so theirs are never too late."""
        lines = (line for line in self._lines.values() if not since or line.at >= since)
        if until is not None:
            lines = (line for line in lines if line.at <= until or FLOWS.get(line.function) is Flow.JOBS)
        return sorted(lines, key=lambda line: line.at)

    def read(self, since: datetime, until: datetime | None) -> bool:
        """Read one slice; returns whether it was read to its end."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            slices = list(pool.map(lambda name: self._read(name, since, until), list(self._functions)))
        for lines in slices:
            self._lines.update({(line.function, line.event_id): line for line in lines})
        return all(len(lines) < MOST_LINES for lines in slices)

    def _read(self, entry_point: str, since: datetime, until: datetime | None) -> list[LogLine]:
        function, pattern = (entry_point, self._functions[entry_point]), "" if self._term else PATTERNS[entry_point]
        found, problem = read_lines(
            self._logs, function, self._term, since=since, until=until, most=MOST_LINES, pattern=pattern
        )
        self._problems.update({problem: None} if problem else {})
        return found


def _searched(event: Event) -> str:
    """Everything that a text is searched in."""
    parts = [event.id, event.type, event.source, event.about, event.result, event.reason]
    with contextlib.suppress(TypeError, ValueError):
        parts += [json.dumps(line.fields, ensure_ascii=False) for line in event.lines]
    return " ".join(parts).casefold()
