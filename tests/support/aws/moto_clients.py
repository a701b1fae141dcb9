"""Clients of ``lib.platform.aws`` whose calls moto answers in this process, and clients whose answers get lost on the way."""

import contextlib
import functools
import os
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError
from moto.core import patch_client
from moto.core.models import MockAWS, botocore_stubber, reset_model_data

from lib.platform import aws
from tests.support.aws.wire import aws_error


class _MockedClients(MockAWS):
    """``mock_aws`` for clients of botocore only. For those of ``requests``, it would register a thousand URLs each time."""

    def _enable_patching(self, reset: bool = True) -> None:
        botocore_stubber.enabled = True
        if reset:
            self.reset()

    def _disable_patching(self, remove_data: bool) -> None:
        botocore_stubber.enabled = False
        if remove_data:
            self.reset()
            reset_model_data()


mocked = _MockedClients
"""A context in which moto answers the patched clients, from an AWS that is empty at first."""

_make_client = aws.make_client


def patched_client(service: str, *, owner: str = "everybody", **options: float) -> Any:
    """``lib.platform.aws.make_client``, for moto. ``owner`` gets the same client in every test: a new one takes as long as ten
    calls.
    """
    elsewhere = "AWS_ENDPOINT_URL_"
    variables = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("AWS_") and (not name.startswith(elsewhere) or name == elsewhere + service.upper())
    }
    return _client_of(owner, service, frozenset(variables.items()), frozenset(options.items()))


@functools.lru_cache(maxsize=64)
def _client_of(_: str, service: str, __: frozenset[Any], options: frozenset[tuple[str, float]]) -> Any:
    client = _make_client(service, **dict(options))
    patch_client(client)
    return client


@contextlib.contextmanager
def moto_client(service: str) -> Iterator[Any]:
    """The client of ``service``, on an AWS that is empty at first."""
    with mocked():
        yield patched_client(service)


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
