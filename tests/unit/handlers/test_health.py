"""GET /health: cheap, public, and answered by the webhooks function."""

from collections.abc import Callable
from types import ModuleType

import pytest

from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.jira.cloud import JiraCloud
from tests.support.observability.log_lines import LogLines
from tests.support.web.events import http_event, status_and_body


def test_it_reports_its_version_and_the_time_in_phoenix(load_webhooks: Callable[..., ModuleType]) -> None:
    webhooks = load_webhooks(VERSION="1.4.0")

    status, body = status_and_body(webhooks.lambda_handler(http_event("GET", "/health"), LambdaContext()))

    assert status == 200
    assert body.keys() == {"status", "version", "time", "timezone"}
    assert (body["status"], body["version"], body["timezone"]) == ("ok", "1.4.0", "America/Phoenix")
    assert body["time"].endswith("-07:00")


def test_it_makes_no_aws_call(jira_cloud: JiraCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.platform.aws.make_client", lambda *_, **__: NoCalls())
    webhooks = load(monkeypatch, "webhooks", jira_cloud.webhooks_variables())

    assert status_and_body(webhooks.lambda_handler(http_event("GET", "/health"), LambdaContext()))[0] == 200


class NoCalls:
    """An AWS client that must not be used."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was called")


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/health", 405), ("GET", "/", 404), ("GET", "/healthz", 404)])
def test_any_other_request_is_refused_as_json(webhooks: ModuleType, method: str, path: str, status: int) -> None:
    answer_status, body = status_and_body(webhooks.lambda_handler(http_event(method, path), LambdaContext()))

    assert answer_status == status
    assert body.keys() == {"error", "message"}


def test_each_request_logs_a_line_with_its_ids(webhooks: ModuleType) -> None:
    lines = LogLines("webhooks")
    webhooks.lambda_handler(http_event("GET", "/health"), LambdaContext("run-3"))

    line = lines.only("http_request")
    assert (line["run_id"], line["correlation_id"], line["function"]) == ("run-3", "gateway-1", "webhooks")
