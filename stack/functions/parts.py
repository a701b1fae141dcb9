"""The resources that the functions use, and the grants that several functions need."""

import dataclasses

import pulumi

from lib.platform.contract import RECONCILIATION_PARTITION
from stack.components import iam
from stack.components.bucket import Bucket
from stack.components.event_bus import EventBus
from stack.components.iam import Grant
from stack.components.queue import WorkQueue
from stack.components.table import Table
from stack.settings import Settings

SESSIONS = iam.outside_partitions("*#*", RECONCILIATION_PARTITION)
"""The partitions of drafts and decisions: session IDs are chosen by drafters, contain no ``#``, and are not a reserved word."""

OF_A_SHOP = ("uploads/", "reports/", "changes/", "catalogue/", "exports/")
"""The folders of the import bucket that hold objects of shops."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The resources and settings that the functions use.

    Attributes:
        settings: the operator's choices.
        version: of the software.
        git_sha: the revision it was built from.
        lease_table: enriches lease events.
        jira_issues: the issues.
        operations: claims, approvals, watermarks.
        artifacts: run records and large snapshots.
        jira_work: from the webhooks to the worker.
        approval_work: from drafts and clicks to the worker. A separate queue, so that people need not wait for slow answers of
            Jira to something else.
        shuttle: the shops and their jobs.
        import_bucket: the files of shops: uploads, error reports.
        shuttle_jobs: notifications of the import bucket.
        backfill_work: segments of a legacy table; None if there is no such table.
        events: the bus that lease events arrive on, and events of Shuttle are put on.
        topic_arn: the topic of the channel ``sns``.
        secret_arns: every configured secret, by its field in ``settings``.
    """

    settings: Settings
    version: str
    git_sha: str
    lease_table: Table
    jira_issues: Table
    operations: Table
    artifacts: Bucket
    jira_work: WorkQueue
    approval_work: WorkQueue
    shuttle: Table
    import_bucket: Bucket
    shuttle_jobs: WorkQueue
    backfill_work: WorkQueue | None
    events: EventBus
    topic_arn: pulumi.Output[str]
    secret_arns: dict[str, pulumi.Output[str]]


def objects(action: str, bucket: Bucket, *prefixes: str) -> Grant:
    """The grant of an S3 action, or several separated by a space, on the objects below ``prefixes``."""
    return Grant(
        actions=tuple(action.split()),
        resources=tuple(bucket.objects(prefix) for prefix in prefixes),
        wildcard_reason="objects are named as they come; the bucket and the folder are exact",
    )


def decrypting_leases(settings: Settings) -> list[Grant]:
    """DynamoDB decrypts with a customer-managed key on behalf of the reader, who needs the right to do so.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
    """
    key = settings.lease_table_key_arn
    return [Grant(actions=("kms:Decrypt",), resources=(key,), conditions=iam.via_dynamodb(key))] if key else []
