"""Serves a WSGI application on loopback, with a thread per connection.

h11 reads requests and writes answers: what is malformed is refused, and where a message ends is never a guess. Werkzeug's own
server closes the connection after each request; here it stays open, which under load saves a sixth of the local cloud's CPU.
"""

import contextlib
import errno
import io
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from http.client import HTTPMessage
from typing import Any, ClassVar
from urllib.parse import urlsplit

import h11
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    HTTPVersionNotSupported,
    InternalServerError,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestTimeout,
)
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app

from stack.local.errors import StartError

LOOPBACK = "127.0.0.1"

MAX_BODY_BYTES = 256 * 1024 * 1024
"""A longer body is refused with 413."""

BODY_SECONDS = 60
"""How long a sender may be silent within a request. Between requests, there is no limit."""

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


_MAX_HEAD_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024
_LINGER_SECONDS = 5


def body_of(environ: dict[str, Any]) -> bytes:
    """The body of a request of a :class:`Server` (WSGI); the application can still read it."""
    body: bytes = environ["wsgi.input"].getvalue()
    return body


class PortTakenError(StartError):
    """The port is taken, or needs more rights."""


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True  # of two writes, the second must not wait for the ACK of the first
    connections: ClassVar[set[socket.socket]]

    def setup(self) -> None:
        """Begin a connection."""
        super().setup()
        self.connections.add(self.connection)
        self._http = h11.Connection(h11.SERVER, _MAX_HEAD_BYTES)

    def finish(self) -> None:
        """End a connection."""
        self.connections.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        """Answer requests until one side ends the connection."""
        with contextlib.suppress(ConnectionError):  # the caller hung up, or a stand-in broke the connection
            while self._answer_next() and self._http.our_state is self._http.their_state is h11.DONE:
                self._http.start_next_cycle()

    def _answer_next(self) -> bool:
        """Answer one request; False if there is none, or if it was refused."""
        try:
            environ = self._read_request()
        except HTTPException as refusal:
            chunks, status, headers = run_wsgi_app(refusal, {"REQUEST_METHOD": "GET"})
            self._send(chunks, status, [*headers, ("Connection", "close")])
            self._read_the_rest()
            return False
        if environ is None:
            return False
        try:
            return self._send(*run_wsgi_app(self.server.app, environ, buffered=True))
        except ConnectionError:
            raise
        except Exception:
            self.log("error", traceback.format_exc())
            return self._send(*run_wsgi_app(InternalServerError(), environ, buffered=True))

    def _read_request(self) -> dict[str, Any] | None:
        """The next request (WSGI) with its whole body; None if the caller has closed the connection.

        Raises:
            HTTPException: it is malformed, too large or incomplete.
        """
        self.command = ""
        try:
            request = self._next_event()
            if not isinstance(request, h11.Request):
                return None
            environ = self._environ(request)
            body = io.BytesIO()
            while isinstance(part := self._next_event(), h11.Data):
                body.write(part.data)
                _check_length(body.tell())
        except h11.RemoteProtocolError as error:
            raise RequestHeaderFieldsTooLarge if error.error_status_hint == 431 else BadRequest from None
        except TimeoutError:
            raise RequestTimeout from None
        finally:
            self.connection.settimeout(None)
        if environ.pop("HTTP_TRANSFER_ENCODING", None):
            environ["CONTENT_LENGTH"] = str(body.tell())
        body.seek(0)
        environ["wsgi.input"] = body
        return environ

    def _next_event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                self.connection.sendall(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
            is_idle = self._http.their_state is h11.IDLE and not self._http.trailing_data[0]
            self.connection.settimeout(None if is_idle else BODY_SECONDS)
            self._http.receive_data(self.connection.recv(_READ_BYTES))
        return event

    def _environ(self, request: h11.Request) -> dict[str, Any]:
        self.command, self.path = request.method.decode(), request.target.decode()
        if not request.http_version.startswith(b"1."):
            raise HTTPVersionNotSupported
        self.request_version = f"HTTP/{request.http_version.decode()}"
        self.headers = HTTPMessage()
        for name, value in request.headers.raw_items():
            self.headers[name.decode("latin-1")] = value.decode("latin-1")
        if "Content-Length" in self.headers and "Transfer-Encoding" in self.headers:
            raise BadRequest("The body has both a length and chunks.")  # servers may differ on where it ends
        try:
            environ = self.make_environ()
            url = urlsplit(self.path)
        except ValueError:
            raise BadRequest("The target is not a URL.") from None
        if url.scheme and url.netloc:  # as for a proxy
            environ["RAW_URI"] = environ["REQUEST_URI"] = url._replace(scheme="", netloc="").geturl() or "/"
        _check_length(int(environ.get("CONTENT_LENGTH", "0")))
        return environ

    def _send(self, chunks: Iterable[bytes], status: str, headers: Iterable[tuple[str, str]]) -> bool:
        """Write an answer; False if it is shorter or longer than it announces: a stand-in breaks off."""
        body = b"".join(chunks)
        code, _, reason = status.partition(" ")
        has_body = self.command != "HEAD" and code not in {"204", "304"}
        fields = [("Date", self.date_time_string()), *headers]
        lengths = [value for name, value in fields if name.lower() == "content-length"]
        if has_body and not lengths:
            fields.append(("Content-Length", str(len(body))))
        is_whole = not has_body or lengths in ([], [str(len(body))])
        if not is_whole:
            fields.append(("Connection", "close"))
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        answer = self._http.send(h11.Response(status_code=int(code), headers=encoded, reason=reason.encode("latin-1")))
        if not is_whole:
            self.connection.sendall(answer + body)
            return False
        if has_body:
            answer += self._http.send(h11.Data(data=body))
        self.connection.sendall(answer + self._http.send(h11.EndOfMessage()))  # in the same packet
        return True

    def _read_the_rest(self) -> None:
        """Let the caller read the answer to a refused request: to close with unread data would reset the connection."""
        end = time.monotonic() + _LINGER_SECONDS
        self.connection.settimeout(_LINGER_SECONDS)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while self.connection.recv(_READ_BYTES) and time.monotonic() < end:
                pass


def _check_length(length: int) -> None:
    if length > MAX_BODY_BYTES:
        raise RequestEntityTooLarge


def _listen(port: int, purpose: str) -> socket.socket:
    """Bind the port. Werkzeug itself would print two lines and end the process if it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(f"Port {port} for {purpose} is taken: choose another, or 0 for any free one.") from None
        if error.errno == errno.EACCES:
            raise PortTakenError(f"Port {port} for {purpose} needs more privileges: choose one above 1023.") from None
        raise
    return listener


class Server:
    """A running HTTP server.

    Args:
        app: the WSGI application.
        port: 0 for any free one.
        purpose: what the port is for, in an error.
        handler: the class of the request handler.

    Raises:
        PortTakenError: the port can't be used.
    """

    def __init__(
        self, app: WsgiApp, port: int = 0, *, purpose: str = "a server", handler: type[WSGIRequestHandler] | None = None
    ) -> None:
        self._connections: set[socket.socket] = set()
        bases = (_Handler, handler) if handler else (_Handler,)
        kind: type[WSGIRequestHandler] = type("Handler", bases, {"connections": self._connections})
        with _listen(port, purpose) as listener:
            self._server: BaseWSGIServer = make_server(
                LOOPBACK, port, app, threaded=True, request_handler=kind, fd=listener.fileno()
            )
            self.port = int(listener.getsockname()[1])
        self.url = f"http://{LOOPBACK}:{self.port}"
        # The poll interval can be long: close() wakes it.
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 60}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, release the port and close the connections."""
        stopping = threading.Thread(target=self._server.shutdown, daemon=True)
        stopping.start()
        while stopping.is_alive():
            with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.port), timeout=1):
                stopping.join(0.05)
        self._server.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
