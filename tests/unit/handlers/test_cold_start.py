"""A function imports at its start what every invocation needs, and no more: import time is cold-start time."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from lib.platform.contract import ALL_ENTRY_POINTS

HEAVY = {
    "boto3",
    "duckdb",
    "flask",
    "jinja2",
    "jira",
    "moto",
    "notifications_python_client",
    "requests",
    "slack_sdk",
    "tenacity",
    "werkzeug",
    "zoneinfo",
}
VARIABLES = {
    "AWS_DEFAULT_REGION": "us-west-2",
    "LEASE_TABLE_ARN": "arn:aws:dynamodb:us-west-2:123456789012:table/leases",
    "JIRA_ISSUES_TABLE_NAME": "issues",
    "OPERATIONS_TABLE_NAME": "operations",
    "SHUTTLE_TABLE_NAME": "shuttle",
    "IMPORT_BUCKET_NAME": "imports",
    "JOB_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/shuttle-jobs",
    "BACKFILL_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/backfill-work",
    "SOURCE_TABLE_ARN": "arn:aws:dynamodb:us-west-2:123456789012:table/legacy-issues",
    "EVENT_BUS_NAME": "switchboard",
    "NOTIFICATION_TOPIC_ARN": "arn:aws:sns:us-west-2:123456789012:notifications",
}


def heavy_imports_of(entry_point: str, **variables: str) -> set[str]:
    """Which of the heavy packages a new process has loaded once the entry point is imported."""
    return HEAVY & set(printed_after(f"import handlers.{entry_point}", "sorted(sys.modules)", **variables))


def printed_after(statement: str, expression: str, **variables: str) -> Any:
    """What an expression comes to in a new process after a statement."""
    script = f"import json, sys; {statement}; print(json.dumps({expression}))"
    environment = {**os.environ, **VARIABLES, **variables}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("channels", "needed"),
    [("sns", set()), ("sns,teams", set()), ("sns,slack,teams", {"slack_sdk"})],
)
def test_notification_imports_only_the_sdks_of_its_channels(channels: str, needed: set[str]) -> None:
    assert heavy_imports_of("notification", NOTIFY_CHANNELS=channels) == needed


def test_the_health_function_imports_nothing_heavy() -> None:
    assert heavy_imports_of("health") == set()


def test_the_shuttle_function_imports_flask_only() -> None:
    assert heavy_imports_of("shuttle") == {"flask", "jinja2", "werkzeug"}


def test_the_imports_function_imports_its_engine_at_most() -> None:
    assert heavy_imports_of("imports") <= {"duckdb"}


def test_the_shuttle_function_does_not_import_the_worker() -> None:
    loaded = printed_after("import handlers.shuttle", "sorted(sys.modules)")
    assert not {"duckdb", "lib.shuttle.engine", "lib.shuttle.imports.worker"} & set(loaded)


def test_webhooks_imports_nothing_that_only_a_push_needs() -> None:
    variables = {"ARTIFACT_BUCKET_NAME": "artifacts", "JIRA_QUEUE_URL": "https://sqs.test/work", "HISTORY_DAYS": "365"}
    loaded = printed_after("import handlers.webhooks", "sorted(sys.modules)", **variables)
    assert not {"lib.jira.commits", "lib.jira.correlation", "lib.jira.issue_reader", "lib.jira.correlation_store"} & set(loaded)


@pytest.mark.parametrize("entry_point", ALL_ENTRY_POINTS)
def test_the_garbage_collector_is_on_and_skips_imported_objects(entry_point: str) -> None:
    variables = {
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "ARTIFACT_BUCKET_NAME": "artifacts",
        "JIRA_QUEUE_URL": "https://sqs.test/work",
        "APPROVAL_QUEUE_URL": "https://sqs.test/approvals",
        "HISTORY_DAYS": "365",
    }
    collects, frozen = printed_after(
        f"import gc, handlers.{entry_point}", "[gc.isenabled(), gc.get_freeze_count()]", NOTIFY_CHANNELS="sns", **variables
    )
    assert collects
    assert frozen > 10_000


def test_the_garbage_collector_stays_on_outside_of_functions() -> None:
    assert printed_after("import gc, handlers.cli.__main__", "gc.isenabled()") is True
