"""Finds log lines of the functions, in AWS and the local cloud alike, by FilterLogEvents."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from lib.operations.deployed import log_group, pages
from lib.platform import clock, errors
from lib.platform.log import scrub

MOST_PAGES = 100
"""The most pages of one search in one log group. CloudWatch Logs may answer with empty pages while it reads."""

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a function's log, without personal data.

    Attributes:
        at: when it was written.
        function: the entry point.
        level: of :data:`LEVELS`; empty for a line of Lambda itself.
        message: the name of the event, or the line as it is if it is not JSON.
        fields: its other fields.
        event_id: CloudWatch's id of the line.
    """

    at: datetime
    function: str
    level: str
    message: str
    fields: Mapping[str, Any]
    event_id: str


def search(
    logs: Any, functions: Mapping[str, str], term: str, since: datetime, until: datetime | None = None, *, pattern: str = ""
) -> Iterator[LogLine]:
    """The lines that contain ``term`` (all lines if it is empty), the oldest of each function first.

    Args:
        logs: a client of CloudWatch Logs.
        functions: the functions to search, by entry point.
        term: a text without quotation marks.
        since: the first instant.
        until: the last instant; None for now.
        pattern: a filter pattern of CloudWatch Logs, in place of a term.

    Raises:
        UnavailableError: there is more than can be read at once; the lines before were yielded.
        SwitchboardError: the logs can't be read.
    """
    request: dict[str, Any] = {"startTime": max(clock.epoch_ms(since), 0)}
    if until is not None:
        request["endTime"] = clock.epoch_ms(until)
    if pattern:
        request["filterPattern"] = pattern
    elif term:
        request["filterPattern"] = json.dumps(term.replace('"', ""), ensure_ascii=False)
    for entry_point, name in functions.items():
        group = log_group(name)
        answers = pages(
            f"read the log of {entry_point}",
            logs.filter_log_events,
            most=MOST_PAGES,
            token="nextToken",  # noqa: S106 - the field's name
            logGroupName=group,
            **request,
        )
        for answer in answers:
            for event in answer.get("events", []):
                line = _read(entry_point, event)
                if "_aws" not in line.fields:  # a metric in the embedded metric format
                    yield line


def read_lines(
    logs: Any,
    function: tuple[str, str],
    term: str,
    *,
    since: datetime,
    until: datetime | None,
    most: int,
    pattern: str = "",
) -> tuple[list[LogLine], str]:
    """Up to ``most`` lines of one function, as :func:`search` finds them, and the sentence on what could not be read; empty if
    nothing. ``function`` is its entry point and its name."""
    found: list[LogLine] = []
    try:
        found.extend(islice(search(logs, dict([function]), term, since, until, pattern=pattern), most))
    except errors.ResourceMissingError:
        pass  # the function has not logged anything yet
    except errors.SwitchboardError as error:
        return found, f"the log of {function[0]} can't be read: {scrub(str(error))}"
    return found, ""


def _read(entry_point: str, event: Mapping[str, Any]) -> LogLine:
    text = str(event.get("message", "")).strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    about = value if isinstance(value, dict) else {}
    record = about.get("type") if isinstance(about.get("type"), str) else None  # of Lambda itself: platform.report, …
    return LogLine(
        at=clock.from_epoch_ms(int(event["timestamp"])),
        function=entry_point,
        level=str(about.get("level") or ""),
        message=scrub(str(about.get("message") or record or text)),
        fields={name: item for name, item in about.items() if name not in ("level", "message", "function", "timezone")},
        event_id=str(event.get("eventId", "")),
    )
