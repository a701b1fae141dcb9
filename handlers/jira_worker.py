"""The Jira worker: processes what webhooks, drafts and clicks left on the work queues, a batch at a time.

For each message it fetches issues, stores commits (lib/jira/worker.py) or advances a draft (lib/approvals/worker.py). Then it
recomputes the correlation of each issue that the batch touched, once, and writes one run record. Failures are reported to SQS
message by message: a failed message is received again, and ends in the dead-letter queue.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lib.approvals import messages as approvals
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issue_reader import IssueReader
from lib.jira.pushes import Pushes
from lib.jira.run_records import RunRecords
from lib.jira.store_factory import make_issue_writer
from lib.jira.tasks import read_task
from lib.jira.webhooks import NeedsFetch
from lib.jira.worker import RESERVE_SECONDS, JiraWorker, Message
from lib.platform import aws, clock, gc_tuning
from lib.platform.environment import JiraWorkerEnvironment
from lib.platform.log import Logger
from lib.platform.secrets import Secret
from lib.platform.sqs_batch import read_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from lib.jira.client import JiraClient

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


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Process a batch of SQS messages; the answer names those that failed (``batchItemFailures``).

    Raises:
        InvalidInputError: the event is not such a batch.
    """
    run_id = str(context.aws_request_id)
    _logger.start_run(run_id)
    worker = _make_worker(lambda: context.get_remaining_time_in_millis() / 1000)
    messages = [Message(record) for record in read_batch(event)]
    for message in messages:
        worker.attempt([message], "task_failed", lambda message=message: _do(message, worker))  # type: ignore[misc]
    issues = worker.recompute(messages, run_id)
    failures = [message for message in messages if message.failed]
    _retry_approvals_soon(failures)
    _logger.info("batch_done", messages=len(messages), failed=len(failures), issues=issues)
    return {"batchItemFailures": [{"itemIdentifier": message.record.id} for message in failures]}


def _make_worker(seconds_left: "Callable[[], float]") -> JiraWorker:
    def connect() -> "JiraClient":
        from lib.jira import client  # noqa: PLC0415 - messages about Slack alone do without Jira's SDK

        return client.connect(_environment, _api_token, seconds_left=lambda: seconds_left() - RESERVE_SECONDS)

    return JiraWorker(
        store=_store,
        pushes=Pushes(links=_correlations, issues=_issues, projects=_environment.jira_projects, logger=_logger),
        correlations=_correlations,
        records=_records,
        connect=connect,
        seconds_left=seconds_left,
        logger=_logger,
    )


def _do(message: Message, worker: JiraWorker) -> None:
    if approvals.kind_of(message.record.body) in approvals.KINDS:
        _approve(message, worker)
    else:
        worker.do(message, read_task(message.record.body))


def _approve(message: Message, worker: JiraWorker) -> None:
    from lib.approvals import worker as approval_worker  # noqa: PLC0415 - most processes see no approval

    def sync(issue_key: str) -> None:
        """Store the created issue as a delivery. Its webhook, when it comes, is a duplicate or newer."""
        event_at, idempotency_key = clock.epoch_ms(clock.utc_now()), f"{message.record.id}/{issue_key}"
        message.touched.update(worker.fetch(NeedsFetch((issue_key,), "switchboard:issue_created", event_at, idempotency_key)))

    connections = approval_worker.Connections(
        environment=_environment,
        dynamodb=_dynamodb,
        sqs=_sqs,
        bot_token=_bot_token,
        api_token=_api_token,
        logger=_logger,
    )
    seconds_left, connect = worker.seconds_left(), worker.connect
    approval_worker.process(message.record.body, connections, seconds_left=seconds_left, connect=connect, sync=sync)


def _retry_approvals_soon(failures: list[Message]) -> None:
    """Receive failed messages of the approvals again soon: people wait for them."""
    url = _environment.approval_queue_url
    for record in (message.record for message in failures):
        if record.queue == url.rsplit("/", 1)[-1]:
            from lib.approvals import worker  # noqa: PLC0415 - see above

            worker.shorten_visibility(_sqs, url, record.receipt_handle, record.receives)


gc_tuning.end()
