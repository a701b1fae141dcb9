"""JSON from outside, read strictly: whatever comes in ends as typed values or as InvalidInputError, never as anything else.

Numbers with a fraction become Decimal, NaN and Infinity are refused, and text that can't be stored (lone surrogates, more
bytes than a limit) is refused where it is used. What is not used is not judged: a strange custom field loses no event.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from lib import clock, errors


def read_object(body: bytes) -> dict[str, Any]:
    """Read ``body`` as one JSON object in UTF-8.

    A key given twice counts as given last, as in every mainstream parser.

    Raises:
        InvalidInputError: it is not UTF-8, not JSON, nested too deeply for the parser, or not an object.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise errors.InvalidInputError("the body is not UTF-8") from None
    except RecursionError:
        raise errors.InvalidInputError("the body is nested too deeply") from None
    except (ValueError, ArithmeticError):  # ArithmeticError: an exponent beyond Decimal's
        raise errors.InvalidInputError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise errors.InvalidInputError("the body is not a JSON object")
    return value


def mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The object ``parent[name]``; None if it is absent or null.

    Raises:
        InvalidInputError: it is something else.
    """
    value = parent.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise errors.InvalidInputError(f"{name} is not an object")


def objects(parent: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The list of objects ``parent[name]``; empty if it is absent or null.

    Raises:
        InvalidInputError: it is something else.
    """
    value = parent.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise errors.InvalidInputError(f"{name} is not a list of objects")
    return value


def text(parent: Mapping[str, Any], name: str, *, max_bytes: int) -> str | None:
    """The text ``parent[name]``; None if it is absent, null or empty.

    Raises:
        InvalidInputError: it is no text, not valid Unicode, or longer than ``max_bytes`` in UTF-8.
    """
    value = parent.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise errors.InvalidInputError(f"{name} is not a text")
    return checked(value, name, max_bytes=max_bytes)


def checked(value: str, name: str, *, max_bytes: int) -> str:
    """``value`` itself, if DynamoDB can store it in at most ``max_bytes``.

    Raises:
        InvalidInputError: it can't.
    """
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        raise errors.InvalidInputError(f"{name} is not valid Unicode") from None
    if size > max_bytes:
        raise errors.InvalidInputError(f"{name} is longer than {max_bytes} bytes")
    return value


def epoch_ms(parent: Mapping[str, Any], name: str) -> int | None:
    """The instant ``parent[name]`` in milliseconds since the epoch; None if it is absent or null.

    Raises:
        InvalidInputError: it is no whole number, or lies outside of the years 1970 to 9999, whose last day is not in it.
    """
    value = parent.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= clock.LAST_EPOCH_MS:
        raise errors.InvalidInputError(f"{name} is not a time in milliseconds")
    return value


def identifier(parent: Mapping[str, Any], name: str) -> str | None:
    """The id ``parent[name]``, which Jira writes as a text of digits in some places and as a number in others.

    Raises:
        InvalidInputError: it is neither.
    """
    value = parent.get(name)
    if value is None or value == "":
        return None
    digits = str(value) if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18 else value
    if not isinstance(digits, str) or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise errors.InvalidInputError(f"{name} is not a numeric id")
    return digits


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
