"""Servers in DynamoDB's place that misbehave, on the loopback interface, spoken to by the real client.

Each is a context manager that gives its URL, and leaves no thread behind.
"""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HttpAnswer = tuple[int, dict[str, Any]]

THROTTLED: HttpAnswer = (400, {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"})


def refusal(code: str, status: int = 400) -> HttpAnswer:
    """DynamoDB's answer for the error ``code``."""
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}


class AnsweringServer:
    """Answers each request with the next of ``answers``, the last one again and again, and keeps the requests."""

    def __init__(self, *answers: HttpAnswer) -> None:
        self._answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                status, body = outer._next()
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _next(self) -> HttpAnswer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def __enter__(self) -> "AnsweringServer":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def hanging() -> contextlib.AbstractContextManager[str]:
    """Takes the request and never answers."""
    return _raw_server(lambda _connection, stopped: stopped.wait())


def dripping() -> contextlib.AbstractContextManager[str]:
    """Answers a byte at a time, forever, each well within any read timeout."""

    def drip(connection: socket.socket, stopped: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not stopped.wait(0.05):
            connection.sendall(b" ")

    return _raw_server(drip)


def resetting() -> contextlib.AbstractContextManager[str]:
    """Takes the request and resets the connection."""

    def reset(connection: socket.socket, _stopped: threading.Event) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return _raw_server(reset)


def cut_off(content: bytes, share: float = 0.5) -> contextlib.AbstractContextManager[str]:
    """Announces ``content``, sends the first ``share`` of it, and hangs up."""

    def answer(connection: socket.socket, _stopped: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
        connection.sendall(content[: int(len(content) * share)])

    return _raw_server(answer)


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """Nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _raw_server(behave: Callable[[socket.socket, threading.Event], object]) -> Iterator[str]:
    stopped = threading.Event()
    threads: list[threading.Thread] = []

    def serve_one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            _take_request(connection)
            behave(connection, stopped)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=serve_one, args=(connection,), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopped.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in [acceptor, *threads]:
                thread.join(timeout=5)


def _take_request(connection: socket.socket) -> None:
    """Read the request to its end: to hang up on what was not read would reset the connection."""
    with connection.makefile("rb") as request:
        lines = iter(request.readline, b"\r\n")
        length = max((int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")), default=0)
        request.read(length)
