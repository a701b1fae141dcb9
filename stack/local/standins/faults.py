"""The faults of a stand-in, for tests: a slow answer, no answer, a broken connection, an error.

A fault comes before the request takes effect or after it. After it, the work is done and the caller can't know::

    before   request ──► fault                    nothing happened
    after    request ──► effect ──► fault         it happened; the caller gets no answer or a wrong one
"""

import os
import socket
import struct
import threading
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NoReturn, get_origin, get_type_hints

from werkzeug.wrappers import Request, Response

_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", dict: "an object"}
_RANGES = {"times": (1, 1_000_000), "skip": (0, 1_000_000), "hang": (0, 3600), "status": (200, 599)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of the next requests.

    Attributes:
        path: the path, or a pattern of it with ``*``.
        method: the HTTP method; empty for any.
        times: how many requests it affects.
        skip: how many matching requests pass before the first.
        hang: seconds to wait first. A reset of the stand-in ends the wait.
        status: answer with this HTTP status, ``headers`` and ``body``.
        headers: of the answer with ``status``.
        body: of the answer with ``status``.
        error: answer as the API does with an error of this name.
        reset: break the connection (TCP RST) instead of answering.
        after: let the request take effect before the fault.
    """

    path: str
    method: str = ""
    times: int = 1
    skip: int = 0
    hang: float = 0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    error: str = ""
    reset: bool = False
    after: bool = False

    @classmethod
    def parse(cls, value: Any) -> "Fault":
        """The fault of a JSON object.

        Raises:
            ValueError: not an object, an unknown field, or a value of the wrong type or out of range.
        """
        if not isinstance(value, dict) or "path" not in value:
            raise ValueError('a fault must be an object with at least "path"')
        kinds = {name: get_origin(kind) or kind for name, kind in get_type_hints(cls).items()}
        for name, given in value.items():
            if name not in kinds:
                raise ValueError(f"a fault has no field {name!r}; it has {', '.join(kinds)}")
            accepted = (int, float) if kinds[name] is float else kinds[name]
            if not isinstance(given, accepted) or (isinstance(given, bool) and kinds[name] is not bool):
                raise ValueError(f"{name} must be {_KINDS[kinds[name]]}")
            if name in _RANGES and not _RANGES[name][0] <= given <= _RANGES[name][1]:
                raise ValueError("{} must be from {:,} to {:,}".format(name, *_RANGES[name]))
        return cls(**value)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A fault that remains ``times`` times, after ``skip`` requests."""

    fault: Fault
    skip: int
    times: int


class Faults:
    """The faults that remain; the first that matches a request applies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._released = threading.Event()

    def add(self, fault: Fault) -> None:
        """Inject ``fault`` into the next requests that it matches."""
        with self._lock:
            self._waiting.append(_Waiting(fault, fault.skip, fault.times))

    def as_json(self) -> list[dict[str, Any]]:
        """The faults that remain: their fields, with the requests that each still passes (``skip``) and affects (``times``)."""
        with self._lock:
            return [{**asdict(waiting.fault), "skip": waiting.skip, "times": waiting.times} for waiting in self._waiting]

    def clear(self) -> None:
        """Forget all faults and let hanging requests continue."""
        with self._lock:
            self._waiting = []
            self._released.set()
            self._released = threading.Event()

    def take(self, request: Request) -> Fault | None:
        """The fault of this request, used once by that; None if there is none."""
        with self._lock:
            for waiting in self._waiting:
                fault = waiting.fault
                if not fnmatchcase(request.path, fault.path) or fault.method not in {"", request.method}:
                    continue
                if waiting.skip:
                    waiting.skip -= 1
                    continue
                waiting.times -= 1
                if waiting.times < 1:
                    self._waiting.remove(waiting)
                return fault
        return None

    def wait(self, fault: Fault) -> None:
        """Hang as long as the fault says."""
        if fault.hang > 0:
            self._released.wait(fault.hang)


def break_connection(request: Request) -> NoReturn:
    """Reset the request's connection.

    Raises:
        ConnectionResetError: always; the server drops the request.
    """
    connection: socket.socket | None = request.environ.get("werkzeug.socket")
    if connection is not None:
        # Linger 0 makes close() send RST. detach() gets at the one descriptor that the server's file objects share.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(connection.detach())
    raise ConnectionResetError("a fault of the stand-in broke the connection")


def plain_answer(fault: Fault) -> Response:
    """The answer of a fault with a status."""
    return Response(fault.body, fault.status, fault.headers, content_type=fault.headers.get("Content-Type", "text/plain"))
