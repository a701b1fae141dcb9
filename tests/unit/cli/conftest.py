"""The command line in this process, on an AWS in this process; Lambda alone is a server of its own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from handlers.cli import deployment as module
from handlers.cli.__main__ import cli
from lib.platform import aws
from tests.support.aws.lambda_service import LambdaService, lambda_service
from tests.support.aws.moto_inside import (
    BUCKET,
    ISSUES,
    LEASES_ARN,
    OPERATIONS,
    SHOPS,
    create_bucket,
    create_tables,
    moto_inside,
)
from tests.support.aws.moto_state import made_once
from tests.support.operations.deployment import Deployment

Run = Callable[..., Result]

VARIABLES = {
    "health": {
        "LEASE_TABLE_ARN": LEASES_ARN,
        "JIRA_ISSUES_TABLE_NAME": ISSUES,
        "OPERATIONS_TABLE_NAME": OPERATIONS,
        "SHUTTLE_TABLE_NAME": SHOPS,
        "VERSION": "1.2.3",
    },
    "reconciliation": {
        "JIRA_ISSUES_TABLE_NAME": ISSUES,
        "OPERATIONS_TABLE_NAME": OPERATIONS,
        "ARTIFACT_BUCKET_NAME": BUCKET,
        "JIRA_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/jira-work",
        "HISTORY_DAYS": "30",
    },
    "approvals": {
        "OPERATIONS_TABLE_NAME": OPERATIONS,
        "APPROVAL_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/approval-work",
        "APPROVERS": "U0ANN,U0BOB",
    },
    "shuttle": {
        "SHUTTLE_TABLE_NAME": SHOPS,
        "IMPORT_BUCKET_NAME": BUCKET,
        "JOB_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/shuttle-jobs",
        "EVENT_BUS_NAME": "bus-1c4e",
    },
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing of this machine's own: no AWS, no Pulumi, no deployment named, and an empty folder to work in."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("AWS_", "PULUMI_", "SWITCHBOARD_", "JIRA_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)  # a parallel run sets it
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    yield
    os.environ.clear()  # a command sets some for the AWS SDK
    os.environ.update(before)


@pytest.fixture
def deployment(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """An empty deployment, which each command finds."""
    monkeypatch.setattr(module, "find", lambda *_: deployment)
    return deployment


@pytest.fixture
def functions() -> Iterator[LambdaService]:
    """Lambda, with the functions' environments."""
    with lambda_service() as service:
        service.environments = {f"{entry_point}-5f": variables for entry_point, variables in VARIABLES.items()}
        yield service


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, functions: LambdaService) -> Iterator[None]:
    """A deployment: tables, bucket and functions, named by environment variables."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", functions.url)
    monkeypatch.setenv("JIRA_ISSUES_TABLE_NAME", ISSUES)
    monkeypatch.setenv("JIRA_OPERATIONS_TABLE_NAME", OPERATIONS)
    monkeypatch.setenv("SHUTTLE_TABLE_NAME", SHOPS)
    for entry_point in VARIABLES:
        monkeypatch.setenv(f"{entry_point.upper()}_FUNCTION_NAME", f"{entry_point}-5f")
    with moto_inside(monkeypatch):
        _create_resources()
        yield


@made_once
def _create_resources() -> None:
    create_tables()
    create_bucket()


@pytest.fixture
def run() -> Run:
    """Runs the command line with arguments; ``input`` is what a person types. A traceback fails the test."""

    def run_it(*arguments: str, input: str | None = None) -> Result:  # noqa: A002 (CliRunner's word)
        result = CliRunner().invoke(cli, arguments, input=input, prog_name="cli")
        assert "Traceback" not in result.output
        if result.exit_code:
            assert result.exit_code in (1, 2)
        return result

    return run_it


@pytest.fixture
def dynamodb(deployed: None) -> object:
    """A client for the test's own use."""
    return aws.make_client("dynamodb")
