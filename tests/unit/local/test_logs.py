"""The local cloud's log shipper: the first lines of a stream go through the AWS API, the others straight to moto."""

import queue
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends

from stack.local.logs import LogShipper
from tests.support.aws.environment import REGION
from tests.support.aws.moto_clients import mocked

GROUP = "/aws/lambda/imports"


class Logs:
    """A log group, its shipper, and what the shipper asks for over the API."""

    def __init__(self) -> None:
        self.client = boto3.client("logs", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")
        self.client.create_log_group(logGroupName=GROUP)
        self.shipper = LogShipper(lambda _: self.client, logs_backends[DEFAULT_ACCOUNT_ID][REGION], lambda _: None, echo=False)
        self.requests: queue.Queue[str] = queue.Queue()
        self.refused = 0
        self.client.meta.events.register("before-call.logs", self._before)

    def _before(self, model: Any, **_: Any) -> None:
        if model.name == "PutLogEvents" and self.refused:
            self.refused -= 1
            self.requests.put("refused")
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, model.name)
        self.requests.put(model.name)

    def write(self, line: str, *requests: str) -> None:
        """Write a line, and wait for these requests."""
        self.shipper.write(GROUP, "stream", line)
        assert [self.requests.get(timeout=5) for _ in requests] == list(requests)

    def lines(self) -> list[str]:
        self.shipper.close()
        assert self.requests.empty()
        return [event["message"] for event in self.client.filter_log_events(logGroupName=GROUP)["events"]]


@pytest.fixture
def logs() -> Iterator[Logs]:
    with mocked():
        yield Logs()


def test_only_the_first_lines_of_a_stream_take_requests(logs: Logs) -> None:
    logs.write("first", "CreateLogStream", "PutLogEvents")
    logs.write("second")

    assert logs.lines() == ["first", "second"]


def test_lines_that_are_refused_lose_no_later_ones(logs: Logs, capsys: pytest.CaptureFixture[str]) -> None:
    logs.refused = 1
    logs.write("lost", "CreateLogStream", "refused")
    logs.write("second", "CreateLogStream", "PutLogEvents")
    logs.write("third")

    assert logs.lines() == ["second", "third"]
    assert capsys.readouterr().err.count("lost log lines") == 1
