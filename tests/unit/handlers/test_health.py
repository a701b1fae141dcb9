"""GET /health: cheap, public, and nothing else."""

import json
from types import ModuleType

import pytest

from tests.support.functions import load
from tests.support.http_events import http_event, status_and_body
from tests.support.lambda_context import LambdaContext
from tests.support.log_lines import LogLines

TABLES = {
    "LEASE_TABLE_NAME": "leases",
    "JIRA_ISSUES_TABLE_NAME": "issues",
    "OPERATIONS_TABLE_NAME": "operations",
    "SHUTTLE_TABLE_NAME": "shuttle",
}


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load(monkeypatch, "health", {**TABLES, "VERSION": "1.4.0"})


def test_it_tells_that_it_runs_its_version_and_the_time_in_phoenix(health: ModuleType) -> None:
    status, body = status_and_body(health.lambda_handler(http_event("GET", "/health"), LambdaContext()))

    assert status == 200
    assert body.keys() == {"status", "version", "time", "timezone"}
    assert (body["status"], body["version"], body["timezone"]) == ("ok", "1.4.0", "America/Phoenix")
    assert body["time"].endswith("-07:00")


def test_it_makes_no_aws_client(health: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a client was made")

    monkeypatch.setattr("botocore.session.Session.create_client", refuse)
    module = load(monkeypatch, "health", TABLES)

    assert status_and_body(module.lambda_handler(http_event("GET", "/health"), LambdaContext()))[0] == 200


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/health", 405), ("GET", "/", 404), ("GET", "/healthz", 404)])
def test_anything_else_is_refused_as_json(health: ModuleType, method: str, path: str, status: int) -> None:
    answer_status, body = status_and_body(health.lambda_handler(http_event(method, path), LambdaContext()))

    assert answer_status == status
    assert body.keys() == {"error", "message"}


def test_each_request_leaves_a_line_with_its_ids(health: ModuleType) -> None:
    lines = LogLines("health")
    health.lambda_handler(http_event("GET", "/health"), LambdaContext("run-3"))

    line = lines.only("http_request")
    assert (line["run_id"], line["correlation_id"]) == ("run-3", "gateway-1")
    assert json.loads(lines.text)["function"] == "health"
