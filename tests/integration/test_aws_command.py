"""``python -m stack.local aws`` as a user meets it: one line when ready, one sentence when not, nothing left behind."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator

import boto3
import pytest

from tests.support.cloud import children_of, launch


@pytest.fixture
def endpoint() -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = launch("aws", "--port", "0")
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["aws_url"]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_it_serves_the_aws_api_on_loopback_and_a_signal_ends_it(
    endpoint: tuple[subprocess.Popen[str], str], number: signal.Signals
) -> None:
    process, url = endpoint
    assert url.startswith("http://127.0.0.1:")
    assert account_of(url) == "123456789012"
    assert children_of(process.pid) == set()

    process.send_signal(number)
    out, errors = process.communicate(timeout=30)

    assert (process.returncode, out, errors) == (0, "", "")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))).close()


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        process = launch("aws", "--port", str(port))
        out, errors = process.communicate(timeout=60)

    assert (process.returncode, out) == (1, "")
    assert errors == f"Error: Port {port} for the AWS API (--port) is taken: choose another, or 0 for any free one.\n"


def account_of(url: str) -> str:
    session = boto3.Session("test", "test", region_name="us-west-2")
    return str(session.client("sts", endpoint_url=url).get_caller_identity()["Account"])
