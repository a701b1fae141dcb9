"""Finds everything that is known about one id, in time order: rows, claims, decisions, log lines and dead letters.

An id is looked up where its shape allows. Some keys do not follow from the id: a job is stored under its shop, a decision under
its session. Log lines that contain the id name the shop or the session. So what happened before the logs' retention, or before
``since``, is found for issues, sessions and events only. Every read is bounded.

The key of a lease's record contains its owner's address, which no log line and no claim shows. So it is read only if the
operator names the owner.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from lib.jira import issues, items
from lib.jira.issue_reader import IssueReader
from lib.leases.records import read_lease
from lib.operations.dead_letters import DeadLetter
from lib.operations.deployed import Deployment, logical_name
from lib.operations.log_search import LogLine, read_lines
from lib.operations.redrive import open_queue
from lib.platform import aws, clock, contract, errors
from lib.platform.contract import EVENT_PARTITIONS
from lib.platform.dynamodb import Item, Table
from lib.platform.log import scrub
from lib.shuttle import ulids
from lib.shuttle.repository import Repository

MOST_ROWS = 200
"""The most rows of one partition."""
MOST_LINES = 2000
MOST_RELATED = 5
"""The most ids of one kind that log lines name and that are looked up too."""
MOST_LETTERS = 100
"""The most letters of one dead-letter queue."""
_AT_ONCE = 8
_LOGS_AT_ONCE = 4
"""FilterLogEvents is limited to a few calls per second in an account."""
_TEXT_CHARACTERS = 400
_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.ASCII)
_ID = re.compile(r"[^\s\"\\\x00-\x1f]{3,256}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that happened, without personal data.

    Attributes:
        at: when.
        source: ``log of notification``, ``JiraIssues``, ``jira-work-dead-letters``, …
        level: of a log line; empty for others.
        text: what happened.
    """

    at: datetime
    source: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of an id, the oldest first. ``problems`` are sentences on what could not be read."""

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


def is_id(text: str) -> bool:
    """Whether a text can be an id that is looked up."""
    return _ID.fullmatch(text) is not None


def check_id(text: str) -> str:
    """The id, if it can be one.

    Raises:
        InvalidInputError: it can't.
    """
    if not is_id(text):
        raise errors.InvalidInputError(f"{text[:40]!a} is not an id: 3 to 256 characters without blanks and quotation marks")
    return text


class Tracer:
    """Traces ids in one deployment.

    Args:
        deployed: the deployment.
        say: the text of a log line.
    """

    def __init__(self, deployed: Deployment, say: "Callable[[LogLine], str] | None" = None) -> None:
        self._deployed = deployed
        self._say = say or _with_fields
        self._problems: dict[str, None] = {}
        self._sent: set[tuple[str, Any]] = set()

    def trace(self, identifier: str, since: datetime, owner: str = "") -> Trace:
        """Find what is known of ``identifier``; log lines from ``since`` on. What can't be read is in ``problems``.

        With ``owner``, an e-mail address: also the record of that person's lease ``identifier``.
        """
        lines = self._lines(identifier, since)
        related = _related(lines, identifier)
        for each in related.sessions | related.events:
            lines += self._lines(each, since)
        sent = (line.fields for line in lines if line.message == "notification_sent")
        self._sent = {(str(about.get("event_id")), about.get("channel")) for about in sent}
        found = [self._of_line(line) for line in {(line.function, line.event_id): line for line in lines}.values()]
        readers = list(self._readers(identifier, related))
        if owner:
            readers.append((f"the lease {identifier}", partial(self._lease, owner, identifier)))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for entries, problem in pool.map(_attempt, *zip(*readers, strict=True)):
                found += entries
                self._problems.update({problem: None} if problem else {})
        return Trace(tuple(sorted(dict.fromkeys(found), key=lambda entry: (entry.at, entry.source))), tuple(self._problems))

    def _readers(self, identifier: str, related: "_Related") -> Iterator[tuple[str, Callable[[], Iterator[Entry]]]]:
        """What to read besides log lines, and its name in a problem."""
        for session in {identifier, *related.sessions}:
            yield f"the session {session}", partial(self._partition, session)
        for event in {identifier, *related.events}:
            yield f"the event {event}", partial(self._partition, EVENT_PARTITIONS + event)
        if issues.is_issue_key(identifier):
            yield f"the issue {identifier}", partial(self._issue, identifier)
        for key in related.issues:
            yield f"the issue {key}", partial(self._issue, key, identifier)
        for shop, job in related.jobs:
            yield f"the job {job}", partial(self._job, shop, job)
        wanted = {identifier, *related.sessions, *related.events}
        for entry_point, queue in self._deployed.dead_letter_queues():
            yield f"the queue {queue}", partial(self._dead_letters, entry_point, queue, wanted)

    def _lines(self, term: str, since: datetime) -> list[LogLine]:
        def read(function: tuple[str, str]) -> list[LogLine]:
            found, problem = read_lines(self._deployed.client("logs"), function, term, since=since, until=None, most=MOST_LINES)
            if len(found) == MOST_LINES:
                problem = f"the log of {function[0]} has more than {MOST_LINES:,} lines with {term}"
            self._problems.update({problem: None} if problem else {})
            return found

        with ThreadPoolExecutor(_LOGS_AT_ONCE) as pool:
            return [line for lines in pool.map(read, self._deployed.functions.items()) for line in lines]

    def _of_line(self, line: LogLine) -> Entry:
        return Entry(at=line.at, source=f"log of {line.function}", level=line.level, text=self._say(line))

    def _partition(self, session_id: str) -> Iterator[Entry]:
        """The rows of a session, or the claims on an event without those that a log line reports as sent too."""
        table = Table(self._deployed.client("dynamodb"), self._deployed.output("jira_operations_table_name"))
        rows = table.query(
            "read the rows of the session",
            KeyConditionExpression="session_id = :id",
            ExpressionAttributeValues={":id": {"S": session_id}},
        )
        for row in islice(rows, MOST_ROWS):
            if (session_id.removeprefix(EVENT_PARTITIONS), row["operation_key"]["S"]) not in self._sent:
                yield from _of_operation(row)

    def _issue(self, issue_key: str, sha: str = "") -> Iterator[Entry]:
        """The rows of an issue; with ``sha``, its links to that commit only."""
        client, name = self._deployed.client("dynamodb"), self._deployed.output("jira_issues_table_name")
        rows = Table(client, name).query(
            "read the issue's rows",
            KeyConditionExpression="issue_key = :issue AND updated_at >= :first",
            ExpressionAttributeValues={":issue": {"S": issue_key}, ":first": {"S": items.FIRST_LETTER}},
        )
        for row in islice(rows, MOST_ROWS):
            kind = row["updated_at"]["S"]
            if kind.startswith(items.COMMIT_PREFIX) and row["sha"]["S"].startswith(sha):
                text = f"commit {row['sha']['S']} of {row['repository']['S']} names {issue_key}: {row['title']['S']}"
                yield _entry(row["committed_at"]["S"], contract.JIRA_ISSUES.name, text)
            elif kind == items.CORRELATION and not sha:
                text = f"correlation of {issue_key}: {row['state']['S']}"
                yield _entry(row["generated_at"]["S"], contract.JIRA_ISSUES.name, text)
        if sha:
            return
        for version in islice(IssueReader(client, name).history(issue_key), MOST_ROWS):
            state = f"moved to {version.moved_to}" if version.moved_to else "deleted" if version.deleted else "stored"
            text = f"{issue_key} {state} by {version.event_type}: {version.fields.status}, {version.fields.summary}"
            yield _entry(version.received_at, contract.JIRA_ISSUES.name, text)

    def _job(self, shop: str, job_id: str) -> Iterator[Entry]:
        repository = Repository(self._deployed.client("dynamodb"), self._deployed.output("shuttle_table_name"))
        try:
            job = repository.job(shop, job_id)
        except errors.NotFoundError:
            return  # the shop was removed, or the job is over 90 days old
        table = contract.SHUTTLE.name
        yield Entry(at=job.created_at, source=table, level="", text=f"job {job_id} of {shop} was ordered: {job.kind.value}")
        failure = f": {job.failure} {job.failure_detail or ''}" if job.failure else ""
        text = f"job {job_id} of {shop} is {job.status.value} since then{failure}".rstrip()
        yield Entry(at=job.status_since, source=table, level="", text=_short(text))

    def _lease(self, owner: str, uuid: str) -> Iterator[Entry]:
        """The record as it is now; the lease system keeps no history of it."""
        with aws.translated("read the lease"):
            answer = self._deployed.client("dynamodb").get_item(
                TableName=self._deployed.output("lease_table_arn"), Key={"userEmail": {"S": owner}, "uuid": {"S": uuid}}
            )
        if "Item" not in answer:
            raise errors.NotFoundError(f"{owner} has no lease {uuid}")
        lease = read_lease(answer["Item"])
        about = {
            "template": lease.original_lease_template_name,
            "account": lease.aws_account_id,
            "start": lease.start_date and clock.phoenix(lease.start_date),
            "expiry": lease.expiration_date and clock.phoenix(lease.expiration_date),
            "end": lease.end_date and clock.phoenix(lease.end_date),
            "owner": owner,
        }
        said = ", ".join(f"{name} {value}" for name, value in about.items() if value)
        text = f"lease {uuid} is {lease.status or 'without a status'} now: {said}"
        yield Entry(at=clock.utc_now(), source=contract.LEASE_TABLE.name, level="", text=_short(text))

    def _dead_letters(self, entry_point: str, name: str, wanted: Iterable[str]) -> Iterator[Entry]:
        for letter in find_letters(self._deployed, entry_point, name, wanted):
            text = f"dead letter {letter.message_id}: {letter.refused or letter.error}"
            yield Entry(at=letter.sent_at, source=logical_name(name), level="", text=_short(text))


def find_letters(deployed: Deployment, entry_point: str, queue_name: str, wanted: Iterable[str]) -> Iterator[DeadLetter]:
    """The dead letters of one queue that name any of the ids ``wanted``. All that were read are released at once.

    Raises:
        SwitchboardError: the queue can't be read.
    """
    letters, _ = open_queue(deployed, entry_point, queue_name).peek(MOST_LETTERS)
    for letter in letters:
        if any(each in letter.payload or each == letter.request_id for each in wanted):
            yield letter


def _attempt(what: str, read: Callable[[], Iterator[Entry]]) -> tuple[list[Entry], str]:
    """What was read, and the sentence on what could not be read; empty if nothing."""
    found: list[Entry] = []
    try:
        found.extend(read())
    except errors.SwitchboardError as error:
        is_absent = isinstance(error, errors.NotFoundError) and not isinstance(error, errors.ResourceMissingError)
        problem = "was not found" if is_absent else "can't be read"
        return found, f"{what} {problem}: {scrub(str(error))}"
    return found, ""


@dataclass(frozen=True, slots=True)
class _Related:
    sessions: frozenset[str]
    events: frozenset[str]
    issues: frozenset[str]
    jobs: frozenset[tuple[str, str]]


def _related(lines: Iterable[LogLine], identifier: str) -> _Related:
    """The related ids: sessions of a draft's hash, events of a lease, issues of a commit, the shop of a job."""
    sessions: dict[str, None] = {}
    events: dict[str, None] = {}
    keys: dict[str, None] = {}
    jobs: dict[tuple[str, str], None] = {}
    for line in lines:
        about = line.fields
        if about.get("draft_hash") == identifier:
            sessions[str(about.get("session_id"))] = None
        if about.get("lease_uuid") == identifier:
            events[str(about.get("event_id"))] = None
        named = about.get("issue_keys")
        if _COMMIT.fullmatch(identifier) and isinstance(named, list):
            keys.update(dict.fromkeys(map(str, named)))
        if ulids.is_ulid(identifier) and about.get("job_id") == identifier:
            jobs[str(about.get("shop_domain")), identifier] = None
    return _Related(_first(sessions), _first(events), _first(keys), frozenset(islice(jobs, MOST_RELATED)))


def _first(found: Iterable[str]) -> frozenset[str]:
    return frozenset(islice((each for each in found if each != "None"), MOST_RELATED))


def _with_fields(line: LogLine) -> str:
    return describe(line.message, line.fields)


_NOISE = frozenset({"generated_at", "run_id", "correlation_id", "xray_trace_id", "exception", "time", "timestamp"})


def describe(message: str, about: Mapping[str, Any]) -> str:
    """An event with its fields as one text, without personal data."""
    parts = [message, *(f"{name}={_value(value)}" for name, value in about.items() if name not in _NOISE)]
    return _short(" ".join(parts))


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _of_operation(row: Item) -> Iterator[Entry]:
    """What a row of the operations table says, at each of its times."""
    values = {name: next(iter(value.values())) for name, value in row.items()}
    kind, _, rest = str(values["operation_key"]).partition("#")
    of_hash, _, operation = rest.partition("#")
    source = contract.JIRA_OPERATIONS.name
    if str(values["session_id"]).startswith(EVENT_PARTITIONS):
        status = {"done": "sent", "pending": "being sent", "failed": "not sent"}.get(str(values.get("status")), "claimed")
        at = values.get("updated_at") or values.get("created_at")
        yield _entry(at, source, f"channel {values['operation_key']}: {status}{_because(values)}")
    elif kind == "SESSION":
        issue = f", issue {values['jira_key']}" if values.get("jira_key") else ""
        yield _entry(
            values.get("updated_at"), source, f"session is {values.get('state')}{issue}, draft {values.get('draft_hash')}"
        )
    elif kind == "DRAFT":
        yield _entry(values.get("created_at"), source, f"draft {rest} submitted, requested by {values.get('requested_by')}")
    elif kind == "APPROVAL":
        decider = values.get("approved_by") or values.get("rejected_by")
        by = f" by {decider}" if decider else ""  # nobody, if it expired
        reason = f": {values['reason']}" if values.get("reason") else ""
        yield _entry(values.get("at"), source, f"draft {rest} {values.get('status')}{by}{reason}")
    elif kind == "OPERATION":
        issue = f", issue {values['jira_key']}" if values.get("jira_key") else ""
        text = f"{operation} of draft {of_hash}: {values.get('status')}{issue}{_because(values)}"
        yield _entry(values.get("updated_at") or values.get("created_at"), source, text)


def _because(values: Mapping[str, Any]) -> str:
    reason = values.get("error_message") or values.get("reason")
    return f": {reason}" if reason else ""


def _entry(at: object, source: str, text: str) -> Entry:
    """An entry at a stored time; one without a time comes first."""
    try:
        moment = clock.parse(str(at))
    except ValueError:
        moment = clock.from_epoch_ms(0)
    return Entry(at=moment, source=source, level="", text=_short(text))


def _short(text: str) -> str:
    clean = scrub(text)  # before it is cut: half an e-mail address is personal too
    return clean if len(clean) <= _TEXT_CHARACTERS else f"{clean[:_TEXT_CHARACTERS].rsplit(' ', 1)[0]} …"
