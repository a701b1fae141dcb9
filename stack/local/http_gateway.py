"""The HTTP API: turns requests into API Gateway events (payload format 1.0), and functions' answers into responses.

Text bodies are passed as they are and others in base64. ``headers`` has one value of a repeated header, ``multiValueHeaders``
all. An unknown route is answered 404, an AWS_IAM route without a valid signature 403, and a function that failed 500. See
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from stack.local import sigv4
from stack.local.iam.services import MayDo
from stack.local.invocations import Invoker, PayloadTooLargeError
from stack.local.monitoring import aws_metrics
from stack.local.monitoring.store import Record
from stack.local.versions import FunctionNotFoundError

MAX_BODY_BYTES = 10 * 1024 * 1024
"""API Gateway's limit."""
_TEXT_TYPES = re.compile(r"(?i)\s*(text/.*|application/(json|javascript|xml|[\w.+-]+\+(json|xml)))\s*(;.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route of the API.

    Attributes:
        method: an HTTP method, or ``ANY``.
        path: with ``{name}`` for one part and ``{name+}`` for the rest, even an empty one.
        function: the ARN it invokes.
        wants_signature: AWS_IAM authorisation.
    """

    method: str
    path: str
    function: str
    wants_signature: bool

    def match(self, path: str) -> dict[str, str] | None:
        """The path parameters if ``path`` belongs to this route."""
        pattern = re.sub(
            r"\\\{(\w+)(\\\+)?\\\}", lambda part: f"(?P<{part[1]}>{'.*' if part[2] else '[^/]+'})", re.escape(self.path)
        )
        match = re.fullmatch(pattern, path, re.DOTALL)
        return match.groupdict() if match else None

    @property
    def precedence(self) -> tuple[bool, int, bool]:
        """Sorts routes: no greedy part, fewer parameters and a named method first."""
        return ("+}" in self.path, self.path.count("{"), self.method == "ANY")


@dataclass(slots=True)
class HttpApi:
    """The HTTP API as the program declares it."""

    api_id: str = ""
    account_id: str = ""
    execution_arn: str = ""
    routes: list[Route] = field(default_factory=list)
    access_log_group: str = ""
    access_log_format: str = ""


@dataclass(slots=True)
class _Exchange:
    """One request, and what the access log reports about it."""

    request: Request
    request_id: str = field(default_factory=lambda: base64.b64encode(uuid.uuid4().bytes).decode().rstrip("="))
    started: float = field(default_factory=time.time)
    route: Route | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    key: sigv4.AccessKey | None = None
    integration_error: str = "-"

    @property
    def time(self) -> str:
        """The time of its arrival, as API Gateway writes it."""
        return datetime.fromtimestamp(self.started, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


class HttpGateway:
    """The WSGI application.

    ``find_key`` finds a known access key; ``write_log`` takes (log group, log stream, line); ``record`` keeps metrics.
    """

    def __init__(
        self,
        api: HttpApi,
        invoker: Invoker,
        find_key: Callable[[str], sigv4.AccessKey | None],
        *,
        write_log: Callable[[str, str, str], None],
        may: MayDo,
        record: Record,
    ) -> None:
        self._api = api
        self._record = record
        self._may = may
        self._routes = sorted(api.routes, key=lambda route: route.precedence)
        self._invoker = invoker
        self._find_key = find_key
        self._write_log = write_log

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        exchange = _Exchange(Request(environ))
        response = self._answer(exchange)
        response.headers["Apigw-Requestid"] = exchange.request_id
        self._record(aws_metrics.of_request(self._api.api_id, exchange.started, response.status_code))
        if self._api.access_log_group:
            line = _access_line(self._api.access_log_format, exchange, response)
            self._write_log(self._api.access_log_group, "access", line)
        return response(environ, start_response)

    def _answer(self, exchange: _Exchange) -> Response:
        request = exchange.request
        path = "/" + unquote(str(request.environ.get("RAW_URI") or request.path).partition("?")[0]).lstrip("/")
        for route in self._routes:
            parameters = route.match(path)
            if parameters is not None and route.method in {request.method, "ANY"}:
                exchange.route, exchange.parameters = route, parameters
                break
        else:
            return _message(404, "Not Found")
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return _message(413, "Request Entity Too Large")
        if exchange.route.wants_signature:
            _, _, service, region, *_ = self._api.execution_arn.split(":")
            exchange.key = sigv4.authenticate(request, self._find_key, service=service, region=region)
            if exchange.key is None:
                return _message(403, "Forbidden")
        return self._invoke(exchange, exchange.route, path)

    def _invoke(self, exchange: _Exchange, route: Route, path: str) -> Response:
        event = _event(self._api, exchange, route, path)
        source = f"{self._api.execution_arn}/$default/{exchange.request.method}{route.path}"
        if not self._may("apigateway.amazonaws.com", "lambda:InvokeFunction", route.function, source):
            return _failed(exchange, "The function's policy does not allow this route to invoke it")
        try:
            result = self._invoker.invoke(route.function, json.dumps(event).encode())
        except PayloadTooLargeError:
            return _message(413, "Request Entity Too Large")
        except FunctionNotFoundError as error:
            return _failed(exchange, str(error))
        if b"Sandbox.Timedout" in result.payload and result.error:
            exchange.integration_error = "The function timed out"
            return _message(503, "Service Unavailable")
        if result.error:
            return _failed(exchange, "The function failed")
        return _response(result.payload) or _failed(exchange, "The function's answer is not an HTTP response")


def _event(api: HttpApi, exchange: _Exchange, route: Route, path: str) -> dict[str, Any]:
    request = exchange.request
    body, is_base64 = _body(request)
    names = {name.lower(): name for name, _ in request.headers}
    multi_headers = {name: request.headers.getlist(name) for name in names.values()}
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.query_string.decode("utf-8", "replace"), keep_blank_values=True):
        query.setdefault(name, []).append(value)
    principal = exchange.key.principal_arn if exchange.key else None
    return {
        "version": "1.0",
        "resource": route.path,
        "path": path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in multi_headers.items()},
        "multiValueHeaders": multi_headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {
            "accountId": api.account_id,
            "apiId": api.api_id,
            "domainName": request.host,
            "domainPrefix": api.api_id,
            "extendedRequestId": exchange.request_id,
            "httpMethod": request.method,
            "identity": {
                "accessKey": None,
                "accountId": api.account_id if exchange.key else None,
                "caller": principal,
                "sourceIp": request.remote_addr,
                "user": principal,
                "userAgent": request.headers.get("User-Agent"),
                "userArn": principal,
            },
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": exchange.request_id,
            "requestTime": exchange.time,
            "requestTimeEpoch": int(exchange.started * 1000),
            "resourceId": f"{route.method} {route.path}",
            "resourcePath": route.path,
            "stage": "$default",
        },
        "pathParameters": exchange.parameters or None,
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": is_base64,
    }


def _body(request: Request) -> tuple[str | None, bool]:
    raw = request.get_data()
    if not raw:
        return None, False
    if _TEXT_TYPES.fullmatch(request.headers.get("Content-Type", "")):
        try:
            return raw.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(raw).decode(), True


def _response(payload: bytes) -> Response | None:
    """The response of a function's answer; None if it is malformed (API Gateway then answers 500)."""
    try:
        answer = json.loads(payload)
        status = int(answer["statusCode"])
        body = answer.get("body") or ""
        raw = base64.b64decode(body, validate=True) if answer.get("isBase64Encoded") else str(body).encode()
        headers = Headers()
        for name, value in (answer.get("headers") or {}).items():
            headers.set(str(name), str(value))
        for name, values in (answer.get("multiValueHeaders") or {}).items():
            headers.setlist(str(name), [str(value) for value in values])
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
        return None
    if not 100 <= status <= 599:
        return None
    return Response(raw, status, headers)


def _message(status: int, text: str) -> Response:
    return Response(json.dumps({"message": text}), status, content_type="application/json")


def _failed(exchange: _Exchange, reason: str) -> Response:
    exchange.integration_error = reason
    return _message(500, "Internal Server Error")


def _access_line(form: str, exchange: _Exchange, response: Response) -> str:
    request, route = exchange.request, exchange.route
    milliseconds = str(int((time.time() - exchange.started) * 1000))
    values = {
        "requestId": exchange.request_id,
        "identity.sourceIp": request.remote_addr or "-",
        "requestTime": exchange.time,
        "requestTimeEpoch": str(int(exchange.started * 1000)),
        "httpMethod": request.method,
        "routeKey": f"{route.method} {route.path}" if route else "-",
        "path": request.path,
        "protocol": "HTTP/1.1",
        "status": str(response.status_code),
        "responseLength": str(response.calculate_content_length() or 0),
        "responseLatency": milliseconds,
        "integrationLatency": milliseconds,
        "integrationErrorMessage": exchange.integration_error,
        "error.message": "-",
    }
    return re.sub(r"\$context\.([\w.]+)", lambda name: json.dumps(values.get(name[1], "-"))[1:-1], form)
