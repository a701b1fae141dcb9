"""All that is known about one event: its timeline, its stored payload, its message in Slack, its dead letter."""

import dataclasses
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from lib.approvals import preview
from lib.approvals.records import View
from lib.approvals.repository import ApprovalStore
from lib.approvals.rules import Rules
from lib.jira import issues
from lib.jira.issue_reader import IssueReader
from lib.jira.items import Version
from lib.operations.arrivals import Event
from lib.operations.dead_letters import DeadLetter
from lib.operations.deployed import Deployment
from lib.operations.event_words import say
from lib.operations.flows import Flow
from lib.operations.lease_messages import message_from_log
from lib.operations.log_search import LogLine
from lib.operations.trace import Entry, Trace, Tracer, find_letters
from lib.platform import clock, errors
from lib.platform.dynamodb import Table
from lib.platform.environment.approvals import ApprovalsEnvironment
from lib.platform.log import scrub, scrub_json
from lib.shuttle import api_json
from lib.shuttle.repository import Repository
from lib.slack.blocks import SlackMessage

FOLLOWED_BY = timedelta(minutes=15)
"""How long after a delivery the lines about its issue count as its own: the worker takes seconds, and retries."""
_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
_JUST_BEFORE = timedelta(seconds=2)
_MOST_VERSIONS = 50
_HANDLERS = {Flow.LEASES: "notification", Flow.JIRA: "jira_worker", Flow.APPROVALS: "jira_worker", Flow.JOBS: "imports"}
"""Per flow, the entry point with the dead letters of its events."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The stored part of an event's payload. ``value`` is JSON or None; ``note`` says where it is from or why it is missing."""

    note: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class RenderedMessage:
    """A message in Slack, without personal data, and how it differs from what was posted."""

    message: SlackMessage
    note: str


@dataclass(frozen=True, slots=True)
class Letter:
    """The dead letter of an event, and the name of its queue."""

    queue: str
    letter: DeadLetter

    @property
    def key(self) -> str:
        """Its queue and its id."""
        return f"{self.queue}/{self.letter.message_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """One event with all that is known about it. ``problems`` are sentences on what could not be read."""

    timeline: tuple[Entry, ...]
    payload: Payload
    rendered: RenderedMessage | None
    letter: Letter | None
    problems: tuple[str, ...]


class DetailReader:
    """Reads the details of events of one deployment."""

    def __init__(self, deployed: Deployment) -> None:
        self._deployed = deployed

    def read(self, event: Event) -> Details:
        """All that is known about ``event``. What can't be read is in the problems."""
        problems: dict[str, None] = {}

        def attempt(what: str, read: Any, default: Any) -> Any:
            try:
                return read(event)
            except errors.SwitchboardError as error:
                problems[f"{what} can't be read: {scrub(str(error))}"] = None
                return default

        with ThreadPoolExecutor(4) as pool:
            traced = pool.submit(attempt, "the timeline", self._timeline, Trace((), ()))
            payload = pool.submit(attempt, "the payload", self._stored_payload, Payload("It can't be read now."))
            rendered = pool.submit(attempt, "the message", self._rendered, None)
            letter = pool.submit(attempt, "the dead letters", self._letter, None)
        trace: Trace = traced.result()
        found: Letter | None = letter.result()
        return Details(
            timeline=trace.entries,
            payload=_of_letter(found) if found and event.flow is Flow.LEASES else payload.result(),
            rendered=rendered.result(),
            letter=found,
            problems=(*trace.problems, *problems),
        )

    def _timeline(self, event: Event) -> Trace:
        """What happened, from what the event's id and the id of what it is about lead to."""
        since = event.received_at - _JUST_BEFORE
        entries = {
            Entry(at=line.at, source=f"log of {line.function}", level=line.level, text=say(line)) for line in event.lines
        }
        if event.flow is not Flow.JOBS:  # a job's order is among its log lines
            entries.add(_received(event))
        identifiers, until = [event.id], datetime.max.replace(tzinfo=since.tzinfo)
        if event.flow is Flow.JIRA:
            until = event.at + FOLLOWED_BY
            identifiers = [event.about] if issues.is_issue_key(event.about) else []
        elif event.flow is Flow.APPROVALS and event.about:
            identifiers = [event.about]
        problems: dict[str, None] = {}
        for identifier in identifiers:
            trace = Tracer(self._deployed, say).trace(identifier, since)
            problems.update(dict.fromkeys(trace.problems))
            entries.update(entry for entry in trace.entries if since <= entry.at <= until and not _is_of_another(entry, event))
        entries = {dataclasses.replace(entry, text=_HASH.sub(r"\1…", entry.text)) for entry in entries}
        return Trace(tuple(sorted(entries, key=lambda entry: (entry.at, entry.source))), tuple(problems))

    def _letter(self, event: Event) -> Letter | None:
        wanted = {event.id, *(_text(line, "run_id") for line in event.lines)} - {""}
        if event.flow is Flow.JIRA:
            wanted = {f'"{event.about}"'} if issues.is_issue_key(event.about) else set()
        elif event.about and event.flow is not Flow.LEASES:
            wanted.add(event.about)
        for entry_point, queue in self._deployed.dead_letter_queues():
            if wanted and entry_point == _HANDLERS[event.flow]:
                for letter in find_letters(self._deployed, entry_point, queue, wanted):
                    return Letter(queue, letter)
        return None

    def _stored_payload(self, event: Event) -> Payload:
        match event.flow:
            case Flow.LEASES:
                return _of_lease(event)
            case Flow.JIRA:
                return self._of_delivery(event)
            case Flow.APPROVALS:
                return self._of_draft(event)
            case Flow.JOBS:
                return self._of_job(event)

    def _of_delivery(self, event: Event) -> Payload:
        if event.type == "push":
            stored = next((line for line in event.lines if line.message == "commits_stored"), None)
            if stored is None:
                return Payload("Pushes are not stored. No commit of this push was stored under an issue.")
            return Payload("Pushes are not stored. These commits of this push were.", _fields(stored, "shas", "issue_keys"))
        if not issues.is_issue_key(event.about):
            return Payload("A delivery is stored only as a version of its issue. This one stored none.")
        version = next((each for each in self._history(event.about) if _is_of(each, event)), None)
        if version is None:
            return Payload("A delivery is stored as a version of its issue until the history expires. This one has no version.")
        return _of_version(version)

    def _history(self, issue_key: str) -> Iterator[Version]:
        reader = IssueReader(self._deployed.client("dynamodb"), self._deployed.output("jira_issues_table_name"))
        return islice(reader.history(issue_key), _MOST_VERSIONS)

    def _of_draft(self, event: Event) -> Payload:
        if event.type != "draft":
            return Payload("Only the log line and the decision of a click are stored.")
        view = self._view(event)
        if view is None or view.draft is None:
            return Payload("This draft is not stored: it was refused, or has expired.")
        return Payload("The draft as it is stored.", dataclasses.asdict(view.draft.draft))

    def _of_job(self, event: Event) -> Payload:
        if not event.source or event.about != event.id:
            return Payload("Nothing is stored for this event.")
        repository = Repository(self._deployed.client("dynamodb"), self._deployed.output("shuttle_table_name"))
        try:
            job = repository.job(event.source, event.id)
        except errors.NotFoundError:
            return Payload("The job is no longer stored: its shop was removed, or it is over 90 days old.")
        return Payload("The job as it is now.", api_json.job_to_json(job))

    def _rendered(self, event: Event) -> RenderedMessage | None:
        if event.flow is Flow.LEASES:
            line = _last(event, "lease_event", "event_dropped")
            message = message_from_log(line.fields) if line else None
            return RenderedMessage(_scrubbed(message), _FROM_LOG) if message else None
        if event.flow is not Flow.APPROVALS or (view := self._view(event)) is None:
            return None
        settings = self._deployed.environment("approvals", ApprovalsEnvironment)
        message = preview.render(view, settings.jira_base_url, Rules.of(settings))
        return RenderedMessage(_scrubbed(message), _PREVIEW) if message else None

    def _view(self, event: Event) -> View | None:
        """The rows of the draft that the event is about; None if it names none."""
        draft_hash = next((text for line in event.lines if (text := _text(line, "draft_hash"))), "")
        if not event.about or not draft_hash:
            return None
        table = Table(self._deployed.client("dynamodb"), self._deployed.output("jira_operations_table_name"))
        return ApprovalStore(table).read(event.about, draft_hash)


_FROM_LOG = (
    "Rendered from the log line by the code that sends to Slack. E-mail addresses are hashed; a comment, a mention and the "
    "link to the sandbox console are not logged."
)
_PREVIEW = "Rendered from the stored draft as it is now, by the code that posts it. E-mail addresses are hashed."


def _of_letter(found: Letter) -> Payload:
    return Payload("The event, from its dead letter.", found.letter.payload)


def _of_version(version: Version) -> Payload:
    try:
        snapshot = version.snapshot()
    except errors.SwitchboardError as error:
        return Payload(f"The issue as this delivery stored it can't be shown: {error}.")
    if snapshot is None:
        return Payload(f"The issue was too large for a row. It is in the artifact bucket: {version.snapshot_object}.")
    return Payload("The issue as this delivery stored it.", snapshot)


def _of_lease(event: Event) -> Payload:
    line = _last(event, "lease_event", "event_dropped", "event_too_old")
    note = "A lease event is stored only while it is a dead letter."
    if line is None:
        return Payload(note)
    names = ("event_id", "detail_type", "event_source", "event_time", "lease_uuid", "severity", "facts", "enrichment", "rule")
    value = _fields(line, *names)
    facts = value.get("facts")
    if isinstance(facts, list):
        value["facts"] = {str(fact[0]): fact[1] for fact in facts if isinstance(fact, list) and len(fact) == 2}
    return Payload(f"{note} The log has these fields.", value)


def _is_of(version: Version, event: Event) -> bool:
    """Whether a version was stored by the delivery: by the event's type, when it arrived."""
    try:
        received = clock.parse(version.received_at)
    except ValueError:
        return False
    near = event.received_at - FOLLOWED_BY / 15 <= received <= event.at + FOLLOWED_BY / 15
    return near and version.event_type == event.type


def _is_of_another(entry: Entry, event: Event) -> bool:
    """Whether it is a line of another delivery about the same issue. Those of the delivery itself are known."""
    return event.flow is Flow.JIRA and entry.source == "log of webhooks"


def _received(event: Event) -> Entry:
    by = f" from {event.source}" if event.source else ""
    return Entry(at=event.received_at, source="", level="", text=scrub(f"Received: {event.type}{by}"))


def _last(event: Event, *messages: str) -> LogLine | None:
    return next((line for line in reversed(event.lines) if line.message in messages), None)


def _fields(line: LogLine, *names: str) -> dict[str, Any]:
    return {name: line.fields[name] for name in names if name in line.fields}


def _text(line: LogLine, name: str) -> str:
    value = line.fields.get(name)
    return value if isinstance(value, str) else ""


def _scrubbed(message: SlackMessage) -> SlackMessage:
    return SlackMessage(scrub(message.text), tuple(map(scrub_json, message.blocks)))
