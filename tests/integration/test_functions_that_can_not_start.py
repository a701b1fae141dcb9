"""A function that can't be imported fails each event at once, also if it worked before."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.local.functions import Credentials, FunctionHost, FunctionSpec, wait_ready
from stack.local.runtime_api import Result
from stack.local.sandbox import Sandbox
from tests.support.cloud import until

WORKS = "def handler(event, context): return 'fine'\n"
BREAKS = "raise ImportError('no such module as cobol')\n"
VANISHES = "import os; os._exit(3)\n"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FunctionHost]:
    """A function of one module, module.py in ``tmp_path``, that works and has started."""
    (tmp_path / "module.py").write_text(WORKS)
    spec = FunctionSpec(
        name="works-1",
        arn="arn:aws:lambda:us-west-2:123456789012:function:works-1",
        handler="module.handler",
        timeout_seconds=5,
        memory_mb=128,
        environment={},
        log_group="/aws/lambda/works-1",
        log_format="JSON",
        role_arn="",
    )
    started = FunctionHost(
        spec,
        aws_url="http://127.0.0.1:1",
        region="us-west-2",
        credentials=Credentials(access_key_id="test", secret_access_key="test", session_token=""),
        write_log=lambda *_: None,
        sandbox=Sandbox((sys.executable, "-B", "-m", "awslambdaric"), tmp_path),
    )
    started.start()
    try:
        started.wait_ready(30)
        yield started
    finally:
        started.stop()


def invoke(host: FunctionHost) -> Result:
    """The result of one invocation, or a failure of the test if it comes to none."""
    results: list[Result] = []
    caller = threading.Thread(target=lambda: results.append(host.invoke(b"{}")), daemon=True)
    caller.start()
    caller.join(20)
    assert results, "the invocation hangs"
    return results[0]


def end(host: FunctionHost) -> None:
    """End the process, and wait until another is started."""
    ended = host.pid
    assert ended is not None
    os.kill(ended, signal.SIGKILL)
    until(lambda: host.pid != ended, 20)


def test_a_caller_waiting_on_a_failed_import_gets_the_import_error(host: FunctionHost, tmp_path: Path) -> None:
    assert json.loads(invoke(host).payload) == "fine"
    (tmp_path / "module.py").write_text(BREAKS)
    end(host)

    for _ in range(2):  # what comes later waits for the next try, and fails with it
        result = invoke(host)
        assert result.error == "Unhandled"
        assert "cobol" in json.loads(result.payload)["errorMessage"]


def test_a_caller_waiting_on_a_process_that_exits_gets_an_error(host: FunctionHost, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(VANISHES)
    end(host)

    assert json.loads(invoke(host).payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "Runtime exited with exit status 3",
    }


def test_a_function_that_can_be_imported_again_serves_again(host: FunctionHost, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(BREAKS)
    end(host)
    assert invoke(host).error == "Unhandled"
    (tmp_path / "module.py").write_text(WORKS)

    until(lambda: json.loads(invoke(host).payload) == "fine", 20)


class SlowHost(FunctionHost):
    """Takes as long as it may, up to a tenth of a second, and says how long that was."""

    def __init__(self, given: list[float]) -> None:
        self._given = given

    def wait_ready(self, timeout_seconds: float) -> None:
        self._given.append(timeout_seconds)
        time.sleep(min(timeout_seconds, 0.1))


def test_the_functions_have_one_time_to_start_in_and_not_one_each() -> None:
    given: list[float] = []

    wait_ready([SlowHost(given) for _ in range(5)], 0.25)

    assert given[0] <= 0.25
    assert given[1] <= 0.15
    assert given[3:] == [0.0, 0.0], "what is ready already is still seen to be"
