"""The Lambda Runtime API, from which ``awslambdaric`` gets its invocations. Each process has its own server.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response


@dataclass(frozen=True, slots=True)
class Result:
    """How one invocation ended.

    Attributes:
        payload: the function's answer, or its error object, as JSON text.
        error: the value of ``X-Amz-Function-Error``; empty if the function answered.
        request_id: the invocation's id, ``run_id`` on every log line.
        seconds: how long it ran; None if no process got it.
        version: of the function; ``$LATEST`` for one that is not published.
    """

    payload: bytes
    error: str
    request_id: str
    seconds: float | None = None
    version: str = ""


@dataclass(slots=True)
class Invocation:
    """One event for a function."""

    payload: bytes
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_arn: str = ""
    """What was invoked: the ARN with the alias or version, if one was named."""
    started: float | None = None
    """When a process got the event, on the monotonic clock."""
    result: Result | None = None

    def settle(self, payload: bytes, error: str = "") -> None:
        """Set the result. Only the first one counts."""
        if self.result is None:
            seconds = None if self.started is None else time.monotonic() - self.started
            self.result = Result(payload, error, self.request_id, seconds)


class Mailbox:
    """Hands invocations from the callers of a function to one process of it, one at a time."""

    def __init__(self) -> None:
        self.init_error: dict[str, Any] | None = None
        """Why the process could not import its handler."""
        self._changed = threading.Condition()
        self._waiting: Invocation | None = None
        self._current: Invocation | None = None
        self._deadline = 0.0
        self._timeout_seconds = 0.0
        self._has_asked = False
        self._has_ended = False

    def deliver(self, invocation: Invocation, timeout_seconds: float, init_seconds: float) -> bool:
        """Have the process work on an invocation, and wait until it has a result or the process has ended.

        Without a result the invocation is for another process, as Lambda gives it to a new sandbox. But if this process ended
        before it asked for any, it fails, as on Lambda when a sandbox can't be initialised: the next would probably fail too.

        Returns:
            False if one of the time limits passed first: then kill the process.
        """
        with self._changed:
            self._waiting, self._timeout_seconds = invocation, timeout_seconds
            self._changed.notify_all()
            in_time = self._changed.wait_for(lambda: self._waiting is None or self._has_ended, init_seconds)
            if in_time and self._current is invocation:
                left = self._deadline - time.monotonic()
                in_time = self._changed.wait_for(lambda: self._current is None or self._has_ended, left)
            if self._has_ended and not self._has_asked:
                invocation.settle(json.dumps(self.init_error).encode(), "Unhandled")
            return in_time

    def take(self, hung_up: Callable[[], bool]) -> tuple[Invocation, float] | None:
        """Wait for an invocation, for the runtime's ``next``: it, and how long it may take.

        None if the process has ended, or ``hung_up`` says that it has died: the invocation stays for another process, as Lambda
        gives it to a new sandbox.
        """
        with self._changed:
            self._has_asked = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting is not None or self._has_ended)
            if self._waiting is None or self._has_ended or hung_up():
                return None
            self._current, self._waiting = self._waiting, None
            self._current.started = time.monotonic()
            self._deadline = self._current.started + self._timeout_seconds
            self._changed.notify_all()
            return self._current, self._timeout_seconds

    def answer(self, request_id: str, payload: bytes, error: str = "") -> bool:
        """Set the result of the current invocation; False if ``request_id`` is another's."""
        with self._changed:
            if self._current is None or self._current.request_id != request_id:
                return False
            self._current.settle(payload, error)
            self._current = None
            self._changed.notify_all()
        return True

    def fail_init(self, error: dict[str, Any]) -> None:
        """Record that the process could not import its handler."""
        with self._changed:
            self.init_error = error
            self._changed.notify_all()

    def end(self, kind: str, message: str) -> Invocation | None:
        """Record that the process has ended. Its current invocation fails, and is returned."""
        with self._changed:
            self._has_ended = True
            self.init_error = self.init_error or {"errorType": kind, "errorMessage": message}
            failed, self._current = self._current, None
            if failed is not None:
                error = {"errorType": kind, "errorMessage": f"RequestId: {failed.request_id} Error: {message}"}
                failed.settle(json.dumps(error).encode(), "Unhandled")
            self._changed.notify_all()
            return failed


class RuntimeApi:
    """The WSGI application that serves a mailbox to its process."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        request = Request(environ)
        return self._route(request, request.path.removeprefix("/2018-06-01/runtime/"))(environ, start_response)

    def _route(self, request: Request, path: str) -> Response:
        if path == "invocation/next" and request.method == "GET":
            return _next(self._mailbox, request.environ["werkzeug.socket"])
        if path == "init/error" and request.method == "POST":
            self._mailbox.fail_init(_error_of(request))
            return Response('{"status":"OK"}', 202, content_type="application/json")
        parts = path.split("/")
        if len(parts) == 3 and parts[0] == "invocation" and request.method == "POST" and parts[2] in {"response", "error"}:
            failed = parts[2] == "error"
            if self._mailbox.answer(parts[1], request.get_data(), "Unhandled" if failed else ""):
                return Response('{"status":"OK"}', 202, content_type="application/json")
            return _refusal(400, "InvalidRequestID")
        return _refusal(404, "no such path")


def _next(mailbox: Mailbox, connection: socket.socket) -> Response:
    taken = mailbox.take(lambda: _is_closed(connection))
    if taken is None:
        return _refusal(410, "the process was replaced")
    invocation, seconds = taken
    return Response(
        invocation.payload,
        200,
        {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
        },
        content_type="application/json",
    )


def _is_closed(connection: socket.socket) -> bool:
    """Whether the other side has closed the connection: a process that waits for its answer sends nothing."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable)


def _error_of(request: Request) -> dict[str, Any]:
    try:
        error = json.loads(request.get_data())
    except ValueError:
        error = None
    return error if isinstance(error, dict) else {"errorType": "Runtime.InitError", "errorMessage": "unreadable"}


def _refusal(status: int, message: str) -> Response:
    return Response(json.dumps({"errorMessage": message}), status, content_type="application/json")
