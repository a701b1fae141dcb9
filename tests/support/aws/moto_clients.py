"""Clients of ``lib.platform.aws`` whose calls moto answers in this process, and clients whose answers get lost on the way."""

import contextlib
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import patch_client

from lib.platform import aws
from tests.support.aws.wire import aws_error


@contextlib.contextmanager
def moto_client(service: str) -> Iterator[Any]:
    """The client of ``service``, on an AWS that is empty at first."""
    with mock_aws():
        client = aws.make_client(service)
        patch_client(client)
        yield client


def throttled(operation: str) -> ClientError:
    """DynamoDB's answer when a table's capacity is used up."""
    return aws_error("ProvisionedThroughputExceededException", operation=operation)


class Unreliable:
    """A client on a bad line: each call meets the next of ``faults``, and works when there are none left.

    A fault is an error raised before the call, or a pair of an error and ``"after"``: the call takes effect and its answer
    is lost.
    """

    def __init__(self, client: Any, *faults: Exception | tuple[Exception, str]) -> None:
        self._client = client
        self._faults = list(faults)
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**arguments: Any) -> Any:
            self.calls.append(name)
            fault = self._faults.pop(0) if self._faults else None
            if isinstance(fault, tuple):
                method(**arguments)
                raise fault[0]
            if fault is not None:
                raise fault
            return method(**arguments)

        return call
