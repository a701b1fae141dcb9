"""Each kind of failed HTTP request, sent by urllib, urllib3 or requests, and the error that it becomes."""

import contextlib
import functools
import http.client
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from urllib.error import URLError

import pytest
import requests
import urllib3
from werkzeug.serving import generate_adhoc_ssl_context

from lib.platform import errors, http_errors
from tests.support.dynamodb.servers import cut_off, hanging, refusing, resetting

Server = contextlib.AbstractContextManager[str]
tls_context = functools.cache(generate_adhoc_ssl_context)


@contextlib.contextmanager
def answering_tls(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """Leaves the handshake of one connection to ``answer``."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


def untrusted() -> Server:
    return answering_tls(lambda connection: tls_context().wrap_socket(connection, server_side=True))


def breaking_tls() -> Server:
    return answering_tls(lambda connection: connection.sendall(b"this is not TLS"))


def interrupted() -> Server:
    return cut_off(b"x" * 100)


LIBRARIES: dict[str, Callable[[str], object]] = {
    "urllib": lambda url: urllib.request.urlopen(url, b"{}", timeout=0.5).read(),
    "urllib3": lambda url: urllib3.PoolManager(retries=False).request("POST", url, body=b"{}", timeout=0.5),
    "requests": lambda url: requests.post(url, b"{}", timeout=0.5),
}
FAILED = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)
FAILURES: dict[Callable[[], Server], type[errors.SwitchboardError]] = {
    refusing: errors.UnavailableError,
    untrusted: errors.UnavailableError,
    breaking_tls: errors.ConnectionLostError,
    resetting: errors.ConnectionLostError,
    interrupted: errors.ConnectionLostError,
    hanging: errors.DeadlineExceededError,
}


@pytest.mark.parametrize("send", LIBRARIES.values(), ids=LIBRARIES)
@pytest.mark.parametrize(("failing", "expected"), FAILURES.items())
def test_only_what_fails_before_the_request_is_sent_is_unambiguous(
    send: Callable[[str], object], failing: Callable[[], Server], expected: type[errors.SwitchboardError]
) -> None:
    with failing() as url, pytest.raises(FAILED) as raised:
        send(f"{url}/secret")
    error = http_errors.no_answer("Jira", "ask", raised.value)
    assert type(error) is expected
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("error", "expected", "text"),
    [
        (
            requests.ConnectTimeout(urllib3.exceptions.ConnectTimeoutError("secret")),
            errors.UnavailableError,
            "can't be reached",
        ),
        (URLError(ConnectionResetError("secret")), errors.ConnectionLostError, "connection to Jira broke"),
        (URLError(BrokenPipeError("secret")), errors.ConnectionLostError, "connection to Jira broke"),
        (URLError(TimeoutError("secret")), errors.DeadlineExceededError, "did not answer in time"),
        (requests.JSONDecodeError("secret", "", 0), errors.ConnectionLostError, "answer can't be read"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "secret"), errors.ConnectionLostError, "answer can't be read"),
    ],
)
def test_each_error_has_its_class_and_text(error: Exception, expected: type[errors.SwitchboardError], text: str) -> None:
    found = http_errors.no_answer("Jira", "ask", error)
    assert (type(found), text in str(found), "secret" in str(found)) == (expected, True, False)
