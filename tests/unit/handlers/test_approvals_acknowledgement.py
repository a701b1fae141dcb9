"""Between a click and its acknowledgement there are a few short AWS calls, and nothing else.

Slack waits 3 s. tests/bench/click_latency.py measures the latency; these tests show that nothing slow is called.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from botocore.client import BaseClient

from lib.platform import aws
from tests.support.approvals.builders import draft_json, show_whole
from tests.unit.handlers.test_approvals import approvals, click, interact, load_approvals, queue_url, submit

__all__ = ["approvals", "load_approvals", "queue_url"]  # fixtures

SLACK_WAITS_SECONDS = 3.0


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """The AWS calls that are made: each by its name, with how long it may take at most."""
    made: list[tuple[str, float]] = []
    make_api_call: Callable[..., Any] = vars(BaseClient)["_make_api_call"]

    def noted(client: Any, operation: str, parameters: Any) -> Any:
        config = client.meta.config
        attempts = config.retries["total_max_attempts"]
        made.append((operation, attempts * (config.connect_timeout + config.read_timeout)))
        return make_api_call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", noted)
    return made


def test_a_click_is_acknowledged_after_four_aws_calls(approvals: ModuleType, calls: list[tuple[str, float]]) -> None:
    _, draft = submit(approvals, draft_json())
    show_whole(approvals._service._store, draft["draft_hash"])
    interact(approvals, click("0" * 64))  # the signing secret is read with the first click, and kept
    calls.clear()

    assert interact(approvals, click(draft["draft_hash"]))["statusCode"] == 200

    assert [operation for operation, _ in calls] == ["BatchGetItem", "SendMessage", "TransactWriteItems", "SendMessage"]


def test_each_call_ends_before_slack_stops_waiting(approvals: ModuleType, calls: list[tuple[str, float]]) -> None:
    _, draft = submit(approvals, draft_json())
    show_whole(approvals._service._store, draft["draft_hash"])
    calls.clear()
    interact(approvals, click(draft["draft_hash"]))

    assert {seconds for _, seconds in calls} == {aws.CONNECT_TIMEOUT_SECONDS + aws.READ_TIMEOUT_SECONDS}
    assert aws.CONNECT_TIMEOUT_SECONDS + aws.READ_TIMEOUT_SECONDS < SLACK_WAITS_SECONDS
