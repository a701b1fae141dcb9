"""``health`` runs the deep checks on the resources of the health function."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from tests.support.aws.lambda_service import LambdaService
from tests.support.aws.moto_inside import LEASES

Run = Callable[..., Result]


def test_all_well_is_a_table_and_exit_code_0(run: Run, deployed: None) -> None:
    result = run("health")

    assert (result.exit_code, result.stderr) == (0, "")
    rows = [line.split("│")[1:3] for line in result.stdout.splitlines() if line.startswith("│")]
    assert {name.strip(): status.strip() for name, status in rows} == {
        "lease_table": "ok",
        "jira_issues_table": "ok",
        "operations_table": "ok",
        "shuttle_table": "ok",
        "secrets": "skipped",
        "jira": "skipped",
    }
    assert "-07:00" in result.stdout


def test_a_failed_check_is_exit_code_1(run: Run, dynamodb: Any) -> None:
    dynamodb.delete_table(TableName=LEASES)

    result = run("health", "--json")

    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["status"], report["version"]) == ("failed", "1.2.3")
    assert [check["name"] for check in report["checks"] if check["status"] == "failed"] == ["lease_table"]


def test_in_the_table_a_failed_check_says_why(run: Run, dynamodb: Any) -> None:
    dynamodb.delete_table(TableName=LEASES)

    result = run("health")

    assert (result.exit_code, result.stderr) == (1, "1 of 6 checks failed.\n")
    assert "could not describe the table: ResourceNotFoundException" in result.stdout


def test_a_missing_function_is_an_error(run: Run, deployed: None, functions: LambdaService) -> None:
    functions.environments.clear()

    result = run("health")

    assert result.exit_code == 1
    assert result.stderr == "Error: could not read the configuration of health-5f: ResourceNotFoundException\n"


def test_a_function_of_another_version_is_an_error(run: Run, deployed: None, functions: LambdaService) -> None:
    functions.environments["health-5f"] = {}

    result = run("health")

    assert result.exit_code == 1
    assert result.stderr == "Error: the environment variable LEASE_TABLE_ARN is not set\n"


def test_a_deployment_without_the_function_is_an_error(run: Run, deployed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEALTH_FUNCTION_NAME")

    result = run("health")

    assert (result.exit_code, result.stderr) == (1, "Error: functions.health is missing from the environment variables\n")
