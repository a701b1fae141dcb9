"""Makes moto read the attributes of DynamoDB items in a tenth of the time, and changes nothing else about its answers.

For each attribute, moto asks four alias providers for the name of each of the ten types that it can have. In an item the type
is the one key of a dict: it is there, or it is not.
"""

from typing import Any

from moto.core import serialize

_pick_by_alias = serialize.AttributePicker.__call__


def speed_up() -> None:
    """Change moto in this process. Calling it again changes nothing."""
    serialize.AttributePicker.__call__ = _pick  # type: ignore[assignment, method-assign]


def _pick(picker: Any, context: Any) -> Any:
    parent = getattr(context.shape, "parent", None)
    if type(context.obj) is dict and parent is not None and parent.name == "AttributeValue":
        return context.obj.get(context.key)
    return _pick_by_alias(picker, context)
