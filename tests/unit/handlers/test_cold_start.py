"""A function imports at its start what every invocation needs, and no more: import time is cold-start time."""

import functools
import json
import os
import subprocess
import sys
from typing import Any, NamedTuple

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
    "ARTIFACT_BUCKET_NAME": "artifacts",
    "JIRA_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/jira-work",
    "APPROVAL_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/approval-work",
    "HISTORY_DAYS": "365",
    "NOTIFICATION_TOPIC_ARN": "arn:aws:sns:us-west-2:123456789012:notifications",
}


class Started(NamedTuple):
    """A new process that has imported an entry point, as Lambda does."""

    modules: set[str]
    collects: bool
    frozen: int

    @property
    def heavy(self) -> set[str]:
        """The heavy packages that it has loaded."""
        return HEAVY & self.modules


@functools.cache
def started(entry_point: str, channels: str = "sns") -> Started:
    """One process serves all tests of an entry point."""
    expression = "[sorted(sys.modules), gc.isenabled(), gc.get_freeze_count()]"
    variables = {"AWS_LAMBDA_FUNCTION_NAME": "function", "NOTIFY_CHANNELS": channels}
    modules, collects, frozen = printed_after(f"import gc, handlers.{entry_point}", expression, **variables)
    return Started(set(modules), collects, frozen)


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
    assert started("notification", channels).heavy == needed


def test_the_health_function_imports_nothing_heavy() -> None:
    assert started("health").heavy == set()


def test_the_shuttle_function_imports_flask_only() -> None:
    assert started("shuttle").heavy == {"flask", "jinja2", "werkzeug"}


def test_the_webhooks_function_imports_flask_only() -> None:
    """And not what only the worker needs: the SDKs that talk to Jira and retry."""
    assert started("webhooks").heavy == {"flask", "jinja2", "werkzeug"}


def test_the_imports_function_imports_its_engine_at_most() -> None:
    assert started("imports").heavy <= {"duckdb"}


def test_the_shuttle_function_does_not_import_the_worker() -> None:
    assert not {"duckdb", "lib.shuttle.engine", "lib.shuttle.imports.worker"} & started("shuttle").modules


def test_webhooks_imports_nothing_that_only_a_push_needs() -> None:
    of_a_push = {"lib.jira.commits", "lib.jira.correlation", "lib.jira.issue_reader", "lib.jira.correlation_store"}
    assert not of_a_push & started("webhooks").modules


@pytest.mark.parametrize("entry_point", ALL_ENTRY_POINTS)
def test_the_garbage_collector_is_on_and_skips_imported_objects(entry_point: str) -> None:
    assert started(entry_point).collects
    assert started(entry_point).frozen > 10_000


def test_the_garbage_collector_stays_on_outside_of_functions() -> None:
    assert printed_after("import gc, handlers.cli.__main__", "gc.isenabled()") is True
