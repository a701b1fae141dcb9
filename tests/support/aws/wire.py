"""The line between a function and AWS: every call that goes over it, and those that fail on it when a test says so."""

import dataclasses
from typing import Any

from botocore.exceptions import ClientError


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call: ``dynamodb.PutItem`` and its parameters."""

    operation: str
    parameters: dict[str, Any]


@dataclasses.dataclass(slots=True)
class _Fault:
    error: BaseException
    skip: int
    left: int
    after: bool


class AwsWire:
    """Watches the clients that it is given."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._faults: dict[str, _Fault] = {}

    def watch(self, client: Any) -> None:
        """Record the calls of ``client``, and let them fail."""
        client.meta.events.register("before-parameter-build", self._before)
        client.meta.events.register("after-call", self._after)

    def leave(self, client: Any) -> None:
        """Watch ``client`` no more."""
        client.meta.events.unregister("before-parameter-build", self._before)
        client.meta.events.unregister("after-call", self._after)

    def fail(self, operation: str, error: BaseException, *, skip: int = 0, times: int = 1_000_000, after: bool = False) -> None:
        """From now on, let ``skip`` calls of ``operation`` pass, and the next ``times`` fail.

        With ``after``, the call takes effect and its answer is lost.
        """
        self._faults[operation] = _Fault(error, skip, times, after)

    def clear_faults(self) -> None:
        """Let every call pass again."""
        self._faults.clear()

    @property
    def operations(self) -> list[str]:
        """What was called since :meth:`forget`, in order."""
        return [call.operation for call in self.calls]

    def named(self, operation: str) -> list[Call]:
        """The calls of one operation."""
        return [call for call in self.calls if call.operation == operation]

    def forget(self) -> None:
        """Forget the calls so far."""
        self.calls.clear()

    def _before(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        operation = _name(model)
        self.calls.append(Call(operation, params))
        fault = self._faults.get(operation)
        if fault is not None and not fault.after:
            self._play(fault)

    def _after(self, model: Any, **_: Any) -> None:
        fault = self._faults.get(_name(model))
        if fault is not None and fault.after:
            self._play(fault)

    @staticmethod
    def _play(fault: _Fault) -> None:
        if fault.skip:
            fault.skip -= 1
        elif fault.left:
            fault.left -= 1
            raise fault.error


def _name(model: Any) -> str:
    return f"{model.service_model.service_name}.{model.name}"


def aws_error(code: str, status: int = 400, operation: str = "Operation", **content: Any) -> ClientError:
    """A service's answer with the error ``code`` and further ``content``."""
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}, **content}
    return ClientError(answer, operation)
