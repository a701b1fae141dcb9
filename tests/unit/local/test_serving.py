"""The servers of the local cloud: which connections stay open."""

import http.client
import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from stack.local import serving
from stack.local.serving import Server


def _application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with what was sent; or with less of the body than it says, or with an error."""
    request = Request(environ)
    if request.path == "/error":
        raise RuntimeError("the application failed")
    if request.path == "/too-much":
        start_response("204 No Content", [])
        return [b"HTTP/1.1 200 OK"]
    if request.path == "/path":
        return Response(f"{environ['RAW_URI']} of {request.host}")(environ, start_response)
    if request.path == "/nothing":
        return Response(status=204)(environ, start_response)
    if request.path == "/unread":
        return Response("not read")(environ, start_response)
    response = Response(request.get_data() or b"nothing")
    if request.path == "/half":
        start_response("200 OK", [("Content-Length", "100")])
        return [b"half"]
    return response(environ, start_response)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(_application)
    yield running
    running.close()


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    opened = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    yield opened
    opened.close()


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _send(server: Server, request: str, *, hangs_up: bool = True) -> str:
    """All that comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(request.encode())
        if hangs_up:
            line.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: line.recv(4096), b"")).decode()


def test_requests_share_a_connection(connection: http.client.HTTPConnection) -> None:
    answers = [_ask(connection, "POST", "/", b"first")]
    line = connection.sock
    answers += [_ask(connection, "GET", "/nothing"), _ask(connection, "HEAD", "/"), _ask(connection, "POST", "/", b"last")]

    assert answers == [(200, b"first"), (204, b""), (200, b""), (200, b"last")]
    assert connection.sock is line is not None


def test_nothing_follows_an_answer_that_has_no_body(server: Server) -> None:
    answer = _send(server, "GET /too-much HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    assert answer.startswith("HTTP/1.1 204 ")
    assert answer.endswith("\r\n\r\n")


@pytest.mark.parametrize(
    ("request_line", "header", "status"),
    [
        ("POST / HTTP/1.1", "Content-Length : 2", 400),  # to some servers, this is no length
        ("POST / HTTP/1.1", "Content-Length: -1", 400),
        ("POST / HTTP/1.1", "Content-Length: ٢", 400),
        ("POST / HTTP/1.1", "Content-Length:", 400),
        ("POST / HTTP/1.1", "Content-Length: 2\r\nContent-Length: 3", 400),
        ("POST / HTTP/1.1", "Content-Length: 1" + "0" * 5000, 400),
        ("POST / HTTP/1.1", "Content-Length: 1000000000", 413),
        ("POST / HTTP/1.1", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0", 400),
        ("POST / HTTP/1.1", "Transfer-Encoding: gzip", 400),
        ("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\n+2\r\nok\r\n0", 400),
        ("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0", 400),
        ("POST / HTTP/1.1", "Host: another.example", 400),
        ("POST / HTTP/2.0", "Accept: */*", 505),
        ("POST / HTTP/1.1 x", "Accept: */*", 400),
        ("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\nHost: this is no chunk", 400),
        ("GET http://[::1 HTTP/1.1", "Accept: */*", 400),
    ],
)
def test_a_malformed_request_is_refused_and_nothing_after_it_is_read(
    server: Server, request_line: str, header: str, status: int
) -> None:
    next_request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    answer = _send(server, f"{request_line}\r\nHost: 127.0.0.1\r\n{header}\r\n\r\n{next_request}")

    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert "HTTP/1.1 200 " not in answer


@pytest.mark.parametrize("request_text", ["GET /\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\0\1\r\n\r\n", "\r\n\r\n"])
def test_what_is_not_an_http_request_is_refused(server: Server, request_text: str) -> None:
    assert _send(server, request_text).startswith("HTTP/1.1 400 ")


def test_a_target_may_name_the_server(server: Server) -> None:
    assert _send(server, f"GET http://127.0.0.1:{server.port}/path?a=1 HTTP/1.1\r\nHost: a\r\n\r\n").endswith(
        f"/path?a=1 of 127.0.0.1:{server.port}"
    )


def test_a_body_that_is_waited_for_is_asked_for_once(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        asked = line.recv(4096)
        line.sendall(b"ok")
        answer = line.recv(4096)

    assert asked.startswith(b"HTTP/1.1 100 ")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nok")


def test_the_fields_after_a_body_in_chunks_are_dropped(server: Server) -> None:
    head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert _send(server, head + "2\r\nok\r\n0\r\nX-Checksum: 1\r\n\r\n").endswith("\r\n\r\nok")


def test_a_silent_or_closed_connection_is_dropped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    half = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nhalf"

    assert _send(server, half).startswith("HTTP/1.1 400 ")
    monkeypatch.setattr(serving, "BODY_SECONDS", 0.05)
    assert _send(server, half, hangs_up=False).startswith("HTTP/1.1 408 ")


def test_an_unread_body_is_not_taken_for_the_next_request(connection: http.client.HTTPConnection) -> None:
    assert _ask(connection, "POST", "/unread", b"GET /error HTTP/1.1\r\n\r\n") == (200, b"not read")
    assert _ask(connection, "POST", "/", b"next") == (200, b"next")


def test_a_large_body_arrives(connection: http.client.HTTPConnection) -> None:
    body = b"x" * (3 * 1024 * 1024)

    assert _ask(connection, "POST", "/", body) == (200, body)
    assert connection.sock is not None


def test_a_body_in_chunks_arrives_and_the_connection_stays_open(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/", iter([b"in ", b"chunks"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})

    assert connection.getresponse().read() == b"in chunks"
    assert _ask(connection, "POST", "/", b"next") == (200, b"next")


def test_a_body_over_the_limit_is_refused(connection: http.client.HTTPConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MAX_BODY_BYTES", 8)

    assert _ask(connection, "POST", "/", b"x" * 9)[0] == 413
    connection.request("POST", "/", iter([b"x" * 5] * 2), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert connection.getresponse().status == 413


def test_an_answer_that_breaks_off_ends_its_connection(connection: http.client.HTTPConnection) -> None:
    with pytest.raises(http.client.IncompleteRead):
        _ask(connection, "GET", "/half")


def test_a_failed_application_is_logged_and_answers_500(
    connection: http.client.HTTPConnection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "werkzeug")

    status, _ = _ask(connection, "GET", "/error")

    assert status == 500
    assert "the application failed" in caplog.text
    assert _ask(connection, "POST", "/", b"next") == (200, b"next")


def test_a_closed_server_answers_no_open_connection(server: Server, connection: http.client.HTTPConnection) -> None:
    assert _ask(connection, "POST", "/", b"before") == (200, b"before")

    server.close()

    with pytest.raises((ConnectionError, http.client.HTTPException)):
        _ask(connection, "POST", "/", b"after")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)
