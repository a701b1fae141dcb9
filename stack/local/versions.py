"""Resolves a function's name or ARN to a configuration, by the aliases and published versions that moto has.

All versions run the same sources, those of this checkout: a version keeps its environment, timeout, memory, handler and role.
"""

import re
from dataclasses import dataclass
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends

from stack.local.functions import LATEST, FunctionSpec

_REFERENCE = re.compile(r"(?:.*:?function:)?(?P<name>[\w-]+)(?::(?P<qualifier>\$LATEST|[\w-]+))?", re.ASCII)


class FunctionNotFoundError(LookupError):
    """There is no function, version or alias of that name or ARN."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A function as a caller names it. Without a qualifier, that is empty."""

    name: str
    qualifier: str

    @classmethod
    def read(cls, function: str, qualifier: str = "") -> "Reference":
        """Read a name, an ARN or ``<account>:function:<name>``, each with or without a qualifier.

        Raises:
            FunctionNotFoundError: it has another form.
        """
        match = _REFERENCE.fullmatch(function)
        if match is None:
            raise FunctionNotFoundError(f"Function not found: {function}")
        return cls(match["name"], match["qualifier"] or qualifier)

    def __str__(self) -> str:
        return f"{self.name}:{self.qualifier}" if self.qualifier else self.name


@dataclass(frozen=True, slots=True)
class Target:
    """A resolved reference: the configuration, and the ARN that the function sees as its own."""

    reference: Reference
    spec: FunctionSpec

    @property
    def arn(self) -> str:
        """The ARN that was invoked."""
        return f"{self.spec.arn}:{self.reference.qualifier}" if self.reference.qualifier else self.spec.arn


class Versions:
    """The configurations of the functions of one local cloud."""

    def __init__(self, account_id: str, region: str) -> None:
        self._backend: Any = lambda_backends[account_id][region]
        self._published: dict[tuple[str, str], FunctionSpec] = {}

    def resolve(self, reference: Reference) -> Target:
        """Resolve ``reference`` to its current target.

        Raises:
            FunctionNotFoundError: there is no such function, version or alias.
        """
        try:
            found = self._backend.get_function(reference.name, reference.qualifier or None)
        except UnknownFunctionException:
            raise FunctionNotFoundError(f"Function not found: {reference}") from None
        key = (found.function_name, str(found.version))
        if key[1] == LATEST:
            return Target(reference, self._spec_of(found))
        if key not in self._published:  # a published version never changes
            self._published[key] = self._spec_of(found)
        return Target(reference, self._published[key])

    def _spec_of(self, function: Any) -> FunctionSpec:
        return FunctionSpec(
            name=function.function_name,
            arn=function.function_arn.partition(f":{function.function_name}")[0] + f":{function.function_name}",
            version=str(function.version),
            handler=function.handler,
            timeout_seconds=function.timeout,
            memory_mb=function.memory_size,
            environment=dict(function.environment_vars),
            log_group=function.logging_config["LogGroup"],
            log_format=function.logging_config["LogFormat"],
            role_arn=function.role,
            reserved_concurrency=self._backend.get_function(function.function_name).reserved_concurrency,
        )
