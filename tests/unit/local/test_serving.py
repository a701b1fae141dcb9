"""The servers of the local cloud: which connections stay open."""

import http.client
import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from stack.local.serving import READ_AHEAD_BYTES, Server


def _application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with what was sent; or with less of the body than it says, or with an error."""
    request = Request(environ)
    if request.path == "/error":
        raise RuntimeError("the application failed")
    if request.path == "/too-much":
        start_response("204 No Content", [])
        return [b"HTTP/1.1 200 OK"]
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


def test_requests_share_a_connection(connection: http.client.HTTPConnection) -> None:
    answers = [_ask(connection, "POST", "/", b"first")]
    line = connection.sock
    answers += [_ask(connection, "GET", "/nothing"), _ask(connection, "HEAD", "/"), _ask(connection, "POST", "/", b"last")]

    assert answers == [(200, b"first"), (204, b""), (200, b""), (200, b"last")]
    assert connection.sock is line is not None


def test_nothing_follows_an_answer_that_has_no_body(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"GET /too-much HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: line.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 204 ")
    assert answer.endswith(b"\r\n\r\n")


def test_an_endless_length_gets_an_answer_and_ends_the_connection(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"POST /unread HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1" + b"0" * 5000 + b"\r\n\r\n")
        line.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: line.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 200 ")


def test_an_unread_body_is_not_taken_for_the_next_request(connection: http.client.HTTPConnection) -> None:
    assert _ask(connection, "POST", "/unread", b"GET /error HTTP/1.1\r\n\r\n") == (200, b"not read")
    assert _ask(connection, "POST", "/", b"next") == (200, b"next")


@pytest.mark.parametrize("size", [READ_AHEAD_BYTES, READ_AHEAD_BYTES + 1])
def test_a_body_of_any_size_arrives(connection: http.client.HTTPConnection, size: int) -> None:
    body = b"x" * size

    assert _ask(connection, "POST", "/", body) == (200, body)
    assert (connection.sock is None) == (size > READ_AHEAD_BYTES)


def test_a_body_in_chunks_arrives(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/", iter([b"in ", b"chunks"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})

    assert connection.getresponse().read() == b"in chunks"


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
