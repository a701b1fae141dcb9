"""How requests reach AWS: on kept connections, over TLS that is verified, and with botocore's errors."""

import contextlib
import datetime
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lib.platform import aws, aws_transport
from tests.support.aws.environment import point_at
from tests.support.dynamodb import servers

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 17\r\n\r\n" + b'{"TableNames":[]}'


class Server:
    """Answers each request with ``answer``, and keeps what it received in one read."""

    def __init__(self, answer: bytes = ANSWER, context: ssl.SSLContext | None = None) -> None:
        self.answer, self._context = answer, context
        self.received: list[bytes] = []
        self.connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            self.connections.append(connection)
            with connection:
                while request := connection.recv(1 << 16):
                    self.received.append(request)
                    connection.sendall(self.answer)

    def hang_up(self) -> None:
        """Close all connections, as AWS does with those that were idle."""
        for connection in self.connections:
            connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    with contextlib.ExitStack() as stack:

        def start(*args: Any, **options: Any) -> Server:
            server = Server(*args, **options)
            stack.callback(server.close)
            return server

        yield start


def client_of(patch: pytest.MonkeyPatch, server: Server, scheme: str = "http", host: str = "127.0.0.1", **also: str) -> Any:
    point_at(patch, f"{scheme}://{host}:{server.port}", **also)
    return aws.make_client("dynamodb")


def test_a_request_is_one_write_on_a_kept_connection(monkeypatch: pytest.MonkeyPatch, serve: Any) -> None:
    server = serve()
    client = client_of(monkeypatch, server)

    assert [client.list_tables()["TableNames"] for _ in range(3)] == [[], [], []]

    assert len(server.connections) == 1
    assert len(server.received) == 3, "a second write would be received as a request of its own"
    head, _, body = server.received[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST / HTTP/1.1\r\n")
    assert b"Host: 127.0.0.1:%d\r\n" % server.port in head
    assert body == b"{}"


def test_a_connection_that_was_closed_meanwhile_is_replaced(monkeypatch: pytest.MonkeyPatch, serve: Any) -> None:
    """A function is frozen between its events, for longer than AWS keeps an idle connection."""
    server = serve()
    client = client_of(monkeypatch, server)
    client.list_tables()
    server.hang_up()

    client.list_tables()

    assert len(server.connections) == 2


def test_a_connection_that_the_server_ends_is_not_used_again(monkeypatch: pytest.MonkeyPatch, serve: Any) -> None:
    server = serve(ANSWER.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n"))
    client = client_of(monkeypatch, server)

    client.list_tables()
    client.list_tables()

    assert len(server.connections) == 2


def test_an_answer_in_chunks_is_read(monkeypatch: pytest.MonkeyPatch, serve: Any) -> None:
    chunks = b'b\r\n{"TableName\r\n6\r\ns":[]}\r\n0\r\n\r\n'
    client = client_of(monkeypatch, serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks))
    assert client.list_tables()["TableNames"] == []
    assert client.list_tables()["TableNames"] == []


def test_threads_do_not_share_a_connection(monkeypatch: pytest.MonkeyPatch, serve: Any) -> None:
    body = json.dumps({"TableNames": ["t" * 200] * 100}).encode()
    client = client_of(monkeypatch, serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: len(client.list_tables()["TableNames"]), range(64)))
    assert answers == [100] * 64


@pytest.mark.parametrize(
    ("server", "error"),
    [
        (servers.refusing, exceptions.EndpointConnectionError),
        (servers.hanging, exceptions.ReadTimeoutError),
        (servers.resetting, exceptions.ConnectionClosedError),
        (lambda: servers.cut_off(b"{}" * 20), exceptions.IncompleteReadError),
    ],
    ids=["refusing", "hanging", "resetting", "cut off"],
)
def test_a_failure_is_the_error_that_botocore_raises(
    server: Callable[[], contextlib.AbstractContextManager[str]], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    with server() as url:
        point_at(monkeypatch, url)
        client = aws.make_client("dynamodb", read_timeout_seconds=0.1)
        with pytest.raises(error):
            client.list_tables()


def test_a_handshake_without_an_answer_is_a_failed_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        point_at(monkeypatch, f"https://127.0.0.1:{listener.getsockname()[1]}")
        client = aws.make_client("dynamodb", connect_timeout_seconds=0.1)
        with pytest.raises(exceptions.ConnectTimeoutError):
            client.list_tables()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_is_left_to_botocore(variable: str, monkeypatch: pytest.MonkeyPatch, serve: Any) -> None:
    proxy = serve()
    monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
    point_at(monkeypatch, "http://dynamodb.example", NO_PROXY="")

    aws.make_client("dynamodb").list_tables()

    assert proxy.received[0].startswith(b"POST http://dynamodb.example/ ")


@pytest.mark.parametrize("service", ["s3", "lambda"])
def test_services_that_stream_are_left_to_botocore(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_transport.Transport, "__init__", lambda *_: pytest.fail("it got a transport"))
    point_at(monkeypatch, "http://127.0.0.1:1")
    aws.make_client(service)


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(made.public_bytes(pem) + private)
    return path


@pytest.fixture
def tls_server(serve: Any, certificate: Path) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return serve(context=context)


def test_a_certificate_of_a_configured_authority_is_accepted(
    monkeypatch: pytest.MonkeyPatch, tls_server: Any, certificate: Path
) -> None:
    client = client_of(monkeypatch, tls_server, "https", "localhost", AWS_CA_BUNDLE=str(certificate))

    client.list_tables()
    client.list_tables()

    assert len(tls_server.connections) == 1


def test_a_certificate_of_an_unknown_authority_is_refused(monkeypatch: pytest.MonkeyPatch, tls_server: Any) -> None:
    client = client_of(monkeypatch, tls_server, "https", "localhost")
    with pytest.raises(exceptions.SSLError, match="self-signed certificate"):
        client.list_tables()
    assert tls_server.received == []


def test_a_certificate_of_another_host_is_refused(monkeypatch: pytest.MonkeyPatch, tls_server: Any, certificate: Path) -> None:
    client = client_of(monkeypatch, tls_server, "https", "127.0.0.1", AWS_CA_BUNDLE=str(certificate))
    with pytest.raises(exceptions.SSLError, match="IP address mismatch"):
        client.list_tables()
    assert tls_server.received == []


def test_all_clients_share_one_tls_context_and_it_verifies() -> None:
    context = aws_transport._tls(None)
    assert context is aws_transport._tls(None)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.get_ca_certs()
