"""Sends the small requests of AWS clients through ``http.client``, at a third of the cost of botocore's own session.

A request is one write to the socket, head and body together, and each connection is kept for the next one. Errors are those
that botocore raises, so that callers see no difference. All clients of a process share one TLS context, because reading the
certificate authorities takes as long as several calls. docs/adr/0010 has what this saves.
"""

import functools
import http.client
import socket
import ssl
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import get_cert_path
from urllib3.util import wait_for_read

from lib.platform import restore

SERVICES = frozenset({"dynamodb", "secretsmanager", "sns", "sqs"})
"""The services whose requests and answers are always small and never streams."""


class Transport:
    """The connections of one client. Thread-safe.

    Args:
        connect_timeout_seconds: for the connection, and again for its TLS handshake.
        read_timeout_seconds: between two parts of an answer.
        ca_bundle: a file with certificate authorities, in place of botocore's.
    """

    def __init__(self, connect_timeout_seconds: float, read_timeout_seconds: float, ca_bundle: str | None) -> None:
        self._connect_timeout = connect_timeout_seconds
        self._read_timeout = read_timeout_seconds
        self._ca_bundle = ca_bundle
        self._idle: defaultdict[str, list[http.client.HTTPConnection]] = defaultdict(list)
        restore.register(self, Transport.close)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections. The next request opens another."""
        while self._idle:
            for connection in self._idle.popitem()[1]:
                connection.close()

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Send ``request`` and read the whole answer: a handler of botocore's event ``before-send``.

        Raises:
            ConnectionError: of botocore: no connection was made, so nothing was sent.
            HTTPClientError: the connection broke, or there was no answer in time. The request may have had its effect.
            IncompleteReadError: the answer is shorter than announced. botocore itself would take it for a whole one.
        """
        scheme, host, path, query, _fragment = urlsplit(request.url)
        connection = self._idle_connection(host) or self._connect(scheme, host, request.url)
        try:
            target = f"{path or '/'}?{query}" if query else path or "/"
            body: Any = request.body.encode() if isinstance(request.body, str) else request.body
            connection.request(request.method, target, body, headers=dict(request.headers.items()))
            answer = connection.getresponse()
            content = answer.read()
        except Exception as error:
            connection.close()
            raise _broken(error, request) from error
        if not answer.will_close:
            self._idle[host].append(connection)
        headers: Any = answer.headers  # the base class of what botocore names here
        return AWSResponse(request.url, answer.status, headers, _Body(content))

    def _idle_connection(self, host: str) -> http.client.HTTPConnection | None:
        """A connection that the other end has kept open, even if this process was frozen meanwhile."""
        while connections := self._idle.get(host):
            try:
                connection = connections.pop()
            except IndexError:  # another thread took it
                return None
            if not wait_for_read(connection.sock, timeout=0):
                return connection
            connection.close()
        return None

    def _connect(self, scheme: str, host: str, url: str) -> http.client.HTTPConnection:
        connection = (
            _Connection(host, timeout=self._connect_timeout)
            if scheme == "http"
            else _TlsConnection(host, timeout=self._connect_timeout, context=_tls(self._ca_bundle))
        )
        try:
            connection.connect()
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.sock.settimeout(self._read_timeout)
        except OSError as error:
            connection.close()
            raise _not_connected(error, url) from error
        return connection


def _not_connected(error: OSError, url: str) -> BotoCoreError:
    if isinstance(error, TimeoutError):
        return ConnectTimeoutError(endpoint_url=url, error=error)
    kind = SSLError if isinstance(error, ssl.SSLError) else EndpointConnectionError
    return kind(endpoint_url=url, error=error)


def _broken(error: Exception, request: AWSPreparedRequest) -> BotoCoreError:
    if isinstance(error, TimeoutError):
        return ReadTimeoutError(endpoint_url=request.url, error=error)
    if isinstance(error, http.client.IncompleteRead):
        read = len(error.partial)
        return IncompleteReadError(actual_bytes=read, expected_bytes=read + (error.expected or 0))
    return ConnectionClosedError(endpoint_url=request.url, request=request, error=error)


class _Connection(http.client.HTTPConnection):
    """Sends a request as one write; ``http.client`` makes two. That is a system call, and over TLS a record, less."""

    _held: list[Any]

    def request(self, *args: Any, **options: Any) -> None:
        self._held = []
        super().request(*args, **options)
        super().send(b"".join(self._held))

    def send(self, data: Any) -> None:
        self._held.append(data)


class _TlsConnection(_Connection, http.client.HTTPSConnection):
    pass


class _Body:
    """The body of an answer, as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        """All of it."""
        yield self._content


@functools.cache
def _tls(ca_bundle: str | None) -> ssl.SSLContext:
    """Certificates and host names are verified, and the protocol is TLS 1.2 at least."""
    context = ssl.create_default_context(cafile=ca_bundle or get_cert_path(True))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
