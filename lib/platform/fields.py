"""Reads untrusted JSON: the result is a typed value or InvalidInputError, never another error.

There are three families of readers:

* ``require_…`` refuse (InvalidInputError) a value that is absent or of another type;
* ``optional_…`` read null or an absent member as None, and refuse one of another type;
* ``…_at`` read a malformed member as absent. They are for members that the caller can do without, so that an odd one never
  loses an event.

A ``name`` is what the error calls the value.
"""

import enum
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

from lib.platform import clock, errors

Choice = TypeVar("Choice", bound=enum.StrEnum)

_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE_NUMBER = re.compile(r"([0-9]{1,18})(?:\.[0-9]*)?", re.ASCII)
_LONGEST_INTEGER = 100


def decoded(body: bytes) -> str:
    """``body`` as text in UTF-8, without a byte order mark. What is not UTF-8 in it becomes U+FFFD."""
    return body.decode("utf-8-sig", "replace")


def read_object(body: bytes | str, name: str = "the body") -> dict[str, Any]:
    """Read ``body``, called ``name`` in errors, as one JSON object. Half a surrogate pair in a text becomes U+FFFD.

    A key given twice counts as given last, as in every mainstream parser. Numbers beyond what Python can hold are infinite.

    Raises:
        InvalidInputError: it is not JSON, nested too deeply for the parser, or not an object.
    """
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    try:
        value = json.loads(decoded(body), parse_int=_integer, parse_constant=_refuse_constant)
    except RecursionError:
        raise errors.InvalidInputError(f"{name} is nested too deeply") from None
    except ValueError as error:
        raise not_json(body, error, name) from None
    if not isinstance(value, dict):
        raise errors.InvalidInputError(f"{name} is not a JSON object")
    return value


def not_json(body: bytes, error: Exception, name: str = "the body") -> errors.InvalidInputError:
    """What to say about a ``body`` that a parser refused with ``error``: where, and what is expected."""
    if not body.strip():
        return errors.InvalidInputError(f"{name} is empty: send a JSON object")
    place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
    return errors.InvalidInputError(f"{name} is not JSON{place}: send a JSON object in UTF-8")


def require_object(value: object, name: str) -> Mapping[str, Any]:
    """``value``, if it is a JSON object."""
    if not isinstance(value, Mapping):
        raise errors.InvalidInputError(f"{name} is not a JSON object")
    return value


def require_members(
    value: object, required: Collection[str], optional: Collection[str] = (), *, name: str
) -> Mapping[str, Any]:
    """``value``, if it is an object with all ``required`` members, and no others except ``optional``."""
    given = require_object(value, name)
    for problem in wrong_members(given, required, optional, name=name):
        raise errors.InvalidInputError(problem)
    return given


def wrong_members(
    given: Mapping[str, Any], required: Collection[str], optional: Collection[str] = (), *, name: str
) -> Iterator[str]:
    """What is wrong with the names of the members of ``given``: those that are missing, and one that is unknown."""
    missing = sorted(set(required) - given.keys())
    if missing:
        yield f"{name} lacks {', '.join(missing)}"
    unknown = sorted(str(member) for member in given.keys() - set(required) - set(optional))
    if unknown:
        known = ", ".join(sorted({*required, *optional}))
        yield f"{name} has an unknown field {unknown[0][:40]!a}; known fields: {known}"


def require_list(value: object, name: str, *, example: str = "") -> list[Any]:
    """``value``, if it is a list."""
    if not isinstance(value, list):
        raise errors.InvalidInputError(f"{name} is not a list{f', such as {example}' if example else ''}")
    return value


def require_text(value: object, name: str) -> str:
    """``value``, if it is text."""
    if not isinstance(value, str):
        raise errors.InvalidInputError(f"{name} is not a string")
    return value


def require_integer(value: object, name: str, *, least: int, most: int) -> int:
    """``value``, if it is a whole number from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise errors.InvalidInputError(f"{name} is not a whole number from {least} to {most}")
    return value


def require_flag(value: object, name: str) -> bool:
    """``value``, if it is true or false."""
    if not isinstance(value, bool):
        raise errors.InvalidInputError(f"{name} is neither true nor false")
    return value


def require_choice(value: object, name: str, kind: type[Choice]) -> Choice:
    """The member of ``kind`` that the text ``value`` names.

    Raises:
        InvalidInputError: it names none.
    """
    try:
        return kind(require_text(value, name))
    except ValueError:
        raise errors.InvalidInputError(f"{name} is not one of {', '.join(kind)}") from None


def optional_object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The object ``parent[name]``; None if it is absent or null."""
    value = parent.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise errors.InvalidInputError(f"{name} is not an object")


def optional_objects(parent: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The list of objects ``parent[name]``; empty if it is absent or null."""
    value = parent.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise errors.InvalidInputError(f"{name} is not a list of objects")
    return value


def optional_text(parent: Mapping[str, Any], name: str, *, max_bytes: int) -> str | None:
    """The text ``parent[name]``; None if it is absent, null or empty.

    Raises:
        InvalidInputError: it is not text, not valid Unicode, or longer than ``max_bytes`` in UTF-8.
    """
    value = parent.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise errors.InvalidInputError(f"{name} is not a string")
    return checked(value, name, max_bytes=max_bytes)


def checked(value: str, name: str, *, max_bytes: int) -> str:
    """``value``, if DynamoDB can store it in at most ``max_bytes``, else InvalidInputError."""
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        raise errors.InvalidInputError(f"{name} is not valid Unicode") from None
    if size > max_bytes:
        raise errors.InvalidInputError(f"{name} is longer than {max_bytes} bytes")
    return value


def object_at(parent: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The object at the path ``names`` below ``parent``; empty if it is anything else."""
    for name in names:
        value = parent.get(name)
        parent = value if isinstance(value, dict) else {}
    return parent


def objects_at(parent: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in the list ``parent[name]``, without its other elements; empty if it is not a list."""
    value = parent.get(name)
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []


def text_at(parent: Mapping[str, Any], name: str, *, max_bytes: int) -> str | None:
    """The text ``parent[name]`` as DynamoDB can store it; None if it is empty or not a text.

    Half a surrogate pair becomes U+FFFD, the replacement character. A longer text is cut to ``max_bytes`` in UTF-8.
    """
    value = parent.get(name)
    if not isinstance(value, str):
        return None
    stored = _SURROGATE.sub("\ufffd", value).encode()
    return stored[:max_bytes].decode(errors="ignore") or None


def epoch_ms_at(parent: Mapping[str, Any], name: str, *, earliest: int = 0) -> int | None:
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


def id_at(parent: Mapping[str, Any], name: str) -> str | None:
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
