"""Serves a WSGI application on loopback, in threads, with one request per connection (werkzeug keeps none alive)."""

import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from stack.local.errors import StartError

LOOPBACK = "127.0.0.1"

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class PortTakenError(StartError):
    """The port is taken, or needs more rights."""


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; the second must not wait for the ACK of the first

    def parse_request(self) -> bool:
        """Refuse a request with two lengths (RFC 9112 section 6.3), as AWS does: servers may differ on where it ends."""
        if not super().parse_request():
            return False
        lengths = self.headers.get_all("Content-Length", [])
        if len(lengths) > 1 or (lengths and "Transfer-Encoding" in self.headers):
            self.send_error(400)
            return False
        return True

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
        kind: type[WSGIRequestHandler] = type("Handler", (_Handler, handler), {}) if handler else _Handler
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
        """Stop listening and release the port."""
        stopping = threading.Thread(target=self._server.shutdown, daemon=True)
        stopping.start()
        while stopping.is_alive():
            with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.port), timeout=1):
                stopping.join(0.05)
        self._server.server_close()
        self._thread.join(timeout=5)
