"""The Jira worker: does what webhooks leave on the work queue, a batch at a time.

For each message: fetch the issues whose event told too little, through the same store path. Then, for the whole batch:
recompute the correlation of each touched issue once, and write one run record. What failed is told to SQS message by
message, comes again, and ends in the dead-letter queue; doing a message twice changes nothing.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from lib import aws, errors, metrics
from lib.environment import JiraWorkerEnvironment
from lib.jira.client import JiraClient
from lib.jira.correlation import IssueResult
from lib.jira.recompute import CorrelationStore
from lib.jira.run_records import RunRecords, correlation_entry
from lib.jira.snapshots import BucketSnapshots
from lib.jira.store import JiraStore
from lib.jira.tasks import Task, fetch_and_record, read_task
from lib.log import Logger
from lib.secrets import Secret

_RESERVE_SECONDS = 60.0
"""Kept back of the invocation's time: Jira may leave two last requests unanswered (a link names two issues, and a request
takes up to 23 s), and then come the recomputes and the record. An invocation that runs out of time fails every message."""

_environment = JiraWorkerEnvironment.read()
_logger = Logger("jira_worker")
_dynamodb = aws.make_client("dynamodb", read_timeout_seconds=aws.BATCH_READ_TIMEOUT_SECONDS)
_s3 = aws.make_client("s3", read_timeout_seconds=10)
_api_token = Secret(aws.make_client("secretsmanager"), _environment.jira_api_token_arn)
_correlations = CorrelationStore(_dynamodb, _environment.jira_issues_table_name)
_records = RunRecords(_s3, _environment.artifact_bucket_name, git_sha=_environment.git_sha)
_store = JiraStore(
    _dynamodb,
    _environment.jira_issues_table_name,
    history=timedelta(days=_environment.history_days),
    snapshots=BucketSnapshots(_s3, _environment.artifact_bucket_name),
    on_throttle=lambda: metrics.count("StoreThrottleRetry"),
)


@dataclass(slots=True)
class _Message:
    """One message of the batch, and what has come of it."""

    id: str
    body: str
    touched: set[str] = field(default_factory=set)
    failed: bool = False


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work through a batch of SQS messages; the answer names those that failed (``batchItemFailures``)."""
    run_id = str(context.aws_request_id)
    _logger.start_run(run_id)
    messages = [_Message(record["messageId"], record["body"]) for record in event["Records"]]
    for message in messages:
        _attempt([message], "task_failed", lambda message=message: _do(message, context))
    results = _recompute(messages)
    done = [message for message in messages if not message.failed]
    if results:
        _attempt(done, "run_record_failed", lambda: _records.write("correlation", run_id, map(correlation_entry, results)))
    failures = [message.id for message in messages if message.failed]
    _logger.info("batch_done", messages=len(messages), failed=len(failures), issues=len(results))
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failures]}


def _do(message: _Message, context: Any) -> None:
    task = read_task(message.body)
    message.touched.update(task.touched)
    if task.fetch is not None:
        message.touched.update(_fetch(task, context))


def _fetch(task: Task, context: Any) -> Iterable[str]:
    assert task.fetch is not None  # noqa: S101 (the caller's condition, for the type checker)

    def seconds_left() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000 - _RESERVE_SECONDS

    if seconds_left() <= 0:
        raise errors.UnavailableError("no time is left in this batch to ask Jira")
    recorded = fetch_and_record(task.fetch, _jira(seconds_left), _store)
    metrics.count("JiraFetch", len(recorded))
    _logger.info("issues_fetched", event_type=task.fetch.event_type, outcomes=[each.outcome.value for each in recorded])
    return [issue_key for each in recorded for issue_key in each.issue_keys]


def _jira(seconds_left: Callable[[], float]) -> JiraClient:
    url, email = _environment.jira_base_url, _environment.jira_email
    if not (url and email and _environment.jira_api_token_arn):
        raise errors.ConfigurationError("issues can't be fetched: jiraBaseUrl, jiraEmail and jiraApiToken must all be set")
    return JiraClient(url, email, _api_token.current(), seconds_left=seconds_left)


def _recompute(messages: list[_Message]) -> list[IssueResult]:
    """Recompute each touched issue once. One that fails fails the messages that touched it, and no other."""
    results: list[IssueResult] = []
    touched = dict.fromkeys(key for message in messages if not message.failed for key in sorted(message.touched))
    for issue_key in touched:
        touching = [message for message in messages if issue_key in message.touched]
        recompute = functools.partial(_correlations.recompute, issue_key)
        _attempt(touching, "recompute_failed", lambda recompute=recompute: results.append(recompute()), issue_key=issue_key)
    metrics.count("CorrelationRecomputed", len(results))
    return results


def _attempt(messages: list[_Message], failure: str, act: Any, **fields: Any) -> None:
    """Do something for some messages; if it fails, they have failed."""
    try:
        act()
        return
    except errors.SwitchboardError as error:
        _logger.error(failure, error, messages=[message.id for message in messages], **fields)
    except Exception as error:  # one message's defect is no other's
        _logger.defect(failure, error, messages=[message.id for message in messages], **fields)
    metrics.count("WorkerFailure", kind=failure)
    for message in messages:
        message.failed = True
