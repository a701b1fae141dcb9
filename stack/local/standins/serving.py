"""Serves a stand-in on loopback, in threads."""

from werkzeug.serving import WSGIRequestHandler

from stack.local.serving import Server, WsgiApp


class _Handler(WSGIRequestHandler):
    def connection_dropped(self, _error: BaseException, _environ: object = None) -> None:
        """Ask for no further request: after an injected reset there is no connection to read one from."""
        self.close_connection = True


def serve(app: WsgiApp, port: int = 0, *, purpose: str = "a stand-in") -> Server:
    """Serve ``app`` on 127.0.0.1, on any free port if ``port`` is 0; the answer has ``url`` and ``close()``.

    Raises:
        PortTakenError: somebody listens there.
    """
    return Server(app, port, purpose=purpose, handler=_Handler)
