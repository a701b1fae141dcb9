"""The Lambda Runtime API, from which ``awslambdaric`` gets its invocations. Each function has its own server.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

_LEAVE_SECONDS = 10.0


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
    deadline: float = 0.0
    """On the monotonic clock; set when a process gets the event."""
    function_arn: str = ""
    """What was invoked: the ARN with the alias or version, if one was named."""
    started: float | None = None
    """When a process got the event, on the monotonic clock."""
    _settled: threading.Event = field(default_factory=threading.Event)
    _result: Result | None = None

    def settle(self, payload: bytes, error: str = "") -> None:
        """Set the result. Only the first one counts."""
        if not self._settled.is_set():
            seconds = None if self.started is None else time.monotonic() - self.started
            self._result = Result(payload, error, self.request_id, seconds)
            self._settled.set()

    def wait(self) -> Result:
        """Wait for the result: at most the function's timeout, once a process has the event."""
        self._settled.wait()
        assert self._result is not None  # noqa: S101 (set before the event)
        return self._result


class Mailbox:
    """The invocations of one function: those that wait, and the current one.

    Args:
        timeout_seconds: the limit of one invocation; a change applies to the next.
        is_alive: whether the process that asks for invocations still runs.
    """

    def __init__(self, timeout_seconds: float, is_alive: Callable[[], bool] = lambda: True) -> None:
        self._is_alive = is_alive
        self.timeout_seconds = timeout_seconds
        self._waiting: queue.Queue[Invocation | None] = queue.Queue()
        self._lock = threading.Lock()
        self._current: Invocation | None = None
        self._generation = 0
        self._has_asked = False
        self._replaced = threading.Event()
        self._replaced.set()
        self.has_served = False
        """Whether the current process has answered anything."""
        self.initialised = threading.Event()
        self.init_error: dict[str, Any] | None = None
        """Why the last process could not import its handler; None once one has asked for an invocation."""

    def put(self, invocation: Invocation) -> None:
        """Add an invocation."""
        self._waiting.put(invocation)

    def take(self) -> Invocation | None:
        """Wait for an invocation, for the runtime's ``next``.

        None if its process died or was replaced: the invocation stays for the next process, as Lambda gives it
        to a new sandbox.
        """
        with self._lock:
            generation = self._generation
            retired = not self._replaced.is_set()
            self._has_asked = self._has_asked or not retired
            self.init_error = None
        if retired:
            self._leave()
            return None
        self.initialised.set()
        while True:
            invocation = self._waiting.get()
            with self._lock:
                if generation != self._generation or (invocation is not None and not self._is_alive()):
                    if invocation is not None:
                        self._waiting.put(invocation)  # for the new process
                    break
                if invocation is not None:
                    invocation.started = time.monotonic()
                    invocation.deadline = invocation.started + self.timeout_seconds
                    self._current = invocation
                    return invocation
        self._leave()
        return None

    def _leave(self) -> None:
        """Do not answer a retired process, which would log an error: it is about to be ended."""
        self._replaced.wait(_LEAVE_SECONDS)

    def answer(self, request_id: str, payload: bytes, error: str = "") -> bool:
        """Set the result of the current invocation; False if ``request_id`` is another's."""
        with self._lock:
            current = self._current
            if current is None or current.request_id != request_id:
                return False
            self._current = None
            self.has_served = True
        current.settle(payload, error)
        return True

    def fail_init(self, error: dict[str, Any]) -> None:
        """Note that the process could not import its handler."""
        self.init_error = error
        self.initialised.set()

    def overdue(self) -> bool:
        """Whether the current invocation exceeds the function's timeout."""
        current = self._current
        return current is not None and time.monotonic() > current.deadline

    def retire(self, timeout_seconds: float) -> None:
        """Give the current process nothing more: another version of the function replaces it, with a limit of its own."""
        with self._lock:
            self._replaced.clear()
            self._generation += 1
            self.timeout_seconds = timeout_seconds
        self._waiting.put(None)  # wakes the waiter

    def is_vacated(self) -> bool:
        """Whether a process that was retired has answered its last invocation."""
        return not self._replaced.is_set() and self._current is None

    def replace(self, message: str) -> Invocation | None:
        """Fail the current invocation after its process ended, and return it; end a ``next`` that still waits.

        If the process never asked for an invocation, all waiting ones fail too, as on Lambda when a sandbox can't be
        initialised: the next process would probably fail as well.
        """
        with self._lock:
            self._generation += 1
            has_asked, self._has_asked = self._has_asked or not self._replaced.is_set(), False
            current, self._current = self._current, None
            self.has_served = False
            self._replaced.set()
        self.initialised.clear()
        self._waiting.put(None)  # wakes the old waiter, if there is one; a new one skips it
        if current is not None:
            text = f"RequestId: {current.request_id} Error: {message}"
            kind = "Sandbox.Timedout" if "timed out" in message else "Runtime.ExitError"
            current.settle(json.dumps({"errorType": kind, "errorMessage": text}).encode(), "Unhandled")
        if not has_asked:
            self._settle_waiting(self.init_error or _exit_error(message))
        return current

    def fail_all(self, message: str) -> None:
        """Fail every invocation, because the cloud stops."""
        self.replace(message)
        self._settle_waiting(_exit_error(message))

    def _settle_waiting(self, error: dict[str, Any]) -> None:
        while True:
            try:
                invocation = self._waiting.get_nowait()
            except queue.Empty:
                return
            if invocation is not None:
                invocation.settle(json.dumps(error).encode(), "Unhandled")


class RuntimeApi:
    """The WSGI application that serves one function's mailbox to its process."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        request = Request(environ)
        return self._route(request, request.path.removeprefix("/2018-06-01/runtime/"))(environ, start_response)

    def _route(self, request: Request, path: str) -> Response:
        if path == "invocation/next" and request.method == "GET":
            return _next(self._mailbox)
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


def _next(mailbox: Mailbox) -> Response:
    invocation = mailbox.take()
    if invocation is None:
        return _refusal(410, "the process was replaced")
    remaining = invocation.deadline - time.monotonic()
    return Response(
        invocation.payload,
        200,
        {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + remaining) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
        },
        content_type="application/json",
    )


def _exit_error(message: str) -> dict[str, Any]:
    return {"errorType": "Runtime.ExitError", "errorMessage": message}


def _error_of(request: Request) -> dict[str, Any]:
    try:
        error = json.loads(request.get_data())
    except ValueError:
        error = None
    return error if isinstance(error, dict) else {"errorType": "Runtime.InitError", "errorMessage": "unreadable"}


def _refusal(status: int, message: str) -> Response:
    return Response(json.dumps({"errorMessage": message}), status, content_type="application/json")
