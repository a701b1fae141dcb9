"""The environment of a function: written by the stack, read by the handler, and by one dataclass for both."""

import dataclasses

import pytest

from lib.platform import errors
from lib.platform.contract import CHANNELS
from lib.platform.environment import Environment
from lib.platform.environment.notification import NotificationEnvironment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Environment):
    """One field of each kind."""

    name: str
    names: tuple[str, ...]
    enabled: bool = False
    count: int = 3
    note: str = "none"


WHOLE = {"NAME": "a", "NAMES": "x, y,,z", "ENABLED": "TRUE", "COUNT": "12", "NOTE": "n"}


def test_every_kind_of_field_is_read() -> None:
    assert Sample.read(WHOLE) == Sample(name="a", names=("x", "y", "z"), enabled=True, count=12, note="n")


def test_optional_fields_have_their_defaults_when_absent_or_empty() -> None:
    assert Sample.read({"NAME": "a", "NAMES": "x", "NOTE": ""}) == Sample(name="a", names=("x",))


@pytest.mark.parametrize("name", ["NAME", "NAMES"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_required_field_that_is_absent_or_empty_is_named(name: str, value: str | None) -> None:
    environ = {key: text for key, text in (WHOLE | {name: value}).items() if text is not None}
    with pytest.raises(errors.ConfigurationError, match=rf"\b{name} is not set"):
        Sample.read(environ)


def test_an_empty_required_list_is_an_error() -> None:
    with pytest.raises(errors.ConfigurationError, match="NAMES is not set"):
        Sample.read(WHOLE | {"NAMES": " , "})


@pytest.mark.parametrize(("name", "value"), [("ENABLED", "yes"), ("COUNT", "many"), ("COUNT", "1.5")])
def test_a_value_of_the_wrong_type_is_named(name: str, value: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=name):
        Sample.read(WHOLE | {name: value})


def test_the_handler_reads_what_the_stack_writes() -> None:
    variables = Sample.variables(name="a", names="x,y", enabled="true")
    assert Sample.read(variables) == Sample(name="a", names=("x", "y"), enabled=True)


def test_the_stack_cannot_forget_a_required_field() -> None:
    with pytest.raises(TypeError, match=r"missing fields \['names'\]"):
        Sample.variables(name="a")


def test_the_stack_cannot_write_a_field_that_nobody_reads() -> None:
    with pytest.raises(TypeError, match=r"unknown fields \['nmae'\]"):
        Sample.variables(nmae="a", names="x")


def test_the_environment_has_arns_of_secrets_and_no_values() -> None:
    secretive = ("token", "secret", "key", "webhook")
    named = [
        field.name for field in dataclasses.fields(NotificationEnvironment) if any(word in field.name for word in secretive)
    ]
    assert named, "the function has secrets"
    assert all(name.endswith("_arn") for name in named)


def test_the_channels_have_names() -> None:
    assert CHANNELS == ("sns", "slack", "teams", "govuk_notify")
