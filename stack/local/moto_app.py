"""Moto as a WSGI application that refuses malformed requests, as AWS does.

Most calls are a POST of a program to ``/``, signed for one service. Moto's code answers them here without Flask around it:
under load, that saves a tenth of the local cloud's CPU.
"""

from collections.abc import Callable, Iterable
from typing import Any
from xml.parsers.expat import ExpatError

from botocore.exceptions import ClientError, UnknownServiceError
from botocore.model import OperationNotFoundError
from botocore.validate import ParamValidator
from flask import Flask
from flask import Response as FlaskResponse
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import BackendRequest, DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from stack.local.iam.call import TARGETS, MalformedRequestError, UnknownOperationError
from stack.local.iam.guard import call_of
from stack.local.iam.refusals import fail

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
        try:
            return (_refusal(environ) or self._serve)(environ, start_response)
        except (OperationNotFoundError, NotImplementedError):
            asked = environ.get("HTTP_X_AMZ_TARGET") or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
            message = f"The local cloud does not have this operation: {asked}"
            return _fail(environ, "UnknownOperationException", message)(environ, start_response)
        except Exception as error:
            refusal = _explanation(environ, error)
            if refusal is None:
                raise
            return refusal(environ, start_response)

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        app = self._services.get_application(environ)
        is_call = environ["PATH_INFO"] == "/" and environ["REQUEST_METHOD"] == "POST" and "HTTP_AUTHORIZATION" in environ
        if not is_call or "HTTP_ORIGIN" in environ:
            return app(environ, start_response)  # a browser's, or S3's, Lambda's, …
        if app not in self._of_root:
            self._of_root[app] = _operations(app)
        operations = self._of_root[app]
        return app(environ, start_response) if operations is None else _answer(operations, environ)(environ, start_response)


def _refusal(environ: dict[str, Any]) -> Response | None:
    """The answer to a malformed request, at which moto would fail; None if moto can read it."""
    call, _ = call_of(environ, account_id="")
    is_form = environ.get("CONTENT_TYPE", "").startswith("multipart/form-data")  # S3 takes a signature in a form, too
    if environ["REQUEST_METHOD"] == "POST" and call is None and not is_form:
        message = "Missing Authentication Token. This is the AWS API of the local cloud: send webhooks to its HTTP API."
        return _fail(environ, "AccessDenied", message)
    if call is None or not _is_json(environ):
        return None
    try:
        call.parameters()
        if call.service in TARGETS:
            call.operation()
    except UnknownOperationError as error:
        return _fail(environ, "UnknownOperationException", f"There is no such operation: {error}")
    except MalformedRequestError as error:
        return _fail(environ, "SerializationException", str(error))
    return None


def _explanation(environ: dict[str, Any], error: Exception) -> Response | None:
    """The answer if the request's parameters made moto fail, else None."""
    call, _ = call_of(environ, account_id="")
    if call is not None and call.service == "s3" and isinstance(error, (ValueError, ExpatError)):
        return _fail(environ, "MalformedXML" if isinstance(error, ExpatError) else "InvalidArgument", str(error))
    if call is None or not _is_json(environ):
        return None
    try:
        model = get_service_model(call.service).operation_model(call.operation())
        problems = ParamValidator().validate(call.parameters(), model.input_shape)
    except (LookupError, UnknownServiceError, OperationNotFoundError):
        return None
    return _fail(environ, "ValidationException", problems.generate_report()) if problems.has_errors() else None


def _is_json(environ: dict[str, Any]) -> bool:
    """Whether a request (WSGI) has a JSON protocol of AWS."""
    return "HTTP_X_AMZ_TARGET" in environ or environ.get("CONTENT_TYPE", "").startswith("application/x-amz-json")


def _fail(environ: dict[str, Any], error: str, message: str) -> Response:
    call, _ = call_of(environ, account_id="")
    return fail(call.service if call else "s3", environ["REQUEST_METHOD"], error, message)


def _operations(app: Flask) -> Callable[..., Answer] | None:
    """The function that answers a POST to ``/``; None if the service has no such path."""
    try:
        endpoint, _ = app.url_map.bind("localhost").match("/", method="POST")
    except HTTPException:
        return None
    view: Any = app.view_functions[endpoint]
    callback: Callable[..., Answer] = view.callback
    return callback


def _answer(operations: Callable[..., Answer], environ: dict[str, Any]) -> Any:
    """The response, as ``moto.core.utils.convert_to_flask_response`` makes it."""
    request = BackendRequest(environ)
    try:
        status, headers, body = operations(request, request.raw_url, dict(request.headers))
    except ClientError as error:
        return FlaskResponse(error.response["Error"]["Message"], 400)
    except HTTPException as error:
        return error
    return FlaskResponse(body, status, headers)
