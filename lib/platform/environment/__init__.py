"""The environment of each function: one dataclass per function, which the stack writes and the handler reads.

Each has its own module, because making a dataclass takes a millisecond of a cold start.

The environment variable of a field is its name in capitals. Lists are comma-separated. An optional field that is not
set is absent. It contains the ARNs of secrets, never their values.
"""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Self, get_args, get_origin

from lib.platform import errors


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The base of every function's environment."""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the fields from environment variables.

        Raises:
            ConfigurationError: a required variable is missing or empty, or one does not have its field's type.
        """
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            text = environ.get(field.name.upper(), "")
            value = _parse(field.name.upper(), text, field.type) if text else ()
            if value != ():
                values[field.name] = value
            elif field.default is dataclasses.MISSING:
                raise errors.ConfigurationError(f"the environment variable {field.name.upper()} is not set")
        return cls(**values)

    @classmethod
    def variables(cls, **values: Any) -> dict[str, Any]:
        """The environment variables that carry ``values``, given by field name: the inverse of :meth:`read`.

        Empty values are left out. Values that are not known yet (outputs of the stack) are passed as they are.

        Raises:
            TypeError: a required field is missing or empty, or there is no field of that name.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        written = {name: text for name, value in values.items() if not isinstance(text := _format(value), str) or text}
        unknown = values.keys() - fields.keys()
        missing = {name for name, field in fields.items() if field.default is dataclasses.MISSING} - written.keys()
        if unknown or missing:
            raise TypeError(f"{cls.__name__}: unknown fields {sorted(unknown)}, missing fields {sorted(missing)}")
        return {name.upper(): value for name, value in written.items()}


def _format(value: Any) -> Any:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def _parse(name: str, text: str, kind: Any) -> Any:
    if get_origin(kind) is tuple and get_args(kind)[0] is str:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is bool:
        if text.lower() not in {"true", "false"}:
            raise errors.ConfigurationError(f"the environment variable {name} must be true or false, not {text[:40]!r}")
        return text.lower() == "true"
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise errors.ConfigurationError(f"the environment variable {name} must be a whole number") from None
    return text
