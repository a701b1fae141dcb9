"""The Jira worker: does what webhooks, drafts and clicks leave on the work queues, a batch at a time.

For each message: fetch the issues that their events do not describe in full, through the same store path; store commits that
could not be stored when they were pushed; or advance a draft (lib/approvals/worker.py). Then, for the whole
batch: recompute the correlation of each touched issue once, and write one run record. What failed is reported to SQS message
by message, comes again, and ends in the dead-letter queue; doing a message twice changes nothing.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lib.approvals import messages as approvals
from lib.jira.commits import Commit, keep_known
from lib.jira.correlation import IssueResult
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issue_reader import IssueReader
from lib.jira.run_records import RunRecords, correlation_entry
from lib.jira.store_factory import make_issue_writer
from lib.jira.tasks import fetch_and_record, read_task
from lib.jira.webhooks import NeedsFetch
from lib.platform import aws, clock, contract, errors, gc_tuning, metrics
from lib.platform.environment import JiraWorkerEnvironment
from lib.platform.log import Logger
from lib.platform.secrets import Secret
from lib.platform.sqs_batch import Record, read_batch

if TYPE_CHECKING:
    from lib.jira.client import JiraClient

_RESERVE_SECONDS = 60.0
"""Kept back of the invocation's time: Jira may leave two last requests unanswered (a link names two issues, and a request
takes up to 23 s), and then come the recomputes and the record. An invocation that runs out of time fails every message."""

_RECORD_SECONDS = 15.0
"""Kept for the run record, which S3 may take 10 s to store."""

_environment = JiraWorkerEnvironment.read()
_logger = Logger("jira_worker")
_dynamodb = aws.make_client("dynamodb", read_timeout_seconds=aws.BATCH_READ_TIMEOUT_SECONDS)
_s3 = aws.make_client("s3", read_timeout_seconds=10)
_sqs = aws.make_client("sqs")
_secrets_manager = aws.make_client("secretsmanager")
_api_token = Secret(_secrets_manager, _environment.jira_api_token_arn)
_bot_token = Secret(_secrets_manager, _environment.slack_bot_token_arn)
_history = timedelta(days=_environment.history_days)
_correlations = CorrelationStore(_dynamodb, _environment.jira_issues_table_name, history=_history)
_issues = IssueReader(_dynamodb, _environment.jira_issues_table_name)
_records = RunRecords(_s3, _environment.artifact_bucket_name, git_sha=_environment.git_sha)
_store = make_issue_writer(_dynamodb, lambda: _s3, _environment)


@dataclass(slots=True)
class _Message:
    """One message of the batch, and what has come of it.

    Attributes:
        record: the message as it came.
        touched: the issues whose correlation is to be recomputed.
        failed: whether it has to come again.
    """

    record: Record
    touched: set[str] = field(default_factory=set)
    failed: bool = False

    @property
    def id(self) -> str:
        """By which SQS is told of a failure."""
        return self.record.id


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Work through a batch of SQS messages; the answer names those that failed (``batchItemFailures``).

    Raises:
        InvalidInputError: the event is no such batch.
    """
    run_id = str(context.aws_request_id)
    _logger.start_run(run_id)
    messages = [_Message(record) for record in read_batch(event)]
    for message in messages:
        _attempt([message], "task_failed", lambda message=message: _do(message, _seconds_left(context)))
    results = _recompute(messages, _seconds_left(context))
    done = [message for message in messages if not message.failed]
    if results:
        _attempt(done, "run_record_failed", lambda: _records.write("correlation", run_id, map(correlation_entry, results)))
    failures = [message for message in messages if message.failed]
    _retry_approvals_soon(failures)
    _logger.info("batch_done", messages=len(messages), failed=len(failures), issues=len(results))
    return {"batchItemFailures": [{"itemIdentifier": message.id} for message in failures]}


def _seconds_left(context: Any) -> Callable[[], float]:
    return lambda: context.get_remaining_time_in_millis() / 1000


def _do(message: _Message, seconds_left: Callable[[], float]) -> None:
    if approvals.kind_of(message.record.body) in approvals.KINDS:
        _approve(message, seconds_left)
        return
    task = read_task(message.record.body)
    message.touched.update(task.touched)
    if task.commits:
        message.touched.update(_store_commits(task.commits))
    if task.fetch is not None:
        message.touched.update(_fetch(task.fetch, seconds_left))


def _store_commits(pushed: Sequence[Commit]) -> tuple[str, ...]:
    """Store the commits that the webhook could not store; returns the keys touched."""
    links = keep_known(pushed, _environment.jira_projects, _issues.project_is_known)
    touched = _correlations.record_commits(links.commits)
    skipped = {"left_out": links.left_out, "projects_not_checked": links.not_checked}
    for kind, number in skipped.items():
        if number:
            metrics.count(contract.PUSH_SKIPPED, number, kind=kind)
    _logger.info("commits_stored", commits=len(links.commits), issue_keys=touched, **skipped)
    return touched


def _approve(message: _Message, seconds_left: Callable[[], float]) -> None:
    from lib.approvals import worker  # noqa: PLC0415 - most processes see no approval

    def sync(issue_key: str) -> None:
        """The created issue goes the way of a delivery; its webhook, when it comes, finds what is there."""
        now = clock.utc_now()
        fetch = NeedsFetch((issue_key,), "switchboard:issue_created", clock.epoch_ms(now), f"{message.id}/{issue_key}")
        message.touched.update(_fetch(fetch, seconds_left))

    connections = worker.Connections(
        environment=_environment,
        dynamodb=_dynamodb,
        sqs=_sqs,
        bot_token=_bot_token,
        api_token=_api_token,
        logger=_logger,
    )
    connect = functools.partial(_jira, seconds_left)
    worker.process(message.record.body, connections, seconds_left=seconds_left(), connect=connect, sync=sync)


def _fetch(fetch: NeedsFetch, seconds_left: Callable[[], float]) -> Iterable[str]:
    if seconds_left() <= _RESERVE_SECONDS:
        raise errors.UnavailableError("no time is left in this batch to ask Jira")
    recorded = fetch_and_record(fetch, _jira(seconds_left), _store)
    metrics.count(contract.JIRA_FETCH, len(recorded))
    _logger.info("issues_fetched", event_type=fetch.event_type, outcomes=[each.outcome.value for each in recorded])
    return [issue_key for each in recorded for issue_key in each.issue_keys]


def _jira(seconds_left: Callable[[], float]) -> "JiraClient":
    from lib.jira.client import connect  # noqa: PLC0415 - messages about Slack alone do without its SDK

    return connect(_environment, _api_token, seconds_left=lambda: seconds_left() - _RESERVE_SECONDS)


def _retry_approvals_soon(failures: list[_Message]) -> None:
    """Receive failed messages of the approvals again soon: people wait for them."""
    url = _environment.approval_queue_url
    for record in (message.record for message in failures):
        if record.queue == url.rsplit("/", 1)[-1]:
            from lib.approvals import worker  # noqa: PLC0415 - see above

            worker.shorten_visibility(_sqs, url, record.receipt_handle, record.receives)


def _recompute(messages: list[_Message], seconds_left: Callable[[], float]) -> list[IssueResult]:
    """Recompute each touched issue once. One that fails fails the messages that touched it, and no other.

    Messages with few issues come first, so that a large one for which the time is too short fails alone.
    """
    results: dict[str, IssueResult] = {}
    for message in sorted(messages, key=lambda message: len(message.touched)):
        for issue_key in sorted(message.touched):
            if message.failed:
                break
            if issue_key in results:
                continue  # by another message, or as a key that the issue moved from or to
            touching = [other for other in messages if issue_key in other.touched]
            recompute = functools.partial(_recompute_issue, issue_key, results, seconds_left)
            _attempt(touching, "recompute_failed", recompute, issue_key=issue_key)
    metrics.count(contract.CORRELATION_RECOMPUTED, len(results))
    return list(results.values())


def _recompute_issue(issue_key: str, results: dict[str, IssueResult], seconds_left: Callable[[], float]) -> None:
    if seconds_left() <= _RECORD_SECONDS:
        raise errors.UnavailableError("there is no time left in this batch to recompute")
    results.update((result.issue_key, result) for result in _correlations.recompute(issue_key))


def _attempt(messages: list[_Message], failure: str, act: Any, **fields: Any) -> None:
    """Do something for some messages; if it fails, they have failed."""
    try:
        act()
        return
    except errors.SwitchboardError as error:
        _logger.error(failure, error, messages=[message.id for message in messages], **fields)
    except Exception as error:  # one message's defect is no other's
        _logger.defect(failure, error, messages=[message.id for message in messages], **fields)
    metrics.count(contract.WORKER_FAILURE, kind=failure)
    for message in messages:
        message.failed = True


gc_tuning.end()
