"""All of the approvals over fakes with the faults of the real services: every call can crash, fail, or fail after it took
effect, transactions conflict, Jira's search lags, and the queue delivers twice."""

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from botocore.exceptions import ClientError, ReadTimeoutError

from lib.approvals import drafts, messages, preview, records
from lib.approvals.drafts import Draft
from lib.approvals.interactions import APPROVE_ACTION, Decision, Verb
from lib.approvals.issue_creation import IssueCreator
from lib.approvals.issue_tracker import FoundIssue, Marker
from lib.approvals.messages import Message, PostPreview
from lib.approvals.operations import JiraOperationStore
from lib.approvals.preview_posting import PreviewPoster
from lib.approvals.records import KEEP
from lib.approvals.repository import ApprovalStore
from lib.approvals.rules import Rules
from lib.approvals.service import ApprovalService
from lib.approvals.waiting import WaitingDrafts
from lib.approvals.worker import handle
from lib.approvals.workflow import Policy
from lib.platform import errors
from lib.platform.claims import Claims
from lib.platform.contract import JIRA_OPERATIONS
from lib.platform.dynamodb import CONFLICT_TRIES, Table
from lib.slack.blocks import Posted, SlackMessage
from tests.support.approvals.cloud import buttons_of
from tests.support.concurrency import Actor, Crash, Stage
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.observability.quiet import QuietLogger

JIRA_URL = "https://jira.example.com"
SERVICE_TIMEOUT = timedelta(seconds=10)
WORKER_TIMEOUT = timedelta(seconds=60)
LEASE = timedelta(seconds=90)
VISIBILITY = timedelta(seconds=360)
REMIND_AFTER = timedelta(seconds=100)
EXPIRE_AFTER = timedelta(seconds=600)
LONGEST_LAG = timedelta(minutes=20)
"""The lag of Jira's search that the policy's looks allow for, and a late creation with it."""


def link_to(ts: str) -> str:
    return f"https://slack.example.com/archives/C1/p{ts.replace('.', '')}"


@dataclass
class Issue:
    key: str
    marker: Marker
    visible_at: datetime


@dataclass
class Queued:
    message: Message
    visible_at: datetime


@dataclass
class World:
    lags: Sequence[timedelta] = (timedelta(0),)
    lates: Sequence[timedelta] = (timedelta(seconds=5),)
    rules: Rules = field(default_factory=lambda: Rules(require_other_approver=False))

    def __post_init__(self) -> None:
        self.time = datetime(2026, 1, 22, 12, tzinfo=UTC)
        self.stage = Stage()
        self.queue: list[Queued] = []
        self.issues: list[Issue] = []
        self.late: list[tuple[datetime, Marker, str]] = []
        self.slack: dict[str, SlackMessage] = {}
        self.threads: list[SlackMessage] = []
        self.replies: dict[str, list[SlackMessage]] = {}
        self.answers: list[str] = []
        self.synced: list[str] = []
        self.refused: set[str] = set()
        self.logger = QuietLogger()
        self.table = FakeTable(JIRA_OPERATIONS)
        self._numbers = itertools.count(1)
        self._lags = itertools.cycle(self.lags)
        self._lates = itertools.cycle(self.lates)
        client = _FaultyClient(self)
        table = Table(client, JIRA_OPERATIONS.name, sleep=lambda seconds: self.advance(timedelta(seconds=seconds)))
        self.store = ApprovalStore(table, now=self.now)
        self.operations = JiraOperationStore(table, lease=LEASE, now=self.now)
        self.service = ApprovalService(
            store=self.store,
            operations=self.operations,
            send=self.send,
            rules=self.rules,
            jira_base_url=JIRA_URL,
            now=self.now,
        )
        self.waiting = WaitingDrafts(
            store=self.store,
            operations=self.operations,
            send=self.send,
            remind_after=REMIND_AFTER,
            expire_after=EXPIRE_AFTER,
            now=self.now,
            monotonic=self.monotonic,
        )
        owners = (f"owner-{number}" for number in itertools.count())
        self._creator = IssueCreator(
            store=self.store,
            operations=self.operations,
            tracker=self,
            sync=self.sync,
            send=self.send,
            logger=self.logger,
            policy=Policy(),
            now=self.now,
            new_owner=lambda: next(owners),
        )
        self.poster = PreviewPoster(
            store=self.store,
            claims=Claims(client, JIRA_OPERATIONS.name, lease=LEASE, keep=KEEP, now=self.now),
            chat=self,
            channel="C1",
            jira_base_url=JIRA_URL,
            rules=self.rules,
            logger=self.logger,
            new_owner=lambda: next(owners),
            sleep=lambda seconds: self.advance(timedelta(seconds=seconds)),
        )

    # Time, and what happens on its own

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def advance(self, by: timedelta) -> None:
        self.time += by
        for late in [late for late in self.late if late[0] <= self.time]:
            self.late.remove(late)
            self._create(late[1], late[2])

    # What people do

    def show(self, draft: Draft) -> str:
        """Post the draft's preview. Returns its message."""
        of_hash = drafts.draft_hash(draft)
        self.handle(PostPreview(session_id=draft.session_id, draft_hash=of_hash))
        stored = self.store.read(draft.session_id, of_hash).draft
        assert stored is not None
        assert stored.is_shown
        return stored.preview_ts

    def click(self, user: str, verb: Verb, draft: Draft, draft_hash: str, ts: str) -> Actor:
        decision = Decision(
            verb=verb, session_id=draft.session_id, draft_hash=draft_hash, user=user, channel="C1", message_ts=ts
        )
        return Actor(self.stage, f"click of {user}", lambda: self.service.decide(decision), self.time.timestamp())

    def sweep(self) -> Actor:
        """The sweep of waiting drafts, as the schedule starts it."""
        return Actor(self.stage, "sweep", self.waiting.sweep, self.time.timestamp())

    def handle(self, message: Message) -> None:
        """Do what a message asks, as the worker does."""
        handle(message, self._creator, self.poster)

    def deliver(self, queued: Queued) -> Actor:
        """One delivery of a message: it leaves the queue on success, and is visible again later on failure."""
        queued.visible_at = self.time + VISIBILITY

        def run() -> None:
            self.handle(messages.decode(messages.encode(queued.message)))
            if queued in self.queue:
                self.queue.remove(queued)

        return Actor(self.stage, f"worker on {type(queued.message).__name__}", run, self.time.timestamp())

    def run(self, actor: Actor) -> Actor:
        """Let the actor finish without faults."""
        while not actor.done:
            actor.step("go")
            self.advance(timedelta(milliseconds=20))
        if actor.error is not None and not isinstance(actor.error, errors.SwitchboardError | Crash):
            raise actor.error
        return actor

    def settle(self, limit: int = 400) -> None:
        """Deliver every message when it is due, without faults, until none is left."""
        for _ in range(limit):
            if not self.queue and not self.late:
                return
            due = min(self.queue, key=lambda queued: queued.visible_at, default=None)
            wait = due.visible_at if due is not None else min(at for at, _, _ in self.late)
            self.advance(max(timedelta(0), wait - self.time))
            if due is not None:
                self.run(self.deliver(due))
        raise AssertionError(f"the queue never empties: {[queued.message for queued in self.queue]}")

    # The queue

    def send(self, message: Message, delay_seconds: int) -> None:
        assert 0 <= delay_seconds <= messages.MAX_DELAY_SECONDS

        def do() -> None:
            self.queue.append(Queued(message, self.time + timedelta(seconds=delay_seconds)))

        self.stage.effect("sqs.send", do, _queue_error)

    # Jira

    def create_issue(self, fields: Mapping[str, Any], marker: Marker) -> str:
        def outcome(fate: str) -> Exception:
            if fate == "refused_before":
                self.refused.add(marker.draft_hash)
                return errors.InvalidInputError("could not create an issue: Jira answered 400")
            if fate == "busy_before":
                return errors.ThrottledError("could not create an issue: Jira answered 429")
            if fate == "late_before":  # the answer is lost, and Jira takes its time
                self.late.append((self.time + next(self._lates), marker, fields["project"]["key"]))
            return errors.DeadlineExceededError("could not create an issue: no answer")

        return cast(str, self.stage.effect("jira.create", lambda: self._create(marker, fields["project"]["key"]), outcome))

    def find_by_marker(self, marker: Marker) -> Sequence[FoundIssue]:
        def search() -> list[FoundIssue]:
            found = [issue for issue in self.issues if issue.marker == marker and issue.visible_at <= self.time]
            return [FoundIssue(issue.key, has_property=True) for issue in found]

        return cast(Sequence[FoundIssue], self.stage.effect("jira.search", search, _search_error))

    def _create(self, marker: Marker, project: str) -> str:
        issue = Issue(f"{project}-{next(self._numbers)}", marker, self.time + next(self._lags))
        self.issues.append(issue)
        twins = [other.key for other in self.issues if other.marker == marker]
        assert len(twins) == 1, f"two issues with one marker: {twins}"
        return issue.key

    def sync(self, jira_key: str) -> None:
        self.stage.effect("sync", lambda: self.synced.append(jira_key), _search_error)

    # Slack

    def post(self, channel: str, message: SlackMessage, *, thread_ts: str = "") -> Posted:
        def do() -> Posted:
            ts = f"{next(self._numbers)}.0"
            self._check_buttons(ts, message)
            if thread_ts:
                self.threads.append(message)
                self.replies.setdefault(thread_ts, []).append(message)
            else:
                self.slack[ts] = message
            return Posted(channel, ts)

        return cast(Posted, self.stage.effect("slack.post", do, _slack_error))

    def update(self, posted: Posted, message: SlackMessage) -> None:
        def do() -> None:
            self._check_buttons(posted.ts, message)
            self.slack[posted.ts] = message

        self.stage.effect("slack.update", do, _slack_error)

    def permalink(self, posted: Posted) -> str:
        return cast(str, self.stage.effect("slack.link", lambda: link_to(posted.ts), _slack_error))

    def _check_buttons(self, ts: str, message: SlackMessage) -> None:
        """Nobody can click before the whole draft is posted."""
        value = buttons_of({"blocks": message.blocks}).get(APPROVE_ACTION)
        if value is not None:
            session_id, of_hash = drafts.read_button_value(value)
            key = {"session_id": {"S": session_id}, "operation_key": {"S": records.draft_key(of_hash)}}
            (row,) = [row for row in self.table.rows() if row.items() >= key.items()]
            rest = preview.thread(records.read_draft(row).draft)
            replies = list(dict.fromkeys(reply.text for reply in self.replies.get(ts, [])))
            assert replies[: len(rest)] == [reply.text for reply in rest]
            assert replies[len(rest) :] in ([], [preview.reminder(records.read_draft(row).draft, self.rules).text])

    def buttons(self, draft: Draft) -> str:
        """A message in which people see buttons for the draft; empty if there is none."""
        value = drafts.button_value(draft.session_id, drafts.draft_hash(draft))
        seen = (ts for ts, message in self.slack.items() if value in buttons_of({"blocks": message.blocks}).values())
        return next(seen, "")

    def respond(self, response_url: str, text: str) -> None:
        raise AssertionError("the clicks of this world have no response_url")

    def post_ephemeral(self, channel: str, user: str, text: str) -> None:
        self.stage.effect("slack.answer", lambda: self.answers.append(text), _slack_error)

    # The final state

    def decisions(self) -> list[tuple[str, records.Approval]]:
        rows = [row for row in self.table.rows() if row["operation_key"]["S"].startswith("APPROVAL#")]
        return [(row["session_id"]["S"], records.read_approval(row)) for row in rows]


class _FaultyClient:
    """A DynamoDB client each of whose calls is an effect.

    A write may conflict with another transaction: once, so that the next try succeeds, or (``contended``) at every try.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._left = threading.local()  # per actor: how many of its next writes conflict

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._world.table, name)
        if name in {"batch_get_item", "query"}:
            return lambda **request: self._world.stage.effect("aws.read", lambda: call(**request), self._error)

        def write(**request: Any) -> Any:
            self._left.conflicts = getattr(self._left, "conflicts", 0) - 1
            if self._left.conflicts >= 0:
                raise self._error("conflict_before")
            return self._world.stage.effect("aws.write", lambda: call(**request), self._error)

        return write

    def _error(self, fate: str) -> Exception:
        if fate == "lost_before" or fate == "lost_after":
            return ReadTimeoutError(endpoint_url="https://aws.example.com")
        if fate == "contended_before":
            self._left.conflicts = CONFLICT_TRIES - 1
        return ClientError({"Error": {"Code": "TransactionConflictException", "Message": ""}}, "a write")


#: The results of an effect besides success.
FAULTS: Mapping[str, tuple[str, ...]] = {
    "aws.read": ("crash_before", "lost_before"),
    "aws.write": ("crash_before", "crash_after", "lost_before", "lost_after", "conflict_before", "contended_before"),
    "sqs.send": ("crash_before", "crash_after", "lost_before", "lost_after"),
    "jira.create": (
        "crash_before",
        "crash_after",
        "lost_before",
        "lost_after",
        "late_before",
        "refused_before",
        "busy_before",
    ),
    "jira.search": ("crash_before", "busy_before"),
    "sync": ("crash_before", "crash_after", "busy_before"),
    "slack.post": ("crash_before", "crash_after", "lost_before", "lost_after", "refused_before"),
    "slack.link": ("crash_before", "lost_before"),
    "slack.update": ("crash_before", "crash_after", "lost_before", "lost_after"),
    "slack.answer": ("crash_before", "crash_after", "lost_before", "lost_after"),
}


def _queue_error(fate: str) -> Exception:
    return errors.DeadlineExceededError("could not queue a message: no answer")


def _search_error(fate: str) -> Exception:
    return errors.UnavailableError("could not search issues: Jira answered 503")


def _slack_error(fate: str) -> Exception:
    if fate == "refused_before":
        return errors.PermanentError("could not post a message: Slack says channel_not_found")
    return errors.ConnectionLostError("could not reach Slack")
