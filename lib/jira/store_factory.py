"""Makes the issue writer of a handler or a command from its settings."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lib.jira.issue_writer import IssueWriter
from lib.jira.snapshots import BucketSnapshots
from lib.platform import contract, metrics

if TYPE_CHECKING:
    from lib.platform.environment.backfill import BackfillEnvironment
    from lib.platform.environment.jira_worker import JiraWorkerEnvironment
    from lib.platform.environment.reconciliation import ReconciliationEnvironment
    from lib.platform.environment.webhooks import WebhooksEnvironment

    Settings = WebhooksEnvironment | JiraWorkerEnvironment | ReconciliationEnvironment | BackfillEnvironment


def make_issue_writer(
    dynamodb: Any,
    get_s3: Callable[[], Any],
    settings: "Settings",
    *,
    on_throttle: Callable[[], None] = lambda: metrics.count(contract.STORE_THROTTLE_RETRY),
) -> IssueWriter:
    """The issue writer on the configured table and bucket, with clients of :mod:`lib.platform.aws`.

    ``get_s3`` is called only for a snapshot that is too large for a row, and ``on_throttle`` when a write was throttled.
    """
    return IssueWriter(
        dynamodb,
        settings.jira_issues_table_name,
        history=timedelta(days=settings.history_days),
        snapshots=BucketSnapshots(get_s3, settings.artifact_bucket_name),
        on_throttle=on_throttle,
    )
