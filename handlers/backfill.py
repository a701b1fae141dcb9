"""The backfill function: copies a legacy table, one segment per message (lib/jira/backfill/worker.py).

The command ``backfill --in-cloud`` starts, follows and stops it. It exists only where ``backfillSourceTableArn`` is set.
"""

from typing import Any

from lib.jira.backfill.worker import Tools, work
from lib.jira.issue_reader import IssueReader
from lib.jira.store_factory import make_issue_writer
from lib.platform import aws, gc_tuning, invocation, sqs_batch
from lib.platform.environment.backfill import BackfillEnvironment
from lib.platform.log import Logger
from lib.platform.queues import Queue

_environment = BackfillEnvironment.read()
_logger = Logger("backfill")
_dynamodb = aws.make_client("dynamodb", read_timeout_seconds=aws.BATCH_READ_TIMEOUT_SECONDS)
_tools = Tools(
    client=_dynamodb,
    source=_environment.source_table_arn,
    operations_table_name=_environment.operations_table_name,
    writer=make_issue_writer(_dynamodb, aws.lazy_client("s3", read_timeout_seconds=10), _environment, on_throttle=lambda: None),
    reader=IssueReader(_dynamodb, _environment.jira_issues_table_name),
    queue=Queue(aws.make_client("sqs"), _environment.backfill_queue_url),
    logger=_logger,
)


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Work on the segments of a batch of SQS messages; the answer names those that failed (``batchItemFailures``).

    Raises:
        InvalidInputError: the event is not such a batch.
    """
    with invocation.run(_logger, context):
        records, seconds_left = sqs_batch.read_batch(event), invocation.seconds_left(context)
        return sqs_batch.answer(record for record in records if not work(record, _tools, seconds_left))


gc_tuning.end()
