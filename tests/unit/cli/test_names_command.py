"""``names`` prints what the commands of the runbooks and the command line itself need, quoted for the shell."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from lib.platform import aws

Run = Callable[..., Result]

OUTPUTS = {
    "http_api_url": "https://api.example.com",
    "jira_issues_table_name": "issues-1",
    "jira_operations_table_arn": "arn:aws:dynamodb:us-west-2:123456789012:table/operations-1",
    "functions": {"notification": "notification-1", "jira_worker": "it's a worker"},
    "dead_letter_queues": {"jira_worker": ["jira-work-dead-letters-0a1b2c3"], "webhooks": []},
}


def exported(script: str) -> dict[str, str]:
    """The variables that a shell has after it evaluated ``script``."""
    done = subprocess.run(
        ["sh", "-ec", f"{script}\nenv -0"], capture_output=True, text=True, check=True, env={"PATH": os.defpath}
    )
    return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)


@pytest.fixture
def outputs(deployed: None, tmp_path: Path) -> Path:
    sqs = aws.make_client("sqs")
    sqs.create_queue(QueueName="jira-work-dead-letters-0a1b2c3")
    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-west-2:123456789012:jira-work-dead-letters-0a1b2c3", "maxReceiveCount": 5}
    sqs.create_queue(QueueName="jira-work-1234567", Attributes={"RedrivePolicy": json.dumps(policy)})
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(OUTPUTS))
    return path


def test_names_of_a_stack_are_exports_and_leave_the_credentials_alone(run: Run, outputs: Path) -> None:
    result = run("--outputs", str(outputs), "names")

    found = exported(result.stdout)
    assert result.exit_code == 0, result.stderr
    assert found["EP"] == ""
    assert found["AWS_DEFAULT_REGION"] == "us-west-2"
    assert found["HTTP_API_URL"] == "https://api.example.com"
    assert found["JIRA_WORKER_FUNCTION_NAME"] == "it's a worker"
    assert found["NOTIFICATION_LOG_GROUP"] == "/aws/lambda/notification-1"
    assert found["JIRA_WORK_DEAD_LETTERS_QUEUE_URL"].endswith("/jira-work-dead-letters-0a1b2c3")
    assert found["JIRA_WORK_QUEUE_URL"].endswith("/jira-work-1234567")
    assert found["JIRA_WORKER_DEAD_LETTER_QUEUES"] == "jira-work-dead-letters-0a1b2c3"
    assert "AWS_ACCESS_KEY_ID" not in found
    assert "WEBHOOKS_DEAD_LETTER_QUEUES" not in found
