"""The deep health check as the schedule and a person start it: a report, a metric per check, and no failing invocation."""

from collections.abc import Iterator
from types import ModuleType

import pytest

from lib.platform import errors
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import ISSUES, LEASES_ARN, OPERATIONS, SHOPS, create_secret, create_tables, moto_inside
from tests.support.observability.emf import metrics_in
from tests.support.observability.log_lines import LogLines
from tests.support.web.events import http_event

SECRET = "it opens doors"
SCHEDULED = {"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": "{}"}


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with moto_inside(monkeypatch):
        create_tables()
        yield


@pytest.fixture
def variables() -> dict[str, str]:
    return {
        "LEASE_TABLE_ARN": LEASES_ARN,
        "JIRA_ISSUES_TABLE_NAME": ISSUES,
        "OPERATIONS_TABLE_NAME": OPERATIONS,
        "SHUTTLE_TABLE_NAME": SHOPS,
        "SECRET_ARNS": create_secret("webhook", SECRET),
        "VERSION": "1.4.0",
    }


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> ModuleType:
    return load(monkeypatch, "health", variables)


@pytest.fixture
def ailing(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> ModuleType:
    """The function of a stack whose operations table is gone."""
    return load(monkeypatch, "health", {**variables, "OPERATIONS_TABLE_NAME": "nowhere"})


@pytest.mark.parametrize("event", [{}, {"mode": "deep"}, SCHEDULED], ids=["empty", "mode", "schedule"])
def test_an_invocation_without_a_request_checks_everything(health: ModuleType, event: dict[str, object]) -> None:
    report = health.lambda_handler(event, LambdaContext())

    assert report["status"] == "ok"
    assert {check["name"]: check["status"] for check in report["checks"]} == {
        "lease_table": "ok",
        "jira_issues_table": "ok",
        "operations_table": "ok",
        "shuttle_table": "ok",
        "secrets": "ok",
        "jira": "skipped",
    }


def test_a_failed_check_is_reported_without_failing(ailing: ModuleType) -> None:
    report = ailing.lambda_handler({}, LambdaContext())

    assert report["status"] == "failed"
    assert [check["name"] for check in report["checks"] if check["status"] == "failed"] == ["operations_table"]


def test_each_check_that_ran_is_one_metric(ailing: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    ailing.lambda_handler({}, LambdaContext())

    metrics = [
        (metric.name, metric.dimensions["check"], metric.value)
        for metric in metrics_in(capsys.readouterr().out)
        if "check" in metric.dimensions
    ]
    assert sorted(metrics) == [
        ("HealthCheckFailed", "operations_table", 1),
        ("HealthCheckPassed", "jira_issues_table", 1),
        ("HealthCheckPassed", "lease_table", 1),
        ("HealthCheckPassed", "secrets", 1),
        ("HealthCheckPassed", "shuttle_table", 1),
    ]


def test_every_report_is_counted(ailing: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    ailing.lambda_handler({}, LambdaContext())

    assert [metric.value for metric in metrics_in(capsys.readouterr().out) if metric.name == "HealthReport"] == [1]


def test_the_log_names_the_failed_checks(ailing: ModuleType) -> None:
    lines = LogLines("health")
    ailing.lambda_handler({}, LambdaContext("run-1"))

    line = lines.only("health_check_failed")
    assert (line["level"], line["check"], line["run_id"]) == ("ERROR", "operations_table", "run-1")
    assert lines.only("health_report")["status"] == "failed"
    assert SECRET not in lines.text


@pytest.mark.parametrize(
    "event",
    [
        *(None, [], {"mode": "shallow"}, {"mode": "deep", "more": 1}, {"detail-type": "LeaseExpired"}),
        http_event("GET", "/health"),
    ],
    ids=str,
)
def test_another_event_is_refused(health: ModuleType, event: object) -> None:
    with pytest.raises(errors.InvalidInputError, match="the event is not"):
        health.lambda_handler(event, LambdaContext())


def test_the_same_clients_serve_the_next_run(health: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    health.lambda_handler({}, LambdaContext())

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a client was made")

    monkeypatch.setattr("lib.platform.aws.make_client", refuse)
    assert health.lambda_handler({}, LambdaContext())["status"] == "ok"
