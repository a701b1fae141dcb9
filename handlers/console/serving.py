"""Serves the console on 127.0.0.1 until it is stopped."""

import socket

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from handlers.console.application import create_app
from handlers.console.context import Console
from handlers.console.security import Gate
from lib.platform import errors

HOST = "127.0.0.1"
DEFAULT_PORT = 8180


class _Quiet(WSGIRequestHandler):
    """Logs no requests: their URLs have the token. Closes a connection that is silent for a minute."""

    timeout = 60
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        """Log nothing."""

    def version_string(self) -> str:
        """Name no versions."""
        return "Switchboard"


class ConsoleServer:
    """A console that listens.

    Args:
        console: what it shows.
        port: the port, 0 for any free one.

    Raises:
        ConfigurationError: the port is taken.
    """

    def __init__(self, console: Console, port: int) -> None:
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, port))
            listener.listen()
        except OSError:
            listener.close()
            raise errors.ConfigurationError(f"port {port} is taken: pass --port with another, or 0 for any free one") from None
        gate = Gate(listener.getsockname()[1])
        with listener:  # the server has a copy of its own
            app = create_app(console, gate)
            self._server: BaseWSGIServer = make_server(
                HOST, gate.port, app, threaded=True, request_handler=_Quiet, fd=listener.fileno()
            )
        self.url = gate.url
        """The URL that opens a session."""

    def serve(self) -> None:
        """Answer requests until :meth:`close`, or Ctrl-C."""
        self._server.serve_forever()

    def close(self) -> None:
        """Stop, and release the port."""
        self._server.shutdown()
        self._server.server_close()
