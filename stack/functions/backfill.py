"""The function that copies a legacy table, where ``backfillSourceTableArn`` names one."""

from lib.platform.contract import BACKFILL_MAX_SEGMENTS, BACKFILL_PARTITIONS
from lib.platform.environment.backfill import BackfillEnvironment
from stack.components import iam
from stack.components.function import Feed, FunctionSpec
from stack.components.iam import Grant
from stack.functions.parts import Parts, objects

TIMEOUT_SECONDS = 900

VISIBILITY_SECONDS = TIMEOUT_SECONDS + 60
"""The batches have one message, so that none waits for others. A killed worker's segment continues after this time."""


def spec(parts: Parts) -> FunctionSpec:
    """The function as data. It hands a segment on through its own queue, at most ``lib.jira.backfill.messages.MAX_PARTS``
    times."""
    queue = parts.backfill_work
    if queue is None:
        raise ValueError("there is no legacy table to copy")
    return FunctionSpec(
        entry_point="backfill",
        timeout_seconds=TIMEOUT_SECONDS,
        may_recur=True,
        environment=BackfillEnvironment,
        values={
            "source_table_arn": parts.settings.backfill_source_table_arn,
            "jira_issues_table_name": parts.jira_issues.name,
            "operations_table_name": parts.operations.name,
            "artifact_bucket_name": parts.artifacts.name,
            "backfill_queue_url": queue.url,
            "history_days": parts.settings.history_days,
        },
        grants=[
            Grant(actions=("dynamodb:Scan",), resources=(parts.settings.backfill_source_table_arn,)),
            Grant(
                actions=("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchGetItem"),
                resources=(parts.jira_issues.arn,),
            ),
            Grant(
                actions=("dynamodb:Query", "dynamodb:UpdateItem"),
                resources=(parts.operations.arn,),
                conditions=iam.in_partitions(f"{BACKFILL_PARTITIONS}*"),
            ),
            objects("s3:PutObject", parts.artifacts, "snapshots/"),
            iam.sending(queue.arn),
        ],
        feeds=[Feed(queue=queue, batch_size=1, window_seconds=0, maximum_concurrency=BACKFILL_MAX_SEGMENTS)],
    )
