"""Published versions in the local cloud: callers invoke the alias, and moving it changes what runs."""

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.platform.contract import live
from stack.local.functions import Credentials, FunctionHost, FunctionSpec
from stack.local.sandbox import Sandbox
from tests.support.cloud import Cloud, until

ARN = "arn:aws:lambda:us-west-2:123456789012:function:works-1"
WAITS = """
import os, pathlib, time
def handler(event, context):
    folder = pathlib.Path(os.environ["FOLDER"])
    (folder / f"has-{event}").touch()
    while not (folder / f"may-{event}").exists():
        time.sleep(0.01)
    return [os.environ["NUMBER"], os.environ["AWS_LAMBDA_FUNCTION_VERSION"], context.invoked_function_arn, os.getpid()]
"""


def version(folder: Path, number: str, **changes: Any) -> FunctionSpec:
    values: dict[str, Any] = {
        "name": "works-1",
        "arn": ARN,
        "handler": "module.handler",
        "timeout_seconds": 20,
        "memory_mb": 128,
        "environment": {"NUMBER": number, "FOLDER": str(folder)},
        "log_group": "/aws/lambda/works-1",
        "log_format": "JSON",
        "role_arn": "",
        "version": number,
    }
    return FunctionSpec(**values | changes)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FunctionHost]:
    """The first version of a function that waits until it may answer."""
    (tmp_path / "module.py").write_text(WAITS)
    started = FunctionHost(
        version(tmp_path, "1"),
        aws_url="http://127.0.0.1:1",
        region="us-west-2",
        credentials=Credentials(access_key_id="test", secret_access_key="test", session_token=""),
        write_log=lambda _, stream, line: print(stream, line),
        sandbox=Sandbox((sys.executable, "-B", "-m", "awslambdaric"), tmp_path),
    )
    started.start()
    yield started
    started.stop()


def test_what_runs_ends_on_its_version_and_what_waits_runs_on_the_next(
    host: FunctionHost, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answers: dict[str, Any] = {}

    def call(name: str, arn: str) -> threading.Thread:
        def invoke() -> None:
            answers[name] = json.loads(host.invoke(json.dumps(name).encode(), arn=arn).payload)

        thread = threading.Thread(target=invoke, daemon=True)
        thread.start()
        return thread

    running = call("a", f"{ARN}:live")
    until((tmp_path / "has-a").exists, 20)
    host.redeploy(version(tmp_path, "2"))
    waiting = call("b", "")
    (tmp_path / "may-b").touch()
    (tmp_path / "may-a").touch()
    for thread in (running, waiting):
        thread.join(20)

    assert answers["a"][:3] == ["1", "1", f"{ARN}:live"]
    assert answers["b"][:3] == ["2", "2", ARN]
    assert host.pids == [answers["b"][3]] != [answers["a"][3]], "one process runs"
    assert "rror" not in capfd.readouterr().out, "a process that is replaced logs nothing"


def test_a_process_serves_versions_that_differ_in_their_number_only(tmp_path: Path) -> None:
    one = version(tmp_path, "1")

    assert one.runs_as(version(tmp_path, "1", version="$LATEST"))
    assert not one.runs_as(version(tmp_path, "2"))
    assert not one.runs_as(version(tmp_path, "1", version="2", timeout_seconds=21))


def test_the_alias_decides_which_configuration_runs(cloud: Cloud) -> None:
    """The deep check reports the VERSION of its environment."""
    client, function = cloud.client("lambda"), cloud.outputs["functions"]["health"]
    [alias] = client.list_aliases(FunctionName=function)["Aliases"]

    def run(name: str, **qualifier: str) -> tuple[str, str]:
        answer = client.invoke(FunctionName=name, Payload=b'{"mode": "deep"}', **qualifier)
        return str(json.loads(answer["Payload"].read())["version"]), str(answer["ExecutedVersion"])

    first, number = run(live(function))
    variables = client.get_function_configuration(FunctionName=live(function))["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=function, Environment={"Variables": variables | {"VERSION": "next"}})
    published = client.publish_version(FunctionName=function)["Version"]
    try:
        assert run(live(function)) == (first, number), "a version that is only published changes nothing"
        assert run(function, Qualifier=published) == ("next", published)
        assert run(function) == ("next", "$LATEST")

        client.update_alias(FunctionName=function, Name="live", FunctionVersion=published)
        assert run(live(function)) == ("next", published)
        assert run(function, Qualifier=number) == (first, number)
    finally:
        client.update_alias(FunctionName=function, Name="live", FunctionVersion=number)
        client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
    assert run(live(function)) == (first, number)
    listed = [each["Version"] for each in client.list_versions_by_function(FunctionName=function)["Versions"]]
    assert listed == ["$LATEST", number, published]

    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.update_alias(FunctionName=function, Name="live", FunctionVersion="1", RevisionId=alias["RevisionId"])
    with pytest.raises(ClientError, match="referenced by an alias"):
        client.delete_function(FunctionName=function, Qualifier=number)
    client.delete_function(FunctionName=function, Qualifier=published)


def test_an_unknown_alias_or_version_is_not_found(cloud: Cloud) -> None:
    function = cloud.outputs["functions"]["health"]

    for name in (f"{function}:gone", f"{function}:99", "a b", f"{function}:live:1"):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            cloud.client("lambda").invoke(FunctionName=name, InvocationType="DryRun")
