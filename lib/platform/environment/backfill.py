"""The environment of handlers/backfill.py."""

import dataclasses

from lib.platform.environment import Environment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillEnvironment(Environment):
    """handlers/backfill.py"""

    source_table_arn: str
    jira_issues_table_name: str
    operations_table_name: str
    artifact_bucket_name: str
    backfill_queue_url: str
    history_days: int
