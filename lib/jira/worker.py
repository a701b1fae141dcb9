"""The Jira sync's part of the worker: fetches, commits to store, and the correlation of all issues that a batch touched.

A message fails alone: SQS delivers it again, and doing it twice changes nothing.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lib.jira.correlation import IssueResult
from lib.jira.issue_writer import IssueWriter
from lib.jira.pushes import Pushes
from lib.jira.run_records import RunRecords, correlation_entry
from lib.jira.tasks import Task, fetch_and_record
from lib.jira.webhooks import NeedsFetch
from lib.platform import clock, contract, errors, metrics
from lib.platform.environment.jira_worker import JiraWorkerEnvironment
from lib.platform.log import Logger
from lib.platform.secrets import Secret
from lib.platform.sqs_batch import Record

if TYPE_CHECKING:
    from lib.jira.client import JiraClient

RESERVE_SECONDS = 60.0
"""Reserved of the invocation's time: for two last requests that Jira does not answer (a link names two issues, and a request
takes up to 23 s), then the recomputes and the record. An invocation that runs out of time fails every message."""

_RECORD_SECONDS = 15.0
"""Reserved for the run record, which S3 may take 10 s to store."""


@dataclass(slots=True)
class Message:
    """One message. It ``touched`` the correlation of these issues; if it ``failed``, it must be received again."""

    record: Record
    touched: set[str] = field(default_factory=set)
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraWorker:
    """Works on one batch."""

    settings: JiraWorkerEnvironment
    api_token: Secret
    store: IssueWriter
    pushes: Pushes
    records: RunRecords
    seconds_left: Callable[[], float]
    logger: Logger

    def run(self, records: Iterable[Record], run_id: str, do: Callable[[Message], None]) -> list[Record]:
        """``do`` each message, and then recompute the issues that were touched; returns the messages that failed."""
        messages = [Message(record) for record in records]
        for message in messages:
            self._attempt([message], "task_failed", functools.partial(do, message))
        issues = self._recompute(messages, run_id)
        failed = [message.record for message in messages if message.failed]
        self.logger.info("batch_done", messages=len(messages), failed=len(failed), issues=issues)
        return failed

    def connect(self) -> "JiraClient":
        """The client of Jira."""
        from lib.jira import client  # noqa: PLC0415 - messages about Slack alone do without Jira's SDK

        seconds_left = self.seconds_left
        return client.connect(self.settings, self.api_token, seconds_left=lambda: seconds_left() - RESERVE_SECONDS)

    def do(self, message: Message, task: Task) -> None:
        """Do the task of a message.

        Raises:
            SwitchboardError: it could not be done now. Doing it again does no harm.
        """
        message.touched.update(task.touched)
        if task.commits:
            message.touched.update(self.pushes.store_queued(task.commits))
        if task.fetch is not None:
            message.touched.update(self._fetch(task.fetch))

    def sync_created(self, message: Message, issue_key: str) -> None:
        """Store the issue that a message created. Its webhook, when it comes, is a duplicate or newer. Raises as :meth:`do`."""
        event_at, idempotency_key = clock.epoch_ms(clock.utc_now()), f"{message.record.id}/{issue_key}"
        message.touched.update(self._fetch(NeedsFetch((issue_key,), "switchboard:issue_created", event_at, idempotency_key)))

    def _fetch(self, fetch: NeedsFetch) -> list[str]:
        """Fetch issues from Jira and store them; returns the keys touched."""
        if self.seconds_left() <= RESERVE_SECONDS:
            raise errors.UnavailableError("no time is left in this batch to fetch from Jira")
        jira = self.connect()
        recorded = jira.with_current_token(lambda: fetch_and_record(fetch, jira, self.store))
        metrics.count(contract.JIRA_FETCH, len(recorded))
        self.logger.info("issues_fetched", event_type=fetch.event_type, outcomes=[each.outcome.value for each in recorded])
        return [issue_key for each in recorded for issue_key in each.issue_keys]

    def _recompute(self, messages: Sequence[Message], run_id: str) -> int:
        """Recompute each touched issue once and write one run record; returns how many results there are.

        An issue that fails fails the messages that touched it, and no other. Messages with few issues come first, so that a
        large one for which the time is too short fails alone.
        """
        results: dict[str, IssueResult] = {}
        for message in sorted(messages, key=lambda message: len(message.touched)):
            for issue_key in sorted(message.touched):
                if message.failed:
                    break
                if issue_key in results:
                    continue  # by another message, or as a key that the issue moved from or to
                touching = [other for other in messages if issue_key in other.touched]
                recompute = functools.partial(self._recompute_issue, issue_key, results)
                self._attempt(touching, "recompute_failed", recompute, issue_key=issue_key)
        metrics.count(contract.CORRELATION_RECOMPUTED, len(results))
        if results:
            done = [message for message in messages if not message.failed]
            entries = map(correlation_entry, results.values())
            self._attempt(done, "run_record_failed", lambda: self.records.write("correlation", run_id, entries))
        return len(results)

    def _attempt(self, messages: Iterable[Message], failure: str, act: Callable[[], Any], **fields: Any) -> None:
        """Call ``act`` for some messages. If it fails, they have failed, and ``failure`` is the log event."""
        messages = list(messages)
        ids = [message.record.id for message in messages]
        try:
            act()
            return
        except errors.SwitchboardError as error:
            self.logger.error(failure, error, messages=ids, **fields)
        except Exception as error:  # a defect with one message must not fail the others
            self.logger.defect(failure, error, messages=ids, **fields)
        metrics.count(contract.WORKER_FAILURE, kind=failure)
        for message in messages:
            message.failed = True

    def _recompute_issue(self, issue_key: str, results: dict[str, IssueResult]) -> None:
        if self.seconds_left() <= _RECORD_SECONDS:
            raise errors.UnavailableError("no time is left in this batch to recompute")
        results.update((result.issue_key, result) for result in self.pushes.links.recompute(issue_key))
