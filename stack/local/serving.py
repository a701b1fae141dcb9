"""Serves a WSGI application on loopback, with a thread per connection.

Werkzeug closes the connection after each request, because of bodies that were not read. Here it stays open after a request
that is small enough to be read as a whole: under load, that saves a sixth of the local cloud's CPU.
"""

import contextlib
import errno
import io
import socket
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from werkzeug.exceptions import InternalServerError
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app

from stack.local.errors import StartError

LOOPBACK = "127.0.0.1"

READ_AHEAD_BYTES = 1024 * 1024
"""Larger bodies are read by the application, as far as it wants, and close their connection."""

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class PortTakenError(StartError):
    """The port is taken, or needs more rights."""


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # of two writes, the second must not wait for the ACK of the first
    connections: ClassVar[set[socket.socket]]

    def setup(self) -> None:
        """Begin a connection."""
        super().setup()
        self.connections.add(self.connection)

    def finish(self) -> None:
        """End a connection."""
        self.connections.discard(self.connection)
        super().finish()

    def parse_request(self) -> bool:
        """Refuse a request with two lengths (RFC 9112 section 6.3), as AWS does: servers may differ on where it ends."""
        if not super().parse_request():
            return False
        lengths = self.headers.get_all("Content-Length", [])
        if len(lengths) > 1 or (lengths and "Transfer-Encoding" in self.headers):
            self.send_error(400)
            return False
        return True

    def run_wsgi(self) -> None:
        """Answer a request, and keep its connection if nothing of the request can be left in it."""
        length = self.headers.get("Content-Length", "0")
        is_plain = self.request_version == "HTTP/1.1" and not any(
            name in self.headers for name in ("Transfer-Encoding", "Expect")
        )
        if not is_plain or not length.isdecimal() or len(length) > 9 or int(length) > READ_AHEAD_BYTES:
            super().run_wsgi()
            return
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(self.rfile.read(int(length)))
        try:
            self._send(*run_wsgi_app(self.server.app, environ, buffered=True))
        except (ConnectionError, TimeoutError) as error:
            self.connection_dropped(error)
        except Exception:
            self.log("error", traceback.format_exc())
            self._send(*run_wsgi_app(InternalServerError(), environ, buffered=True))

    def _send(self, chunks: Iterable[bytes], status: str, headers: Iterable[tuple[str, str]]) -> None:
        body = b"".join(chunks)
        code, _, phrase = status.partition(" ")
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        has_body = self.command != "HEAD" and code not in {"204", "304"}
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        if not lengths and has_body:
            self.send_header("Content-Length", str(len(body)))
        elif has_body and lengths != [str(len(body))]:
            self.send_header("Connection", "close")  # a stand-in breaks off its answer
        self._headers_buffer.append(b"\r\n" + (body if has_body else b""))  # in the same packet
        self.flush_headers()

    def connection_dropped(self, error: BaseException, environ: object = None) -> None:  # noqa: ARG002 (the base class's)
        """Read no further request: a stand-in may have reset the connection."""
        self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: the HTTP API writes its own access log."""

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Log nothing: callers may hang up."""


def _listen(port: int, purpose: str) -> socket.socket:
    """Bind the port here: werkzeug would print two lines and end the process if it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(f"Port {port} for {purpose} is taken: name another, or 0 for any free one.") from None
        if error.errno == errno.EACCES:
            raise PortTakenError(f"Port {port} for {purpose} needs more rights than you have: name one above 1023.") from None
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
        # It need not look often whether it should stop: close() wakes it.
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
