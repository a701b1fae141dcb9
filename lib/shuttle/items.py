"""Frozen dataclasses to DynamoDB attributes and back, driven by the types of their fields.

``shop_domain: str`` becomes ``ShopDomain: {"S": …}``; times have the canonical form, enumerations their value, nested
dataclasses a map, tuples a list. None is stored as no attribute. ``expires_at`` alone is a number, seconds since the epoch,
as DynamoDB's TTL requires. Reading back checks every type, so that a broken row is an error here and not a surprise later.
Attributes without a field are ignored: a newer version may have written them.
"""

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

from lib.platform import clock, errors
from lib.platform.dynamodb import Condition, Item, number

Entity = TypeVar("Entity")
Attributes = dict[str, Any]

#: The field, and its attribute, that DynamoDB's TTL reads: epoch seconds.
TTL_FIELD = "expires_at"
TTL_ATTRIBUTE = "ExpiresAt"

ABSENT = Condition(expression="attribute_not_exists(#PK)")
"""There is no row with the key."""


class CorruptItemError(errors.PermanentError):
    """A stored row is not what its type says. The message names the attribute, never the value."""


def to_attributes(entity: Any) -> Attributes:
    """The attributes of ``entity``'s fields."""
    return {
        attribute_name(field.name): ttl_attribute(value) if field.name == TTL_FIELD else value_to_attribute(value)
        for field in dataclasses.fields(entity)
        if (value := getattr(entity, field.name)) is not None
    }


def from_attributes(kind: type[Entity], item: Item) -> Entity:
    """The ``kind`` whose fields are in ``item``.

    Raises:
        CorruptItemError: an attribute is missing or of another type, or ``kind`` itself refuses the values.
    """
    values: dict[str, Any] = {}
    for name, hint, has_default in _fields(typing.cast("Any", kind)):
        attribute = item.get(attribute_name(name))
        if attribute is not None:
            where = f"{kind.__name__}.{attribute_name(name)}"
            values[name] = _read_ttl(attribute, where) if name == TTL_FIELD else _read(hint, attribute, where)
        elif not has_default:
            raise CorruptItemError(f"a stored {kind.__name__} has no {attribute_name(name)}")
    try:
        return kind(**values)
    except errors.InvalidInputError as error:
        raise CorruptItemError(f"a stored {kind.__name__} is not valid: {error}") from error


def attribute_name(field_name: str) -> str:
    """The attribute of a field: ``shop_domain`` is ``ShopDomain``."""
    return "".join(part.capitalize() for part in field_name.split("_"))


def ttl_attribute(moment: datetime) -> Attributes:
    """An instant in the form of DynamoDB's TTL: epoch seconds, rounded down."""
    return number(clock.epoch_s(moment))


def has_expired(item: Item, now: datetime) -> bool:
    """Whether a row's time to live is over, though DynamoDB may not have deleted it yet."""
    expiry = item.get(TTL_ATTRIBUTE)
    return expiry is not None and int(expiry["N"]) <= clock.epoch_s(now)


def value_to_attribute(value: Any) -> Attributes:
    """One value in DynamoDB's JSON.

    Raises:
        TypeError: values of this type can't be stored.
    """
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    if dataclasses.is_dataclass(value):
        return {"M": to_attributes(value)}
    raise TypeError(f"values of type {type(value).__name__} can't be stored")


# First match wins: a bool is an int, a datetime a date, and the enumerations are strings.
_WRITERS: tuple[tuple[type[Any], Callable[[Any], Attributes]], ...] = (
    (enum.Enum, lambda value: {"S": str(value.value)}),
    (str, lambda value: {"S": value}),
    (bool, lambda value: {"BOOL": value}),
    (int, number),
    (datetime, lambda value: {"S": clock.canonical(value)}),
    (date, lambda value: {"S": value.isoformat()}),
    (tuple, lambda value: {"L": [value_to_attribute(part) for part in value]}),
    (Mapping, lambda value: {"M": {str(name): value_to_attribute(part) for name, part in value.items()}}),
)


@functools.cache
def _fields(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    hints = typing.get_type_hints(kind)
    missing = dataclasses.MISSING
    return tuple(
        (field.name, hints[field.name], field.default is not missing or field.default_factory is not missing)
        for field in dataclasses.fields(kind)
    )


def _read_ttl(attribute: Item, where: str) -> datetime:
    try:
        return clock.from_epoch_ms(int(attribute["N"]) * 1000)
    except (KeyError, ValueError) as error:
        raise CorruptItemError(f"{where} is not a time in epoch seconds") from error


def _read(hint: Any, attribute: Item, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
        origin = typing.get_origin(hint)
    try:
        if origin is tuple:
            return tuple(_read(typing.get_args(hint)[0], part, where) for part in attribute["L"])
        if origin is not None:  # Mapping[str, …]
            inner = typing.get_args(hint)[1]
            return {name: _read(inner, part, where) for name, part in attribute["M"].items()}
        return _read_plain(hint, attribute, where)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise CorruptItemError(f"{where} is not of type {getattr(hint, '__name__', hint)}") from error


def _read_plain(hint: Any, attribute: Item, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return from_attributes(typing.cast("type[Any]", hint), attribute["M"])
    if hint in _READERS:
        return _READERS[hint](attribute)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(attribute["S"])
    raise TypeError(f"{where}: fields of type {hint} can't be read")


_READERS: dict[Any, Callable[[Item], Any]] = {
    bool: lambda attribute: _exactly(attribute["BOOL"], bool),
    int: lambda attribute: int(attribute["N"]),
    str: lambda attribute: _exactly(attribute["S"], str),
    datetime: lambda attribute: clock.parse(attribute["S"]),
    date: lambda attribute: date.fromisoformat(attribute["S"]),
}


def _exactly(value: Any, kind: type[Entity]) -> Entity:
    if not isinstance(value, kind):
        raise TypeError
    return value
