"""``python -m stack.local up``: one line when it is ready, one sentence when it fails, and no process left behind."""

import json
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
import requests

from lib.platform.contract import ENTRY_POINTS
from tests.support.cloud import Cloud, children_of, fork_cloud, is_alive, launch_cloud, launched_cloud, until
from tests.support.project.outputs import OUTPUTS, STABLE_NAMES, names


def can_bind(url: str) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(url.rsplit(":", 1)[1])))
        except OSError:
            return False
        return True


def test_its_ready_line_is_complete_and_a_signal_ends_every_process() -> None:
    region = "eu-west-2"
    with launched_cloud("--console-port", "0", **{"aws:region": region}) as cloud:
        assert_its_ready_line_is_complete(cloud, region)
        processes = children_of(cloud.process.pid)
        assert processes.issuperset(cloud.pids("webhooks")), "it has answered GET /health"
        until(lambda: "Ready. Press Ctrl-C to stop.\n" in cloud.errors)
        assert f"  curl -s {cloud.aws_url}/_local/ready > ready.json\n" in cloud.errors

        assert cloud.stop(signal.SIGTERM) == 0

    assert [pid for pid in processes if is_alive(pid)] == []
    assert can_bind(cloud.http_url)
    assert can_bind(cloud.console_url.partition("/?")[0])
    assert can_bind(cloud.aws_url)
    assert cloud.process.stdout is not None
    assert cloud.process.stdout.read() == "", "standard output has the ready line and nothing else"


def test_functions_and_the_console_end_when_the_local_cloud_is_killed() -> None:
    with launched_cloud("--console-port", "0") as cloud:
        assert cloud.region == "us-west-2"
        requests.get(f"{cloud.http_url}/health", timeout=30).raise_for_status()
        processes = children_of(cloud.process.pid)
        assert len(processes) >= 3, "the parent of the functions, a function and the console"

        cloud.stop(signal.SIGKILL)

    until(lambda: not any(is_alive(pid) for pid in processes))


def test_ctrl_c_while_it_starts_ends_it_too() -> None:
    process = launch_cloud()
    until(lambda: process.poll() is None and Path(f"/proc/{process.pid}/maps").read_text().count("grpc"))
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert process.returncode != 0
    assert out == ""
    assert error == "Stopped while starting.\n"


def assert_its_ready_line_is_complete(cloud: Cloud, region: str) -> None:
    assert cloud.http_url.startswith("http://127.0.0.1:")
    assert cloud.aws_url.startswith("http://127.0.0.1:")
    assert cloud.region == region
    assert names(cloud.outputs) == STABLE_NAMES, "they are the same at every start"
    assert set(cloud.outputs) == OUTPUTS
    assert cloud.outputs["http_api_url"] == cloud.http_url
    assert f":{region}:" in cloud.outputs["lease_table_arn"]
    assert set(cloud.outputs["functions"]) == set(ENTRY_POINTS)
    with urllib.request.urlopen(f"{cloud.http_url}/health") as response:
        assert json.load(response)["status"] == "ok"
    assert "<h1>Home</h1>" in requests.get(cloud.console_url, timeout=30).text


def failing(*arguments: str) -> tuple[int, str, str]:
    """What a cloud that can't start ends with, and prints."""
    process = fork_cloud(*arguments)
    try:
        with process.stdout as out, process.stderr as error:
            return process.wait(timeout=60), out.read(), error.read()
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@pytest.mark.parametrize("option", ["--http-port", "--aws-port"])
def test_a_taken_port_is_one_clear_sentence(option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, error = failing(option, str(port))
    assert code == 1
    assert out == ""
    assert error.strip().splitlines() == [
        f"Error: Port {port} for the {'HTTP' if 'http' in option else 'AWS'} API ({option}) is taken: "
        "choose another, or 0 for any free one."
    ]


@pytest.mark.parametrize(
    ("pair", "key"),
    [
        ("notifyChanels=sns", "switchboard:notifyChanels"),
        ("aws:region=nowhere", "aws:region"),
    ],
)
def test_wrong_config_is_one_sentence_that_names_the_key(pair: str, key: str) -> None:
    """tests/infra/test_settings.py has the wrong values; this is about the message."""
    code, out, error = failing("--config", pair)
    assert code == 1
    assert out == ""
    lines = error.strip().splitlines()
    assert len(lines) == 1, error
    assert lines[0].startswith(f"Error: {key} ")


def test_a_config_option_without_a_value_is_refused() -> None:
    code, _, error = failing("--config", "notifyChannels")
    assert code == 2
    assert "'notifyChannels' is not KEY=VALUE" in error
