"""A proxy on the loopback interface that breaks one call, or all calls of one kind, on its way to a server behind it.

It is in front of the AWS endpoint (and of Jira's and Slack's stand-ins), so that what a function meets is the real thing:
bytes that do not come, a connection that is cut, half of an answer. It names every call by what was asked, in order.
"""

import contextlib
import enum
import http.client
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.web.wsgi import call_wsgi

LATE_SECONDS = 0.1
HELD_SECONDS = 60.0


class Fault(enum.StrEnum):
    """What can become of a call."""

    LATE = "comes late"
    TOO_LATE = "takes effect and comes too late"
    HANG = "hangs"
    HANG_AFTER = "takes effect and hangs"
    RESET = "is reset"
    RESET_AFTER = "takes effect and is reset"
    ERROR = "is answered 500"
    ERROR_AFTER = "takes effect and is answered 500"
    THROTTLE = "is throttled"
    HALF = "takes effect and is half answered"
    GARBLED = "is answered 502 by something in between"
    KILL = "finds its process killed"
    KILL_AFTER = "takes effect and finds its process killed"

    @property
    def has_effect(self) -> bool:
        """Whether the server behind gets the call."""
        return self in {Fault.LATE, Fault.HALF} or self.value.startswith("takes effect")

    @property
    def outlasts_caller(self) -> bool:
        """Whether the caller gives up before an answer comes."""
        return self in {Fault.TOO_LATE, Fault.HANG, Fault.HANG_AFTER}


Answer = tuple[int, dict[str, str], bytes]
"""A status, headers and a body."""


class FaultProxy:
    """The line to one or more servers. Calls are numbered over all of them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        """The names of the calls since :meth:`forget`."""
        self.fired = 0
        """How many calls were broken since :meth:`break_call`."""
        self.killed = threading.Event()
        self.holding = threading.Event()
        """Set once a call hangs, and has had its effect."""
        self.given_up = threading.Event()
        """Set by the caller of a call that hangs, when it stops waiting."""
        self._lock = threading.Lock()
        self._cleared = threading.Event()
        self._chosen: Callable[[int, str], bool] = lambda position, name: False
        self._fault = Fault.LATE
        self._servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def serve(self, url: str, name_of: Callable[["Asked"], str], app: Any = None) -> str:
        """Listen in place of the server at ``url``, and return the URL to call instead.

        With ``app``, the WSGI application of that server, calls are passed to it directly: a connection less for each.
        """
        proxy = self

        class Handler(_Handler):
            def handle_call(self, asked: Asked) -> None:
                proxy._handle(self, asked, name_of(asked), lambda: _call_app(app, url, asked) if app else _forward(asked, url))

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        self._servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    def forget(self) -> None:
        """Start the count again."""
        with self._lock:
            self.calls.clear()

    def break_call(self, chosen: Callable[[int, str], bool], fault: Fault) -> None:
        """From now on, break the calls that are ``chosen`` by position and name."""
        with self._lock:
            self.calls.clear()
            self._chosen, self._fault, self.fired = chosen, fault, 0
            self._cleared.clear()
            for event in (self.killed, self.holding, self.given_up):
                event.clear()

    def lets_pass(self, call: tuple[str, str, dict[str, str], bytes]) -> bool:
        """Whether a call to AWS is not broken. Then it is counted: it needs no connection."""
        name = aws_name(Asked(*call))
        with self._lock:
            if self._chosen(len(self.calls), name):
                return False
            self.calls.append(name)
            return True

    def keeps_next_waiting(self) -> bool:
        """Whether the caller of the next call waits in vain. Only calls that are chosen by position do."""
        with self._lock:
            return self._fault.outlasts_caller and self._chosen(len(self.calls), "")

    def clear_faults(self) -> None:
        """Let every call pass, and what hangs go."""
        with self._lock:
            self._chosen = lambda position, name: False
        self._cleared.set()
        self.killed.clear()

    def close(self) -> None:
        """Stop."""
        self.clear_faults()
        for server, thread in self._servers:
            server.shutdown()
            server.server_close()
            thread.join()

    def _handle(self, line: "_Handler", asked: "Asked", name: str, forward: Callable[[], "Answer"]) -> None:
        with self._lock:
            position = len(self.calls)
            self.calls.append(name)
            broken = self._chosen(position, name)
            fault = self._fault
            self.fired += broken
        if not broken:
            line.answer(*forward())
            return
        answer = forward() if fault.has_effect else None
        match fault:
            case Fault.LATE:
                time.sleep(LATE_SECONDS)
                assert answer is not None
                line.answer(*answer)
            case Fault.TOO_LATE:
                self.holding.set()
                self.given_up.wait(HELD_SECONDS)
                assert answer is not None
                line.answer(*answer)
            case Fault.HANG | Fault.HANG_AFTER:
                self.holding.set()
                self._cleared.wait(HELD_SECONDS)
                line.cut()
            case Fault.RESET | Fault.RESET_AFTER:
                line.reset()
            case Fault.KILL | Fault.KILL_AFTER:
                self.killed.set()
                line.reset()
            case Fault.HALF:
                assert answer is not None
                line.answer(*answer, share=0.5)
            case Fault.GARBLED:
                line.answer(502, {"Content-Type": "text/plain"}, b"Bad Gateway: no healthy upstream")
            case Fault.ERROR | Fault.ERROR_AFTER:
                line.answer(*error_answer(asked, name, 500, "InternalServerError"))
            case Fault.THROTTLE:
                line.answer(*_throttled(asked, name))


class Asked:
    """One request."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body

    def header(self, name: str) -> str:
        """A header's value by its name in lower case; empty if it is not there."""
        return self.headers.get(name, "")


def aws_name(asked: Asked) -> str:
    """``dynamodb.PutItem``: the service that the signature is for, and the operation."""
    signed_for = re.search(r"/([a-z0-9-]+)/aws4_request", asked.header("authorization") + asked.path.replace("%2F", "/"))
    service = signed_for[1] if signed_for else "aws"
    if target := asked.header("x-amz-target"):
        return f"{service}.{target.rpartition('.')[2]}"
    if asked.header("content-type").startswith("application/x-www-form-urlencoded"):
        return f"{service}.{parse_qs(asked.body.decode()).get('Action', ['?'])[0]}"
    if service == "lambda":
        return "lambda.Invoke"
    return f"{service}.{_s3_operation(asked)}"


def _s3_operation(asked: Asked) -> str:
    query = urlsplit(asked.path).query
    if asked.method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if asked.method == "PUT":
        return "UploadPart" if "partNumber" in query else "PutObject"
    if "uploadId" in query:
        return {"GET": "ListParts", "DELETE": "AbortMultipartUpload"}.get(asked.method, asked.method)
    return {"GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}.get(asked.method, asked.method)


def path_name(service: str) -> Callable[[Asked], str]:
    """Names a call of ``service`` by method and path, with keys and ids left out."""

    def name(asked: Asked) -> str:
        path = urlsplit(asked.path).path.removeprefix("/rest/api/3/").removeprefix("/api/").strip("/")
        plain = re.sub(r"[A-Z0-9]+-\d+|(?<=/)\d+$|(?<=project/)\w+", "…", path)
        return f"{service}.{asked.method} {plain}"

    return name


def error_answer(asked: Asked, name: str, status: int, code: str) -> tuple[int, dict[str, str], bytes]:
    """A service's own form of an error."""
    if name.startswith(("s3.", "sns.")):
        text = f"<ErrorResponse><Error><Type>Receiver</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
        if name.startswith("s3."):
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
        return status, {"Content-Type": "text/xml"}, text.encode()
    if name.startswith("slack."):
        return status, {"Content-Type": "application/json"}, b'{"ok": false, "error": "internal_error"}'
    kind = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-ErrorType": code}
    return status, kind, json.dumps({"__type": code, "message": "no", "errorMessages": ["no"]}).encode()


def _throttled(asked: Asked, name: str) -> tuple[int, dict[str, str], bytes]:
    service = name.partition(".")[0]
    status, code = {
        "dynamodb": (400, "ProvisionedThroughputExceededException"),
        "s3": (503, "SlowDown"),
        "sns": (400, "Throttling"),
        "lambda": (429, "TooManyRequestsException"),
    }.get(service, (400, "ThrottlingException"))
    if service in {"jira", "slack"}:
        return 429, {"Content-Type": "application/json", "Retry-After": "0"}, b'{"ok": false, "error": "ratelimited"}'
    return error_answer(asked, name, status, code)


def _passed_on(asked: Asked) -> dict[str, str]:
    left_out = {"connection", "expect", "transfer-encoding", "content-length"}
    return {name: value for name, value in asked.headers.items() if name not in left_out}


def _call_app(app: Any, url: str, asked: Asked) -> Answer:
    status, headers, body = call_wsgi(
        app, asked.method, asked.path, {**_passed_on(asked), "host": urlsplit(url).netloc}, asked.body
    )
    length = {} if asked.method == "HEAD" else {"Content-Length": str(len(body))}
    return status, {**headers, **length}, body


def _forward(asked: Asked, url: str) -> Answer:
    upstream = urlsplit(url)
    connection = http.client.HTTPConnection(upstream.hostname or "", upstream.port or 80, timeout=HELD_SECONDS)
    with contextlib.closing(connection):
        headers = {**_passed_on(asked), "content-length": str(len(asked.body))}
        connection.request(asked.method, asked.path, asked.body, headers)
        answer = connection.getresponse()
        body = answer.read()
        hop = {"connection", "transfer-encoding", "content-length", "date", "server"}
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in hop}
        length = answer.getheader("Content-Length") if asked.method == "HEAD" else None
        return answer.status, kept | ({"Content-Length": length} if length else {}), body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_call(self, asked: Asked) -> None:
        raise NotImplementedError

    def _call(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.handle_call(Asked(self.command, self.path, headers, self._body()))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _call  # noqa: N815 - the base class's names

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status: int, headers: dict[str, str], body: bytes, share: float = 1.0) -> None:
        """Send an answer, or just the first ``share`` of its body and then nothing."""
        with contextlib.suppress(OSError):  # the caller has hung up
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: int(len(body) * share)])
            if share < 1.0:
                self.cut()

    def cut(self) -> None:
        """Hang up."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Hang up as a machine does that has forgotten the connection: by RST, which closing with data unsent makes."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def log_message(self, *_: Any) -> None:
        pass


def nth(wanted: int) -> Callable[[int, str], bool]:
    """Chooses one call by its position."""
    return lambda position, name: position == wanted


def from_nth(wanted: int, operation: str) -> Callable[[int, str], bool]:
    """Chooses every call of an operation from a position on: the fault lasts."""
    return lambda position, name: position >= wanted and name == operation


@contextlib.contextmanager
def fault_proxy() -> Iterator[FaultProxy]:
    """A proxy, stopped at the end."""
    proxy = FaultProxy()
    try:
        yield proxy
    finally:
        proxy.close()
