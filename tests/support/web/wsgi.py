"""Calls a WSGI application as a server would, without a connection to it."""

import io
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit


def call_wsgi(
    app: Any, method: str, url: str, headers: Mapping[str, str | bytes], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    """The application's answer: status, headers and body.

    Args:
        app: the application.
        method: such as ``GET``.
        url: a whole URL, or a path with its query.
        headers: of the request.
        body: of the request.
    """
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "SERVER_NAME": parts.hostname or "127.0.0.1",
        "SERVER_PORT": str(parts.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": parts.netloc or "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        variable = name.upper().replace("-", "_")
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        environ[variable if variable in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{variable}"] = text
    environ["CONTENT_LENGTH"] = str(len(body))
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, response_headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        begun.append((status, response_headers))
        return lambda _: None

    parts_of_body: Iterable[bytes] = app(environ, start_response)
    try:
        content = b"".join(parts_of_body)
    finally:
        close = getattr(parts_of_body, "close", None)
        if close is not None:
            close()
    status, response_headers = begun[-1]
    return int(status.split()[0]), dict(response_headers), content
