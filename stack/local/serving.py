"""Serves a WSGI application on loopback, in threads, one request a connection (werkzeug's server keeps none alive)."""

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
    """Another program listens on the port that was asked for."""


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes, and the second must not wait for the first's ACK

    def parse_request(self) -> bool:
        """Refuse what is framed in two ways (RFC 9112 section 6.3), as AWS does: servers may differ on where it ends."""
        if not super().parse_request():
            return False
        lengths = self.headers.get_all("Content-Length", [])
        if len(lengths) > 1 or (lengths and "Transfer-Encoding" in self.headers):
            self.send_error(400)
            return False
        return True

    def connection_dropped(self, error: BaseException, environ: object = None) -> None:  # noqa: ARG002 (the base class's)
        """Ask for no further request: after a reset that a stand-in injects there is no connection to read one from."""
        self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the access log is the HTTP API's own."""

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: a caller that hangs up is no error of ours."""


def _listen(port: int, purpose: str) -> socket.socket:
    """Bind by ourselves: werkzeug would print two lines and end the process when the port is taken."""
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
        handler: the request handler's class.

    Raises:
        PortTakenError: somebody listens there.
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
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
