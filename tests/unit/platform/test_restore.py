"""What becomes fresh in a process that continues from a snapshot: connections, secrets, credentials."""

import gc
import json
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lib.platform import aws, restore
from lib.platform.secrets import Secret


class Endpoint(BaseHTTPRequestHandler):
    """Answers DynamoDB, and hands out credentials that expire as the server's ``lasting`` says."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        """Count the connections."""
        super().setup()
        self.server.connections += 1  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        """The credentials of the function's role, a new key each time."""
        server: Any = self.server
        server.given += 1
        assert self.headers["Authorization"] == server.token
        expires = datetime.now(UTC) + server.lasting
        key = {"AccessKeyId": f"KEY{server.given}", "SecretAccessKey": "s", "Token": "t"}
        self._answer({**key, "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def do_POST(self) -> None:
        """A table."""
        server: Any = self.server
        server.signed.append(self.headers["Authorization"].partition("Credential=")[2].partition("/")[0])
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"TableNames": []})

    def _answer(self, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server for both, and the environment of a function that SnapStart starts: no key is in it."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.given, server.signed, server.lasting, server.token, server.connections = 0, [], timedelta(hours=6), "first", 0
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "first")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    aws._session.cache_clear()
    yield server
    aws._session.cache_clear()
    server.shutdown()
    server.server_close()


def test_a_client_reads_its_keys_again_from_the_container_when_they_expire(
    endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot is restored after hours or days, with another token in the environment."""
    endpoint.lasting = timedelta(seconds=-1)
    client = aws.make_client("dynamodb")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "second")
    endpoint.token, endpoint.lasting = "second", timedelta(hours=6)

    client.list_tables()
    client.list_tables()

    assert endpoint.signed == ["KEY2", "KEY2"], "KEY1 is that of the snapshot"


def test_connections_of_before_are_not_used_again(endpoint: Any) -> None:
    client = aws.make_client("dynamodb")
    client.list_tables()
    opened = endpoint.connections
    client.list_tables()
    assert endpoint.connections == opened

    restore.run()
    client.list_tables()

    assert endpoint.connections == opened + 1


def test_a_secret_is_read_again() -> None:
    class Client:
        value = "old"

        def get_secret_value(self, **_: str) -> dict[str, str]:
            return {"SecretString": self.value}

    client = Client()
    secret = Secret(client, "arn")
    assert secret.values() == ("old", "old")
    client.value = "new"
    assert secret.values() == ("old", "old")

    restore.run()

    assert secret.values() == ("new", "new"), "the current and the previous one"


def test_random_is_seeded_again() -> None:
    state = random.getstate()
    values = []
    for _ in range(2):
        random.setstate(state)
        restore.run()
        values.append(random.random())

    assert values[0] != values[1]


def test_an_object_that_is_gone_is_forgotten() -> None:
    class Gone:
        pass

    called: list[object] = []
    owner = Gone()
    restore.register(owner, called.append)
    restore.run()
    assert called == [owner]
    called.clear()
    del owner
    gc.collect()

    restore.run()

    assert called == []
