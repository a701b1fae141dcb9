"""Answers an HTTP event of Lambda with a WSGI application, through aws-wsgi, in the form that the caller expects.

aws-wsgi knows two event shapes and reads both loosely (docs/adr/0001), so this module works before and after it::

    API Gateway v1 ─┐                                             ┌─► headers, multiValueHeaders
    HTTP API v2 ────┤                                             ├─► headers, cookies
    Function URL ───┼─► _Request ─► awsgi.response ─► _Response ──┼─► headers, cookies
    ALB ────────────┤                                             ├─► headers, statusDescription
    ALB multi-value ┘                                             └─► multiValueHeaders, statusDescription

It is strict where a guess could mislead the application: the values of a repeated header are joined by a comma (RFC 9110
section 5.3), so that a second signature header can't replace the first unnoticed. It limits no sizes, knows no routes and
logs nothing.

The application finds the original event in ``environ["awsgi.event"]``.
"""

import base64
import binascii
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import quote_plus, unquote_plus, unquote_to_bytes

import awsgi

from lib.platform import errors
from lib.platform.fields import optional_object, require_list, require_text

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

# A field name is a token (RFC 9110 section 5.6.2). Without "_": WSGI writes "-" and "_" in the same way, so X_Hub_Signature
# would pass for X-Hub-Signature. Servers on the internet drop such headers too.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^`|~0-9A-Za-z-]+")
_METHOD = re.compile(r"[A-Z]{1,20}")
_HOST_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?")
_BINARY = "application/octet-stream"


class Form(Enum):
    """The sender of an event, and so the form of its answer."""

    GATEWAY_V1 = "API Gateway, payload 1.0"
    GATEWAY_V2 = "HTTP API with payload 2.0, or a Function URL"
    BALANCER = "load balancer"
    BALANCER_MULTI = "load balancer with multi-value headers"


def respond(app: WsgiApp, event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer an HTTP event of any of the five forms with ``app``.

    An event of a known form with unreadable parts (a body that is not valid base64, a header that is not text) is answered
    400 and does not reach the application. An error of the application is raised.

    Raises:
        InvalidInputError: the event has none of the forms.
    """
    form = form_of(event)
    if form is None:
        raise errors.InvalidInputError("the event is not an HTTP request from API Gateway, a Function URL or a load balancer")
    try:
        request = _read(event, form)
    except errors.InvalidInputError as error:
        return _malformed(form, str(error))
    except UnicodeEncodeError:
        return _malformed(form, "the request contains invalid Unicode")
    adapter = _Adapter(app, request, event)
    encoded = awsgi.response(adapter, request.for_awsgi(), context, base64_content_types={_BINARY})
    return adapter.response.in_form(form, encoded["body"], is_base64=encoded["isBase64Encoded"])


def form_of(event: object) -> Form | None:
    """The form of an HTTP event, and None for anything else."""
    if not isinstance(event, dict):
        return None
    about = event.get("requestContext")
    about = about if isinstance(about, dict) else {}
    if isinstance(about.get("http"), dict):
        return Form.GATEWAY_V2
    if "httpMethod" not in event:
        return None
    if "elb" in about:
        return Form.BALANCER_MULTI if event.get("multiValueHeaders") is not None else Form.BALANCER
    return Form.GATEWAY_V1


# The request


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    script_name: str
    path: str
    query: str
    headers: dict[str, str]
    """Names in lower case, each once."""
    body: bytes
    remote_address: str
    default_host: str

    def for_awsgi(self) -> dict[str, Any]:
        """An event that aws-wsgi reads correctly: single values, and a decoded body."""
        return {
            "httpMethod": self.method,
            "path": self.path,
            "queryStringParameters": None,
            "headers": self.headers,
            "body": self.body,
            "isBase64Encoded": False,
            "requestContext": {},
        }

    def environ(self) -> dict[str, Any]:
        """The variables that aws-wsgi omits, guesses or gets wrong (PEP 3333)."""
        scheme = self.headers.get("x-forwarded-proto", "").lower()
        scheme = scheme if scheme in {"http", "https"} else "https"
        match = _HOST_PORT.fullmatch(self.headers.get("host", ""))
        host, port = (match[1], match[2]) if match else ("", None)
        if port is None:
            port = self.headers.get("x-forwarded-port", "")
        return {
            "SCRIPT_NAME": self.script_name,
            "QUERY_STRING": self.query,
            "SERVER_NAME": host or self.default_host,
            "SERVER_PORT": port if port.isdecimal() else {"http": "80", "https": "443"}[scheme],
            "REMOTE_ADDR": self.remote_address,
            "wsgi.url_scheme": scheme,
        }


def _read(event: dict[str, Any], form: Form) -> _Request:
    about = optional_object(event, "requestContext") or {}
    headers = _headers(event)
    if form is Form.GATEWAY_V2:
        caller = optional_object(about, "http") or {}
        method, path = caller.get("method"), event.get("rawPath")
        query = _native(_text(event.get("rawQueryString"), "rawQueryString"))
        path_has_stage = True
        cookies = [_text(cookie, "a cookie") for cookie in _list(event.get("cookies"), "cookies")]
        if cookies:
            headers["cookie"] = _native("; ".join(cookies))
    else:
        caller = optional_object(about, "identity") or {}
        method, path = event.get("httpMethod"), event.get("path")
        query = _query(event, encoded=form is not Form.GATEWAY_V1)
        # The path of a REST API has no stage, that of an HTTP API does: then it equals the path in the context.
        path_has_stage = about.get("path") == path
    method = _text(method, "the method")
    if not _METHOD.fullmatch(method):
        raise errors.InvalidInputError("the method is not an HTTP method")
    stage = _text(about.get("stage"), "the stage") if path_has_stage else ""
    script_name, path = _split_stage(_text(path, "the path"), stage)
    return _Request(
        method=method,
        script_name=_unquote(script_name),
        path=_unquote(path),
        query=query,
        headers=headers,
        body=_body(event),
        remote_address=_native(_text(caller.get("sourceIp"), "sourceIp")) or _last_hop(headers),
        default_host=_native(_text(about.get("domainName"), "domainName")) or "localhost",
    )


def _last_hop(headers: dict[str, str]) -> str:
    """A load balancer appends the caller's address to X-Forwarded-For. The caller wrote everything before it."""
    return headers.get("x-forwarded-for", "").rpartition(",")[2].strip() or "127.0.0.1"


def _split_stage(path: str, stage: str) -> tuple[str, str]:
    path = path if path.startswith("/") else "/" + path
    prefix = "/" + stage
    if stage and stage != "$default" and (path == prefix or path.startswith(prefix + "/")):
        return prefix, path[len(prefix) :] or "/"
    return "", path


def _unquote(path: str) -> str:
    # HTTP APIs decode the path; REST APIs, Function URLs and load balancers do not, and the event does not always show which.
    # Decoding twice changes only a path with an encoded percent sign, which none of our routes has.
    return unquote_to_bytes(path).decode("latin-1")


def _query(event: dict[str, Any], *, encoded: bool) -> str:
    """The query string. API Gateway passes decoded names and values, a load balancer encoded ones."""
    pairs: list[tuple[str, str]] = []
    repeated = optional_object(event, "multiValueQueryStringParameters") or {}
    for name, values in repeated.items():
        pairs += [(name, _text(value, "a query parameter")) for value in _list(values, "a query parameter")]
    single = optional_object(event, "queryStringParameters") or {}
    pairs += [(name, _text(value, "a query parameter")) for name, value in single.items() if name not in repeated]
    if encoded:
        pairs = [(unquote_plus(name), unquote_plus(value)) for name, value in pairs]
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)


def _headers(event: dict[str, Any]) -> dict[str, str]:
    """One value per header, in any case of its name and for any number of its lines."""
    lines: list[tuple[str, str]] = []
    repeated = optional_object(event, "multiValueHeaders") or {}
    for name, values in repeated.items():
        lines += [(name, _text(value, "a header")) for value in _list(values, "a header")]
    seen = {name.lower() for name in repeated}
    single = optional_object(event, "headers") or {}
    lines += [(name, _text(value, "a header")) for name, value in single.items() if name.lower() not in seen]

    merged: dict[str, str] = {}
    for name, value in ((name.lower(), _native(value)) for name, value in lines if _HEADER_NAME.fullmatch(name)):
        separator = "; " if name == "cookie" else ", "
        merged[name] = f"{merged[name]}{separator}{value}" if name in merged else value
    # The body is complete. WSGI would read a chunked one as of unknown length, and so as empty.
    merged.pop("transfer-encoding", None)
    return merged


def _body(event: dict[str, Any]) -> bytes:
    body = _text(event.get("body"), "body")
    if event.get("isBase64Encoded") is not True:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise errors.InvalidInputError("the body is not valid base64") from None


def _native(text: str) -> str:
    """Text as WSGI carries it: each character a byte (PEP 3333, "A Note on String Types")."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode().decode("latin-1")
    return text


def _text(value: object, name: str) -> str:
    return "" if value is None else require_text(value, name)


def _list(value: object, name: str) -> list[Any]:
    return [] if value is None else require_list(value, name)


# The answer


@dataclass(slots=True)
class _Response:
    status_line: str = "500 Internal Server Error"
    headers: list[tuple[str, str]] = field(default_factory=list)

    def in_form(self, form: Form, body: str, *, is_base64: bool) -> dict[str, Any]:
        answer: dict[str, Any] = {"statusCode": int(self.status_line.split()[0]), "body": body, "isBase64Encoded": is_base64}
        lines = self._lines()
        match form:
            case Form.GATEWAY_V1:  # merges the two maps, so each header is in one of them only
                answer["headers"] = {name: values[0] for name, values in lines.items() if len(values) == 1}
                answer["multiValueHeaders"] = {name: values for name, values in lines.items() if len(values) > 1}
            case Form.GATEWAY_V2:
                answer["cookies"] = lines.pop("Set-Cookie", [])
                answer["headers"] = _joined(lines)
            case Form.BALANCER:
                answer["statusDescription"] = self.status_line
                # Cookies can't be joined, but to a load balancer, names that differ in case are different headers.
                cookies = dict(zip(_spellings("Set-Cookie"), lines.pop("Set-Cookie", []), strict=False))
                answer["headers"] = _joined(lines) | cookies
            case Form.BALANCER_MULTI:
                answer["statusDescription"] = self.status_line
                answer["multiValueHeaders"] = lines
        return answer

    def _lines(self) -> dict[str, list[str]]:
        """The values of each header, with names in title case."""
        lines: dict[str, list[str]] = {}
        for name, value in self.headers:
            lines.setdefault("-".join(part.capitalize() for part in name.split("-")), []).append(value)
        return lines


def _joined(lines: dict[str, list[str]]) -> dict[str, str]:
    return {name: ", ".join(values) for name, values in lines.items()}


def _spellings(name: str) -> Iterator[str]:
    """Every mix of upper and lower case of ``name``, its own first."""
    choices = [(letter, letter.swapcase()) if letter.isalpha() else (letter,) for letter in name]
    return ("".join(letters) for letters in itertools.product(*choices))


class _Adapter:
    """The application as aws-wsgi sees it: corrects the environment, and keeps the status and headers of the answer.

    aws-wsgi gets a content type that makes it encode the body correctly: base64 for bytes that are not UTF-8 (it would raise),
    text for others. Both reach the client as the same bytes.
    """

    def __init__(self, app: WsgiApp, request: _Request, event: dict[str, Any]) -> None:
        self._app = app
        self._request = request
        self._event = event
        self.response = _Response()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ.update(self._request.environ())
        environ["awsgi.event"] = self._event
        body = self._run(environ)
        try:
            body.decode()
        except UnicodeDecodeError:
            start_response(self.response.status_line, [("Content-Type", _BINARY)])
        else:
            start_response(self.response.status_line, [("Content-Type", "text/plain")])
        return [body]

    def _run(self, environ: dict[str, Any]) -> bytes:
        chunks: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], None]:
            self.response.status_line = status
            self.response.headers = list(headers)
            return chunks.append

        output = self._app(environ, start_response)
        try:
            chunks.extend(output)
        finally:
            if hasattr(output, "close"):
                output.close()
        return b"".join(chunks)


def _malformed(form: Form, message: str) -> dict[str, Any]:
    body = json.dumps({"error": errors.http_answer(errors.InvalidInputError()).code, "message": message})
    return _Response("400 Bad Request", [("Content-Type", "application/json")]).in_form(form, body, is_base64=False)
