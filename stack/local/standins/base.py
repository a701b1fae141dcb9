"""The base of every stand-in: faults, and the controls under ``/_standin/`` (docs/reference/local-cloud.md)."""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

from stack.local.standins.faults import Fault, Faults, break_connection, plain_answer

CONTROL = "/_standin/"


class StandIn(ABC):
    """A stand-in as a WSGI application. ``lock`` guards the state of subclasses: hold it to read or write that.

    ``errors`` are the names that :meth:`failure` takes; empty for any.
    """

    errors: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.faults = Faults()

    @abstractmethod
    def answer(self, request: Request) -> Response:
        """The real API's answer to a request."""

    @abstractmethod
    def failure(self, request: Request, name: str, /) -> Response:
        """The real API's answer with an error called ``name``, for any request."""

    @abstractmethod
    def control(self, request: Request, name: str) -> Response | None:
        """The answer to ``/_standin/<name>``; None if there is no such control."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything that arrived."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer as a WSGI application."""
        request = Request(environ)
        respond = self._control if request.path.startswith(CONTROL) else self._answer
        return respond(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        fault = self.faults.take(request)
        if fault is None:
            return self.answer(request)
        request.get_data()  # an unread body would give the caller another error
        answered = self.answer(request) if fault.after else None
        self.faults.wait(fault)
        if fault.reset:
            break_connection(request)
        if fault.status:
            return plain_answer(fault)
        if fault.error:
            return self.failure(request, fault.error)
        return answered or self.answer(request)

    def _control(self, request: Request) -> Response:
        name = request.path.removeprefix(CONTROL)
        match (request.method, name):
            case ("GET", "faults"):
                return as_json({"faults": self.faults.as_json()})
            case ("POST", "faults"):
                return self._add_faults(request)
            case ("DELETE", "faults"):
                self.faults.clear()
            case ("POST", "reset"):
                self.faults.clear()
                with self.lock:
                    self.reset()
            case _:
                return self.control(request, name) or as_json({"error": f"no control {request.method} {name}"}, 404)
        return as_json({"ok": True})

    def _add_faults(self, request: Request) -> Response:
        try:
            given = json.loads(request.get_data())
            faults = [Fault.parse(value) for value in (given if isinstance(given, list) else [given])]
            for fault in faults:
                if fault.error and self.errors and fault.error not in self.errors:
                    raise ValueError(f"there is no error {fault.error!r}; there are {', '.join(self.errors)}")
        except json.JSONDecodeError:
            return as_json({"error": "the body is not JSON"}, 400)
        except (ValueError, RecursionError) as error:
            return as_json({"error": describe(error)}, 400)
        for fault in faults:
            self.faults.add(fault)
        return as_json({"ok": True})


def describe(error: Exception) -> str:
    """What was wrong with the body of a control."""
    return f"{error} is missing or unknown" if isinstance(error, KeyError) else str(error)


def as_json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(json.dumps(value), status, headers, content_type="application/json; charset=utf-8")
