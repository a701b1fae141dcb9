"""Reads arrivals from log lines: how each lease event, delivery, draft, click and job ended. Pure.

docs/observability.md lists the lines. :mod:`lib.operations.events` finds them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from lib.operations.flows import Flow
from lib.operations.log_search import LogLine
from lib.platform import clock
from lib.platform.log import scrub
from lib.platform.wording import counted
from lib.shuttle.jobs.job import JobStatus

_MOST_NAMED = 3


class Outcome(StrEnum):
    """How an arrival ended."""

    DONE = "done"
    IGNORED = "ignored"
    """There was nothing to do: a duplicate, an older state, nothing that Switchboard handles, or a rule that drops it."""
    REFUSED = "refused"
    """Its sender has to change something: a signature, the body, who clicks."""
    FAILED = "failed"
    """Switchboard could not handle it. It is retried, or is a dead letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One arrival, without personal data.

    Attributes:
        id: finds it again: of a lease event its own id, of a job the job's, of another request the invocation's.
        flow: the flow that it belongs to.
        at: when its last outcome was logged.
        received_at: when the work on it began, if its lines say so; else when it ended.
        type: as its sender names it: ``LeaseApproved``, ``jira:issue_updated``, ``push``, ``draft``, ``click approve``,
            ``import``.
        source: who sent it; empty if unknown.
        about: what it is about: a lease, an issue, a session, a job; empty if unknown.
        outcome: how it ended.
        result: the same in the flow's own word: ``stored``, ``superseded``, ``sent on slack``.
        reason: why, if there is a reason.
        duration_ms: of the last attempt; None if unknown.
        attempts: how often it was tried.
        lines: what the functions logged, the oldest first.
    """

    id: str
    flow: Flow
    at: datetime
    received_at: datetime
    type: str
    source: str
    about: str
    outcome: Outcome
    result: str
    reason: str
    duration_ms: float | None
    attempts: int
    lines: tuple[LogLine, ...]

    def to_json(self) -> dict[str, Any]:
        """The event for programs, without its lines."""
        return {
            "id": self.id,
            "flow": self.flow.value,
            "at": clock.phoenix(self.at),
            "received_at": clock.phoenix(self.received_at),
            "timezone": clock.TIMEZONE,
            "type": self.type,
            "source": self.source,
            "about": self.about,
            "outcome": self.outcome.value,
            "result": self.result,
            "reason": self.reason,
            "duration_ms": self.duration_ms,
            "attempts": self.attempts,
        }


def _pattern(*messages: str, request: str = "") -> str:
    """CloudWatch's filter pattern for lines with these messages, and for ``http_request`` lines where ``request`` holds."""
    named = [f'$.message = "{message}"' for message in messages]
    if request:
        named += [f'($.message = "http_request" && {request})', '$.message = "request_refused"', '$.message = "request_failed"']
    return f"{{ {' || '.join(named)} }}"


PATTERNS = {
    "notification": _pattern("lease_event", "event_dropped", "event_too_old", "event_failed", request='$.path = "/events*"'),
    "webhooks": _pattern("webhook_delivery", request='$.path = "/webhooks/*"'),
    "approvals": _pattern("draft_submitted", "click", "interaction_ignored", request='$.method = "POST"'),
    "shuttle": _pattern("job_created", request='$.method = "POST" && $.path = "*/jobs"'),
    "imports": _pattern("import_run", "import_failed"),
}
"""The filter pattern of each function's lines about arrivals."""


FLOWS = {
    "notification": Flow.LEASES,
    "webhooks": Flow.JIRA,
    "approvals": Flow.APPROVALS,
    "shuttle": Flow.JOBS,
    "imports": Flow.JOBS,
}
"""The flow that each function receives for."""


def events_of(lines: Iterable[LogLine]) -> list[Event]:
    """The arrivals that lines are about, the newest first. Pure.

    Args:
        lines: of any functions, the oldest first. Lines about no arrival are left out.
    """
    groups: dict[str, list[LogLine]] = defaultdict(list)
    jobs = {_text(line, "run_id"): _text(line, "job_id") for line in lines if line.message == "job_created"}
    for line in lines:
        if line.function in FLOWS and (key := _key(line, jobs)):
            groups[key].append(line)
    found = [event for key, group in groups.items() if (event := _event(key, group))]
    return sorted(found, key=lambda event: (event.at, event.id), reverse=True)


def _key(line: LogLine, jobs: Mapping[str, str]) -> str:
    """The id of the arrival that a line is about."""
    run = _text(line, "run_id")
    match line.function:
        case "notification":
            return _text(line, "event_id") or run
        case "shuttle":
            return _text(line, "job_id") or jobs.get(run) or run
        case "imports":
            messages = line.fields.get("messages")
            return _text(line, "job_id") or (str(messages[0]) if isinstance(messages, list) and messages else "")
    return run


@dataclass(frozen=True, slots=True)
class _End:
    """What one line says about the end of an arrival. A text is empty if the line does not say it."""

    outcome: Outcome
    result: str
    type: str = ""
    reason: str = ""


def _event(key: str, lines: Sequence[LogLine]) -> Event | None:
    """The arrival of a group of lines; None if none of them ends one."""
    ends = [(line, end) for line in lines if (end := _end(line))]
    requests = [line for line in lines if line.message == "http_request"]
    if not ends and not (ends := [(line, end) for line in requests if (end := _refused_by_framework(line))]):
        return None
    last, end = ends[-1]
    path = _text(requests[-1], "path") if requests else ""
    return Event(
        id=scrub(key),
        flow=FLOWS[last.function],
        at=last.at,
        received_at=min(map(_began, lines)),
        type=scrub(
            next((each.type for _, each in reversed(ends) if each.type), "") or _TYPES.get(path) or _KINDS[last.function]
        ),
        source=scrub(_first(lines, _source) or _SOURCES.get(path, "")),
        about=scrub(_first(lines, _about)),
        outcome=end.outcome,
        result=scrub(end.result),
        reason=scrub(end.reason),
        duration_ms=_duration(lines),
        attempts=_attempts(ends),
        lines=tuple(lines),
    )


def _attempts(ends: Sequence[tuple[LogLine, _End]]) -> int:
    """How often it was tried. A lease event that failed on a channel ends its attempt with two lines."""
    tried = [line.message for line, end in ends if line.message != "job_created"]
    both = sum(pair in {("lease_event", "event_failed"), ("lease_event", "request_failed")} for pair in pairwise(tried))
    return max(len(tried) - both, 1)


_TYPES = {"/drafts": "draft", "/slack/interactions": "click", "/webhooks/commits": "push"}
_KINDS = {"notification": "lease event", "webhooks": "delivery", "approvals": "request", "shuttle": "job", "imports": "job run"}
_SOURCES = {"/webhooks/jira": "jira", "/webhooks/commits": "commits", "/slack/interactions": "slack"}


def _end(line: LogLine) -> _End | None:
    """How an arrival ended, by ``line``; None if the line is not about its end."""
    read = _ENDS.get(line.message)
    return read(line) if read else None


def _not_sent(line: LogLine) -> _End:
    result = "dropped" if line.message == "event_dropped" else "too old"
    return _End(Outcome.IGNORED, result, _text(line, "detail_type"), _text(line, "reason"))


def _delivered(line: LogLine) -> _End:
    status = _text(line, "status")
    kind = _text(line, "event_type") or ("push" if line.fields.get("source") == "commits" else "")
    outcome = Outcome.DONE if status in ("stored", "accepted") else Outcome.IGNORED
    return _End(outcome, status, kind, _text(line, "reason"))


def _submitted(line: LogLine) -> _End:
    replaced = line.fields.get("replaced")
    return _End(Outcome.DONE, _text(line, "state"), "draft", f"it replaces draft {replaced}" if replaced else "")


def _clicked(line: LogLine) -> _End:
    verdict = _text(line, "verdict")
    return _End(_CLICKS.get(verdict, Outcome.IGNORED), verdict.replace("_", " "), f"click {_text(line, 'decision')}")


def _ordered(line: LogLine) -> _End:
    return _End(Outcome.DONE, "accepted", "import" if line.fields.get("file_bytes") else "export")


def _ran(line: LogLine) -> _End:
    status = _text(line, "status")
    return _End(_JOBS.get(status, Outcome.DONE), status.lower(), _text(line, "kind").lower())


def _failed(line: LogLine) -> _End:
    name = _text(line, "error") or _text(line, "exception_name")
    return _End(Outcome.FAILED, "failed", reason=": ".join(filter(None, (name, _text(line, "error_text")))))


_CLICKS = {"recorded": Outcome.DONE, "not_allowed": Outcome.REFUSED, "own": Outcome.REFUSED}
_JOBS = {JobStatus.FAILED.value: Outcome.FAILED, JobStatus.CANCELLED.value: Outcome.IGNORED}


def _notified(line: LogLine) -> _End:
    """The end of a lease event that was handled on every channel of its route."""
    channels = line.fields.get("channels")
    by_outcome: dict[str, list[str]] = defaultdict(list)
    for name, outcome in channels.items() if isinstance(channels, dict) else ():
        by_outcome[str(outcome)].append(str(name))
    texts = [f"{_SAID.get(outcome, outcome)} {', '.join(names)}" for outcome, names in by_outcome.items()]
    if by_outcome.keys() & {"failed", "held"}:
        outcome = Outcome.FAILED
    else:
        outcome = Outcome.IGNORED if by_outcome.keys() == {"duplicate"} else Outcome.DONE
    return _End(outcome, "; ".join(texts) or "no channel", _text(line, "detail_type"))


_SAID = {
    "sent": "sent on",
    "duplicate": "sent before on",
    "held": "held by another attempt on",
    "failed": "failed on",
    "unaddressed": "names no person for",
}


def _refused_by_framework(line: LogLine) -> _End | None:
    """A request that no view saw, or whose view logged no outcome."""
    status = line.fields.get("http_status")
    if not isinstance(status, int) or status < 400:
        return None
    return _End(Outcome.REFUSED if status < 500 else Outcome.FAILED, _status(line), reason=_STATUSES.get(status, ""))


_STATUSES = {404: "the path does not exist", 405: "the path does not allow the method", 413: "the body is too large"}


def _status(line: LogLine) -> str:
    return f"HTTP {line.fields.get('http_status')}"


_ENDS: Mapping[str, Callable[[LogLine], _End]] = {
    "lease_event": _notified,
    "event_dropped": _not_sent,
    "event_too_old": _not_sent,
    "event_failed": _failed,
    "webhook_delivery": _delivered,
    "draft_submitted": _submitted,
    "click": _clicked,
    "interaction_ignored": lambda line: _End(Outcome.IGNORED, "ignored", "click", _text(line, "reason")),
    "job_created": _ordered,
    "import_run": _ran,
    "import_failed": _failed,
    "request_refused": lambda line: _End(Outcome.REFUSED, _status(line), reason=_text(line, "reason")),
    "request_failed": _failed,
}
"""What a line with this message says about the end of an arrival."""


def _source(line: LogLine) -> str:
    about = line.fields
    return str(about.get("event_source") or about.get("principal") or about.get("shop_domain") or about.get("source") or "")


def _about(line: LogLine) -> str:
    about = line.fields
    if one := about.get("lease_uuid") or about.get("issue_key") or about.get("session_id") or about.get("job_id"):
        return str(one)
    several = about.get("issue_keys") or about.get("fetching")
    if not isinstance(several, list):
        return ""
    more = len(several) - _MOST_NAMED
    return ", ".join(map(str, several[:_MOST_NAMED])) + (f" and {counted(more, 'other')}" if more > 0 else "")


def _first(lines: Sequence[LogLine], read: Callable[[LogLine], str]) -> str:
    return next((text for line in reversed(lines) if (text := read(line))), "")


def _duration(lines: Sequence[LogLine]) -> float | None:
    """The duration of the last attempt that logged one, in milliseconds; None without one."""
    for line in reversed(lines):
        for name, factor in (("duration_ms", 1), ("seconds", 1000)):
            value = line.fields.get(name)
            if isinstance(value, int | float):
                return round(value * factor, 1)
    return None


def _began(line: LogLine) -> datetime:
    """When the work that a line is about began: lines are written at its end."""
    took = line.fields.get("duration_ms")
    return line.at - timedelta(milliseconds=took) if isinstance(took, int | float) else line.at


def _text(line: LogLine, name: str) -> str:
    value = line.fields.get(name)
    return "" if value is None else str(value)
