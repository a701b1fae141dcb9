"""The processes of a function: one that can't be imported fails each event at once, and a fork is like a process of its own."""

import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stack.local.functions import MAX_PROCESSES, Credentials, FunctionHost, FunctionSpec
from stack.local.processes import Start, Zygote, spawn
from stack.local.reload import Reloader
from stack.local.runtime_api import Result
from stack.local.sandbox import Sandbox
from tests.support.cloud import is_alive, until

WORKS = "def handler(event, context): return 'fine'\n"
BREAKS = "raise ImportError('no such module as cobol')\n"
VANISHES = "import os; os._exit(3)\n"
HANGS = "import time\ndef handler(event, context): time.sleep(60)\n"
SHOWS_ITSELF = """
import os, sys, time
def handler(event, context):
    open("began", "w").close()
    time.sleep(event.get("seconds", 0))
    ours = [name for name in sys.modules if name.partition(".")[0] in ("lib", "handlers", "stack")]
    return {"pid": os.getpid(), "environment": dict(os.environ), "ours": ours, "path": sys.path, "session": os.getsid(0),
            "folder": os.getcwd(), "zone": time.tzname[0], "open": len(os.listdir("/proc/self/fd"))}
"""


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.fixture(params=["spawned", "forked"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FunctionHost]:
    """A function of one module, module.py in ``tmp_path``, that works and has started."""
    (tmp_path / "module.py").write_text(WORKS)
    start = spawn if request.param == "spawned" else request.getfixturevalue("zygote").start
    made = make_host(tmp_path, start)
    try:
        made.invoke(b"{}")
        yield made
    finally:
        made.stop()


def make_host(folder: Path, start: Start, lines: list[str] | None = None, **values: Any) -> FunctionHost:
    kept = [] if lines is None else lines
    spec = FunctionSpec(
        name="works-1",
        arn="arn:aws:lambda:us-west-2:123456789012:function:works-1",
        memory_mb=128,
        log_group="/aws/lambda/works-1",
        log_format="JSON",
        role_arn="",
        **{"handler": "module.handler", "timeout_seconds": 5, "environment": {}, **values},
    )
    return FunctionHost(
        spec,
        aws_url="http://127.0.0.1:1",
        region="us-west-2",
        credentials=Credentials(access_key_id="test", secret_access_key="test", session_token=""),
        write_log=lambda _, __, line: kept.append(line),
        sandbox=Sandbox((sys.executable, "-B", "-m", "awslambdaric"), folder),
        start=start,
    )


def invoke(host: FunctionHost) -> Result:
    """The result of one invocation, or a failure of the test if it comes to none."""
    results: list[Result] = []
    caller = threading.Thread(target=lambda: results.append(host.invoke(b"{}")), daemon=True)
    caller.start()
    caller.join(20)
    assert results, "the invocation hangs"
    return results[0]


def end(host: FunctionHost) -> None:
    """End the process, and wait until that is noticed."""
    [pid] = host.pids
    os.kill(pid, signal.SIGKILL)
    until(lambda: host.pids == [], 20)


def test_a_call_gets_the_error_of_an_import_that_fails(host: FunctionHost, tmp_path: Path) -> None:
    assert json.loads(invoke(host).payload) == "fine"
    (tmp_path / "module.py").write_text(BREAKS)
    end(host)

    for _ in range(2):  # each call tries once more, and fails with it
        result = invoke(host)
        assert result.error == "Unhandled"
        assert "cobol" in json.loads(result.payload)["errorMessage"]


def test_a_call_gets_the_exit_code_of_a_process_that_exits(host: FunctionHost, tmp_path: Path) -> None:
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

    assert json.loads(invoke(host).payload) == "fine"


def test_a_call_that_takes_too_long_ends_its_process(host: FunctionHost, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(HANGS)
    host.redeploy(dataclasses.replace(host.spec, timeout_seconds=1))

    assert json.loads(invoke(host).payload)["errorType"] == "Sandbox.Timedout"
    assert host.pids == []


def test_a_forked_process_has_its_own_environment_and_nothing_of_ours(zygote: Zygote, tmp_path: Path) -> None:
    """As on Lambda: only what the program declares, and no module of Switchboard before the function imports it."""
    (tmp_path / "module.py").write_text(SHOWS_ITSELF)
    answers = {}
    for start in (zygote.start, spawn):
        host = make_host(tmp_path, start, environment={"TABLE": "leases"})
        answers[start] = json.loads(host.invoke(b"{}").payload)
        host.stop()
    forked, spawned = answers.values()

    assert forked["ours"] == []
    assert set(forked["path"]) == set(spawned["path"])
    assert forked["session"] == forked["pid"], "Ctrl-C reaches the local cloud only"
    assert forked["folder"] == str(tmp_path)
    assert forked["zone"] == "UTC"
    assert forked["open"] <= spawned["open"], "it inherits no file and no socket"
    varying = {"AWS_LAMBDA_RUNTIME_API", "LC_CTYPE"}  # Python adds the latter when it starts (PEP 538)
    assert {name: value for name, value in forked["environment"].items() if name not in varying} == {
        name: value for name, value in spawned["environment"].items() if name not in varying
    }


def pids_of_calls_at_once(host: FunctionHost, calls: int) -> set[int]:
    results: list[Result] = []
    callers = [threading.Thread(target=lambda: results.append(host.invoke(b'{"seconds": 0.3}'))) for _ in range(calls)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    return {json.loads(result.payload)["pid"] for result in results}


@pytest.mark.parametrize(("reserved", "processes"), [(None, MAX_PROCESSES), (1, 1)], ids=["not reserved", "one reserved"])
def test_calls_at_the_same_time_have_processes_of_their_own(
    zygote: Zygote, tmp_path: Path, reserved: int | None, processes: int
) -> None:
    (tmp_path / "module.py").write_text(SHOWS_ITSELF)
    host = make_host(tmp_path, zygote.start, reserved_concurrency=reserved)
    try:
        pids = pids_of_calls_at_once(host, MAX_PROCESSES + 1)
        assert len(pids) == processes, "the last call waits"
        assert set(host.pids) == pids
    finally:
        host.stop()
    assert not any(map(is_alive, pids))


def test_an_edit_runs_with_the_next_call(zygote: Zygote, tmp_path: Path) -> None:
    for folder in ("handlers", "lib", "stack"):
        (tmp_path / folder).mkdir()
    source = tmp_path / "handlers" / "hello.py"
    source.write_text(WORKS)
    host = make_host(tmp_path, zygote.start, handler="handlers.hello.handler")
    edits = Reloader([host], tmp_path, pause_seconds=0)
    try:
        answers = []
        for text in (WORKS, "def handler(:", WORKS.replace("fine", "better")):
            source.write_text(text)
            edits.apply_edits()
            answers.append(json.loads(host.invoke(b"{}").payload))
        assert answers == ["fine", "fine", "better"]
    finally:
        host.stop()


def test_a_call_under_way_ends_on_the_old_code(zygote: Zygote, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(SHOWS_ITSELF)
    host = make_host(tmp_path, zygote.start)
    try:
        results: list[Result] = []
        call: Callable[[], None] = lambda: results.append(host.invoke(b'{"seconds": 0.5}'))  # noqa: E731
        caller = threading.Thread(target=call)
        caller.start()
        until((tmp_path / "began").exists)
        (tmp_path / "module.py").write_text(WORKS)
        host.renew()
        assert json.loads(host.invoke(b"{}").payload) == "fine"
        caller.join(20)
        old = json.loads(results[0].payload)["pid"]
        until(lambda: not is_alive(old))
    finally:
        host.stop()
