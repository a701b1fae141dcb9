"""Fixtures that are running local clouds and the stand-ins these call, each defined in one statement."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeVar

import pytest

from stack.local.standins.base import StandIn
from tests.support.web.standins import served

Scope = Literal["session", "module"]
Running = TypeVar("Running")


def cloud_fixture(run: Callable[..., AbstractContextManager[Running]], scope: Scope = "session", /, **config: str) -> Any:
    """A fixture that is the cloud that ``run`` starts with this config.

    ``{jira}`` in a value is the URL of the stand-in that the fixture ``jira`` is; see :func:`escaped`.
    """

    @pytest.fixture(scope=scope)
    def cloud(request: pytest.FixtureRequest) -> Iterator[Running]:
        urls = _Urls(request)
        with run(**{key: value.format_map(urls) for key, value in config.items()}) as started:
            yield started

    return cloud


def escaped(value: str) -> str:
    """A config value that has braces of its own."""
    return value.replace("{", "{{").replace("}", "}}")


def standin_fixture(make: Callable[[], StandIn], scope: Scope = "session", /) -> Any:
    """A fixture that is a new stand-in, served over HTTP."""

    @pytest.fixture(scope=scope)
    def standin() -> Iterator[Any]:
        with served(make()) as made:
            yield made

    return standin


class _Urls(dict[str, str]):
    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__()
        self._request = request

    def __missing__(self, fixture: str) -> str:
        return str(self._request.getfixturevalue(fixture).url)
