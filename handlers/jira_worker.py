"""The Jira worker: processes what webhooks, drafts and clicks left on the work queues, a batch at a time.

For each message it fetches issues, stores commits (lib/jira/worker.py) or advances a draft (lib/approvals/worker.py). Then it
recomputes the correlation of each issue that the batch touched, once, and writes one run record. Failures are reported to SQS
message by message: a failed message is received again, and ends in the dead-letter queue.
"""

import functools
from typing import TYPE_CHECKING, Any

from lib.approvals import messages
from lib.jira.pushes import make_pushes
from lib.jira.run_records import RunRecords
from lib.jira.store_factory import make_issue_writer
from lib.jira.tasks import read_task
from lib.jira.worker import JiraWorker, Message
from lib.platform import aws, gc_tuning, invocation, sqs_batch
from lib.platform.environment.jira_worker import JiraWorkerEnvironment
from lib.platform.log import Logger
from lib.platform.secrets import Secret

if TYPE_CHECKING:
    from lib.approvals.worker import ApprovalWorker

_environment = JiraWorkerEnvironment.read()
_APPROVAL_QUEUE = _environment.approval_queue_url.rsplit("/", 1)[-1]
_logger = Logger("jira_worker")
_dynamodb = aws.make_client("dynamodb", read_timeout_seconds=aws.BATCH_READ_TIMEOUT_SECONDS)
_s3 = aws.make_client("s3", read_timeout_seconds=10)
_sqs = aws.make_client("sqs")
_secrets_manager = aws.make_client("secretsmanager")
_api_token = Secret(_secrets_manager, _environment.jira_api_token_arn)
_bot_token = Secret(_secrets_manager, _environment.slack_bot_token_arn)
_pushes = make_pushes(_dynamodb, _environment, _logger)
_records = RunRecords(lambda: _s3, _environment.artifact_bucket_name, git_sha=_environment.git_sha)
_store = make_issue_writer(_dynamodb, lambda: _s3, _environment)


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Process a batch of SQS messages; the answer names those that failed (``batchItemFailures``).

    Raises:
        InvalidInputError: the event is not such a batch.
    """
    worker = JiraWorker(
        settings=_environment,
        api_token=_api_token,
        store=_store,
        pushes=_pushes,
        records=_records,
        seconds_left=invocation.seconds_left(context),
        logger=_logger,
    )
    with invocation.run(_logger, context) as run_id:
        failed = worker.run(sqs_batch.read_batch(event), run_id, functools.partial(_do, worker))
        if waited_for := [record for record in failed if record.queue == _APPROVAL_QUEUE]:
            _approvals().retry_soon(waited_for)
        return sqs_batch.answer(failed)


def _do(worker: JiraWorker, message: Message) -> None:
    body = message.record.body
    if messages.kind_of(body) not in messages.KINDS:
        worker.do(message, read_task(body))
        return
    sync = functools.partial(worker.sync_created, message)
    _approvals().process(body, seconds_left=worker.seconds_left(), connect=worker.connect, sync=sync)


@functools.cache
def _approvals() -> "ApprovalWorker":
    from lib.approvals.worker import ApprovalWorker  # noqa: PLC0415 - most processes see no approval

    return ApprovalWorker(
        settings=_environment,
        dynamodb=_dynamodb,
        sqs=_sqs,
        bot_token=_bot_token,
        logger=_logger,
    )


gc_tuning.end()
