"""A function imports at its start what every invocation needs, and no more: import time is cold-start time."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = {
    "boto3",
    "flask",
    "jinja2",
    "jira",
    "moto",
    "notifications_python_client",
    "requests",
    "slack_sdk",
    "tenacity",
    "werkzeug",
}
VARIABLES = {
    "AWS_DEFAULT_REGION": "us-west-2",
    "LEASE_TABLE_NAME": "leases",
    "LEASE_TABLE_ARN": "arn:aws:dynamodb:us-west-2:123456789012:table/leases",
    "JIRA_ISSUES_TABLE_NAME": "issues",
    "OPERATIONS_TABLE_NAME": "operations",
    "SHUTTLE_TABLE_NAME": "shuttle",
    "IMPORT_BUCKET_NAME": "imports",
    "NOTIFICATION_TOPIC_ARN": "arn:aws:sns:us-west-2:123456789012:notifications",
}


def heavy_imports_of(entry_point: str, **variables: str) -> set[str]:
    """Which of the heavy packages a new process has loaded once the entry point is imported."""
    script = f"import json, sys; import handlers.{entry_point}; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, **VARIABLES, **variables}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return HEAVY & set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("channels", "needed"),
    [("sns", set()), ("sns,slack", {"slack_sdk"})],
)
def test_the_notification_function_imports_the_sdks_of_its_channels_only(channels: str, needed: set[str]) -> None:
    assert heavy_imports_of("notification", NOTIFY_CHANNELS=channels) == needed


def test_the_health_function_imports_flask_only() -> None:
    assert heavy_imports_of("health") == {"flask", "jinja2", "werkzeug"}


def test_the_shuttle_function_imports_flask_only() -> None:
    assert heavy_imports_of("shuttle") == {"flask", "jinja2", "werkzeug"}
