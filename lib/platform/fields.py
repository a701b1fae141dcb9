"""JSON from outside: whatever arrives ends as typed values or as InvalidInputError, never as anything else.

There are two kinds of readers. :func:`mapping`, :func:`objects` and :func:`text` are for a member that the caller can't do
without: they refuse one of another type. :func:`part`, :func:`parts`, :func:`words`, :func:`identifier` and :func:`epoch_ms`
are for a member that the caller can do without: they read a malformed one as absent, so that it never loses an event.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from lib.platform import clock, errors

_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE_NUMBER = re.compile(r"([0-9]{1,18})(?:\.[0-9]*)?", re.ASCII)
_LONGEST_INTEGER = 100


def decoded(body: bytes) -> str:
    """``body`` as text in UTF-8, without a byte order mark. What is not UTF-8 in it becomes U+FFFD."""
    return body.decode("utf-8-sig", "replace")


def read_object(body: bytes) -> dict[str, Any]:
    """Read ``body`` as one JSON object.

    A key given twice counts as given last, as in every mainstream parser. Numbers beyond what Python can hold are infinite.

    Raises:
        InvalidInputError: it is not JSON, nested too deeply for the parser, or not an object.
    """
    try:
        value = json.loads(decoded(body), parse_int=_integer, parse_constant=_refuse_constant)
    except RecursionError:
        raise errors.InvalidInputError("the body is nested too deeply") from None
    except ValueError:
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


def part(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object ``parent[name]``; empty if it is anything else."""
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def parts(parent: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in the list ``parent[name]``, without its other elements; empty if it is not a list."""
    value = parent.get(name)
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []


def words(parent: Mapping[str, Any], name: str, *, max_bytes: int) -> str | None:
    """The text ``parent[name]`` as DynamoDB can store it; None if it is empty or not a text.

    Half a surrogate pair becomes U+FFFD, the replacement character. A longer text is cut to ``max_bytes`` in UTF-8.
    """
    value = parent.get(name)
    if not isinstance(value, str):
        return None
    stored = _SURROGATE.sub("\ufffd", value).encode()
    return stored[:max_bytes].decode(errors="ignore") or None


def epoch_ms(parent: Mapping[str, Any], name: str, *, earliest: int = 0) -> int | None:
    """The instant ``parent[name]`` in whole milliseconds since the epoch; None if it is anything else.

    It may be a number with a fraction or a text of digits, as some senders write it. An instant before ``earliest`` or after
    9999-12-30 counts as absent.
    """
    value = parent.get(name)
    if isinstance(value, str) and (digits := _WHOLE_NUMBER.fullmatch(value.strip())):
        value = int(digits[1])
    if isinstance(value, bool) or not isinstance(value, int | float) or not earliest <= value <= clock.LAST_EPOCH_MS:
        return None
    return int(value)


def identifier(parent: Mapping[str, Any], name: str) -> str | None:
    """The id ``parent[name]`` as digits, which Jira writes as a text or as a number; None if it is anything else."""
    value = parent.get(name)
    digits = str(value) if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18 else value
    if not isinstance(digits, str) or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        return None
    return digits


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _LONGEST_INTEGER else float(text)  # Python refuses to read very long integers


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
