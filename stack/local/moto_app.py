"""Moto as a WSGI application.

Most calls are a POST of a program to ``/``, signed for one service. Moto's code answers them here without Flask around it:
under load, that saves a tenth of the local cloud's CPU.
"""

from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError
from flask import Flask, Response
from moto.moto_server.werkzeug_app import BackendRequest, DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import HTTPException

Answer = tuple[int, dict[str, Any], Any]


def moto_app(service: Any) -> Flask:
    """Moto's application of a service. Flask's debugger, which moto turns on, makes a class of forms for each request."""
    app = create_backend_app(service)
    app.debug = False
    app.config["PROPAGATE_EXCEPTIONS"] = True
    return app


class Moto:
    """The WSGI application of all services."""

    def __init__(self) -> None:
        self._services = DomainDispatcherApplication(moto_app)
        self._of_root: dict[Flask, Callable[..., Answer] | None] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        app = self._services.get_application(environ)
        is_call = environ["PATH_INFO"] == "/" and environ["REQUEST_METHOD"] == "POST" and "HTTP_AUTHORIZATION" in environ
        if not is_call or "HTTP_ORIGIN" in environ:
            return app(environ, start_response)  # a browser's, or S3's, Lambda's, …
        if app not in self._of_root:
            self._of_root[app] = _operations(app)
        operations = self._of_root[app]
        return app(environ, start_response) if operations is None else _answer(operations, environ)(environ, start_response)


def _operations(app: Flask) -> Callable[..., Answer] | None:
    """What answers a POST to ``/``; None if the service has no such path."""
    try:
        endpoint, _ = app.url_map.bind("localhost").match("/", method="POST")
    except HTTPException:
        return None
    view: Any = app.view_functions[endpoint]
    callback: Callable[..., Answer] = view.callback
    return callback


def _answer(operations: Callable[..., Answer], environ: dict[str, Any]) -> Any:
    """As ``moto.core.utils.convert_to_flask_response`` makes it."""
    request = BackendRequest(environ)
    try:
        status, headers, body = operations(request, request.raw_url, dict(request.headers))
    except ClientError as error:
        return Response(error.response["Error"]["Message"], 400)
    except HTTPException as error:
        return error
    return Response(body, status, headers)
