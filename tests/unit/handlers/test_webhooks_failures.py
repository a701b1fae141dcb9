"""POST /webhooks/jira while something is down: a delivery is acknowledged when it is stored, and refused so that its sender
tries again when it is not.
"""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from lib.jira.tasks import Task
from lib.platform import aws
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.wire import aws_error
from tests.support.jira.bodies import UPDATED_AT, comment_event, deliver, issue_event, move_event
from tests.support.jira.cloud import JIRA_SECRET, JiraCloud
from tests.support.observability.emf import names_in
from tests.support.observability.log_lines import LogLines
from tests.support.web.events import http_event, signature

PUT, SEND = "dynamodb.PutItem", "sqs.SendMessage"
THROTTLED = aws_error("ProvisionedThroughputExceededException")
LOST = ReadTimeoutError(endpoint_url="the service")
REFUSED = EndpointConnectionError(endpoint_url="the service")


@pytest.fixture(autouse=True)
def short_timeouts(no_throttle_delay: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "READ_TIMEOUT_SECONDS", 0.2)


def answer_to(webhooks: ModuleType, body: dict[str, Any]) -> dict[str, Any]:
    """The whole answer, headers too."""
    text = json.dumps(body)
    headers = {"X-Atlassian-Webhook-Identifier": "d-1", **signature(JIRA_SECRET, text)}
    answer: dict[str, Any] = webhooks.lambda_handler(http_event("POST", "/webhooks/jira", text, headers), LambdaContext())
    return answer


# The store


def test_a_throttled_store_is_503_with_retry_after_and_nothing_is_claimed(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    jira_cloud.wire.fail(PUT, THROTTLED)

    answer = answer_to(webhooks, issue_event())

    assert (answer["statusCode"], json.loads(answer["body"])["error"]) == (503, "throttled")
    assert int(answer["headers"]["Retry-After"]) > 0
    assert len(jira_cloud.wire.named(PUT)) == 2, "one try and one more"
    assert (jira_cloud.row_count(), jira_cloud.tasks()) == (0, [])


def test_a_write_that_is_throttled_once_is_stored_and_counted(
    webhooks: ModuleType, jira_cloud: JiraCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    jira_cloud.wire.fail(PUT, THROTTLED, times=1)

    assert deliver(webhooks, issue_event())[1]["status"] == "stored"
    assert names_in(capsys.readouterr().out).count("StoreThrottleRetry") == 1


@pytest.mark.parametrize("error", [THROTTLED, LOST, REFUSED], ids=["throttled", "hangs", "refuses"])
@pytest.mark.parametrize("writes_before", [0, 1])
def test_a_delivery_refused_half_way_is_stored_by_the_senders_retry(
    webhooks: ModuleType, jira_cloud: JiraCloud, error: Exception, writes_before: int
) -> None:
    jira_cloud.wire.fail(PUT, error, skip=writes_before)
    assert deliver(webhooks, issue_event())[0] == 503
    assert jira_cloud.tasks() == []

    jira_cloud.wire.clear_faults()
    assert deliver(webhooks, issue_event())[1]["status"] == "stored"
    assert jira_cloud.rows("OPS-7").keys() == {UPDATED_AT, "HEAD"}
    assert jira_cloud.tasks() == [Task(("OPS-7",))]


@pytest.mark.parametrize(("writes_before", "outcome"), [(0, "stored"), (1, "duplicate")], ids=["the version's", "HEAD's"])
def test_after_a_lost_answer_the_retry_is_a_duplicate(
    webhooks: ModuleType, jira_cloud: JiraCloud, writes_before: int, outcome: str
) -> None:
    jira_cloud.wire.fail(PUT, LOST, skip=writes_before, after=True)
    assert deliver(webhooks, issue_event())[0] == 503

    jira_cloud.wire.clear_faults()
    assert deliver(webhooks, issue_event())[1]["status"] == outcome
    assert jira_cloud.tasks() == [Task(("OPS-7",))]


def test_the_retry_completes_a_move_refused_between_its_keys(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    jira_cloud.wire.fail(PUT, THROTTLED, skip=2)
    assert deliver(webhooks, move_event("OPS-7", "GOLD-2"))[0] == 503

    jira_cloud.wire.clear_faults()
    assert deliver(webhooks, move_event("OPS-7", "GOLD-2"))[1]["status"] == "stored"
    assert jira_cloud.rows("OPS-7")["HEAD"]["moved_to"] == {"S": "GOLD-2"}


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=16))
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("port", ["silent_port", "closed_port"])
def test_a_table_that_hangs_or_refuses_is_503_without_details(
    load_webhooks: Callable[..., ModuleType], request: pytest.FixtureRequest, port: str
) -> None:
    endpoint = f"http://127.0.0.1:{request.getfixturevalue(port)}"
    webhooks = load_webhooks(AWS_ENDPOINT_URL_DYNAMODB=endpoint)

    answer = answer_to(webhooks, issue_event())

    assert (answer["statusCode"], json.loads(answer["body"])) == (
        503,
        {"error": "unavailable", "message": "not possible now, try again later"},
    )
    assert int(answer["headers"]["Retry-After"]) > 0


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_a_fault_of_ours_is_503_and_never_4xx(webhooks: ModuleType, jira_cloud: JiraCloud, code: str) -> None:
    jira_cloud.wire.fail(PUT, aws_error(code))

    assert deliver(webhooks, issue_event())[0] == 503


def test_a_defect_is_503_with_the_stack_trace_in_the_log_only(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    lines = LogLines("webhooks")
    jira_cloud.wire.fail(PUT, ZeroDivisionError("of the tests"))

    answer = answer_to(webhooks, issue_event())

    assert answer["statusCode"] == 503
    assert "Traceback" not in answer["body"]
    assert "ZeroDivision" not in answer["body"]
    assert "Traceback" in lines.only("request_failed")["exception"]


def test_with_the_bucket_down_a_large_issue_is_refused_and_no_row_stored(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    large = issue_event(description="x" * 400_000)
    jira_cloud.wire.fail("s3.PutObject", aws_error("SlowDown", 503))
    assert deliver(webhooks, large)[0] == 503
    assert jira_cloud.row_count() == 0

    jira_cloud.wire.clear_faults()
    assert deliver(webhooks, large)[1]["status"] == "stored"


# The queue

QUEUE_ERRORS = {
    "throttled": aws_error("RequestThrottled", 403),
    "hangs": LOST,
    "refuses": REFUSED,
    "gone": aws_error("AWS.SimpleQueueService.NonExistentQueue"),
    "denied": aws_error("AccessDenied", 403),
}


@pytest.mark.parametrize("reason", QUEUE_ERRORS)
def test_with_the_queue_down_a_stored_delivery_is_acknowledged(
    webhooks: ModuleType, jira_cloud: JiraCloud, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    lines = LogLines("webhooks")
    jira_cloud.wire.fail(SEND, QUEUE_ERRORS[reason])

    status, body = deliver(webhooks, issue_event())

    assert (status, body["status"], body["correlation_queued"]) == (202, "stored", False)
    assert "HEAD" in jira_cloud.rows("OPS-7")
    assert names_in(capsys.readouterr().out).count("CorrelationNotQueued") == 1
    assert lines.only("correlation_not_queued")["issue_keys"] == ["OPS-7"]


@pytest.mark.parametrize("reason", QUEUE_ERRORS)
def test_with_the_queue_down_an_event_that_only_it_would_keep_is_503(
    webhooks: ModuleType, jira_cloud: JiraCloud, reason: str
) -> None:
    jira_cloud.wire.fail(SEND, QUEUE_ERRORS[reason])

    answer = answer_to(webhooks, comment_event())

    assert answer["statusCode"] == 503
    assert int(answer["headers"]["Retry-After"]) > 0


class _ProcessKilledError(BaseException):
    """The process ends here: nothing catches it."""


def test_the_senders_retry_repairs_a_crash_between_table_and_queue(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    jira_cloud.wire.fail(SEND, _ProcessKilledError(), times=1)
    with pytest.raises(_ProcessKilledError):
        deliver(webhooks, issue_event())
    assert "HEAD" in jira_cloud.rows("OPS-7")
    assert jira_cloud.tasks() == []

    body = deliver(webhooks, issue_event())[1]

    assert (body["status"], body["correlation_queued"]) == ("duplicate", True)
    assert jira_cloud.tasks() == [Task(("OPS-7",))]


@pytest.mark.parametrize("writes_before", range(5))
def test_the_senders_retry_repairs_a_crash_after_any_write_of_a_move(
    webhooks: ModuleType, jira_cloud: JiraCloud, writes_before: int
) -> None:
    deliver(webhooks, issue_event("OPS-7"), "d-0")
    jira_cloud.tasks()
    jira_cloud.wire.fail(SEND if writes_before == 4 else PUT, _ProcessKilledError(), skip=writes_before % 4, times=1)
    with pytest.raises(_ProcessKilledError):
        deliver(webhooks, move_event("OPS-7", "GOLD-2", minute=5))

    assert deliver(webhooks, move_event("OPS-7", "GOLD-2", minute=5))[0] == 202
    assert jira_cloud.rows("OPS-7")["HEAD"]["moved_to"] == {"S": "GOLD-2"}
    assert jira_cloud.rows("GOLD-2")["HEAD"]["deleted"] == {"BOOL": False}
    assert jira_cloud.tasks() == [Task(("GOLD-2", "OPS-7"))]
