"""Answers the AWS calls of the local cloud's own clients in this process: the same requests and answers, without a socket."""

import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from werkzeug.test import run_wsgi_app

from stack.local.serving import LOOPBACK, WsgiApp

_CHUNK_BYTES = 64 * 1024


def connect(client: Any, app: WsgiApp) -> None:
    """Have ``app`` answer every call of a botocore client."""

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        chunks, status, headers = run_wsgi_app(app, _environ(request), buffered=True)
        answered: Any = dict(headers)
        return AWSResponse(request.url, int(status.split(" ", 1)[0]), answered, _Body(b"".join(chunks)))

    client.meta.events.register("before-send", send)


class _Body(io.BytesIO):
    """The body of an answer, as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        """The rest of it, in parts."""
        while chunk := self.read(_CHUNK_BYTES):
            yield chunk


def _environ(request: AWSPreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url)
    body: Any = request.body or b""
    raw: bytes = body.encode() if isinstance(body, str) else body.read() if hasattr(body, "read") else body
    target = url.path + (f"?{url.query}" if url.query else "")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": url.query,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "REMOTE_ADDR": LOOPBACK,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(raw),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    given: Any = request.headers
    for name, value in given.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        key = name.replace("-", "_").upper()
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = text
    environ["CONTENT_LENGTH"] = str(len(raw))
    return environ
