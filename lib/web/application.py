"""The common parts of every Flask application of Switchboard: JSON errors of one shape, and a limit on the body.

An error is ``{"error": code, "message": sentence}`` with the status of :func:`lib.platform.errors.http_answer`. Bad input never
gets a 500, and no answer contains a stack trace. This module imports Flask, so only modules that serve HTTP import it.
"""

import json
from typing import Any

import flask
from flask import request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from lib.platform import clock, errors, fields, log

MAX_BODY_BYTES = 1024 * 1024
"""A larger body is not read, and answered with 413."""

# 4xx that Werkzeug raises. Other codes are the name of the status.
_CODES = {400: "malformed", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def make_app(name: str, logger: log.Logger, *, max_body_bytes: int = MAX_BODY_BYTES) -> flask.Flask:
    """Create the Flask application ``name``, without routes.

    Errors of views are answered as JSON: an error of Switchboard by its cause, an HTTP exception with its own status, and any
    other error with 503, because senders retry a 5xx. Its stack trace is logged only. Each request is a run of ``logger`` and
    logs ``http_request``.
    """
    app = flask.Flask(name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = max_body_bytes  # Flask's own limit is 500 kB, and a large push may be a form
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # merging would redirect, and a signed POST does not follow

    @app.before_request
    def start_run() -> None:
        flask.g.started = clock.monotonic()
        logger.start_run(run_id(), correlation_id=correlation_id())

    @app.after_request
    def log_request(response: flask.Response) -> flask.Response:
        took = clock.elapsed_ms(flask.g.started)
        logger.info(
            "http_request", method=request.method, path=request.path, http_status=response.status_code, duration_ms=took
        )
        return response

    @app.errorhandler(errors.SwitchboardError)
    def switchboard_error(error: errors.SwitchboardError) -> flask.Response:
        answer = errors.http_answer(error)
        if answer.status >= 500:
            logger.error("request_failed", error, http_status=answer.status)
        else:
            logger.warning("request_refused", error=type(error).__name__, reason=str(error), http_status=answer.status)
        return _error(answer, error)

    @app.errorhandler(HTTPException)
    def http_exception(error: HTTPException) -> flask.Response:
        status = error.code or 500
        # Werkzeug's texts name neither the limit nor the allowed methods.
        message = error.description
        if status == 413:
            message = f"the body is larger than {max_body_bytes} bytes"
        elif status == 404:
            message = "the path does not exist"
        elif isinstance(error, MethodNotAllowed):
            allowed = set(error.valid_methods or ()) - {"HEAD", "OPTIONS"}
            message = f"the path does not allow {request.method}; it allows {', '.join(sorted(allowed))}"
        response = flask.jsonify(error=_CODES.get(status, error.name.lower().replace(" ", "_")), message=message)
        response.status_code = status
        for header, value in error.get_headers():
            if header not in {"Content-Type", "Content-Length"}:  # Allow, Retry-After, …
                response.headers[header] = value
        return response

    @app.errorhandler(Exception)
    def defect(error: Exception) -> flask.Response:
        logger.defect("request_failed", error)
        return _error(errors.http_answer(error), error)

    return app


def run_id() -> str:
    """The id of the Lambda invocation of the current request; empty outside of Lambda."""
    return str(getattr(request.environ.get("awsgi.context"), "aws_request_id", ""))


def correlation_id() -> str:
    """The id of the current request from the gateway or load balancer, or else the invocation's."""
    event = request.environ.get("awsgi.event") or {}
    about = event.get("requestContext") or {}
    return str(about.get("requestId") or request.headers.get("X-Amzn-Trace-Id") or run_id())


def iam_principal() -> str:
    """The ARN of the IAM principal that signed the current request, as the gateway's authorizer reports it.

    Raises:
        UnauthenticatedError: the route has no IAM authorizer.
    """
    context = fields.object_at(request.environ.get("awsgi.event") or {}, "requestContext")
    for form in (fields.object_at(context, "identity"), fields.object_at(context, "authorizer", "iam")):  # formats 1.0 and 2.0
        if principal := fields.text_at(form, "userArn", max_bytes=2048):
            return principal
    raise errors.UnauthenticatedError("the request is not signed by an IAM principal")


def json_body(body: bytes) -> Any:
    """The value of a JSON body.

    Raises:
        InvalidInputError: it is not UTF-8, not JSON (which has no NaN or Infinity), or nested too deeply.
    """
    try:
        return json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise fields.not_json(body, error) from None


def body_or_field(name: str) -> bytes:
    """The body of the current request, or the field ``name`` if the body is a form.

    Raises:
        InvalidInputError: the form does not have the field.
    """
    if request.mimetype != "application/x-www-form-urlencoded":
        return request.get_data()
    if name not in request.form:
        raise errors.InvalidInputError(f"the form has no field {name}")
    return request.form[name].encode()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _error(answer: errors.HttpAnswer, error: Exception) -> flask.Response:
    # Failures on our side are logged. A response has only what the caller can fix.
    is_shown = answer.status < 500 or isinstance(error, errors.NotSetUpError)
    message = str(error) if is_shown else "not possible now, try again later"
    response = flask.jsonify(error=answer.code, message=log.scrub(message))
    response.status_code = answer.status
    if answer.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(answer.retry_after_seconds)
    return response
