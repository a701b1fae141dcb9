"""The deployment of a command is resolved from the first source that is set, and the AWS SDK is pointed at it."""

import json
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.cli import deployment
from handlers.cli.deployment import find
from lib.platform import errors

OUTPUTS = {
    "jira_issues_table_name": "issues-1",
    "jira_operations_table_arn": "arn:aws:dynamodb:eu-west-2:123456789012:table/operations-1",
    "functions": {"reconciliation": "reconciliation-1"},
    "dead_letter_queues": {"reconciliation": ["failures-1"], "webhooks": []},
}
READY = {"http_url": "http://127.0.0.1:1", "aws_url": "http://127.0.0.1:2", "region": "us-west-2", "outputs": OUTPUTS}


def written(path: Path, value: object, indent: int | None = None) -> str:
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=indent), encoding="utf-8")
    return str(path)


def install_pulumi(folder: Path, script: str) -> dict[str, str]:
    """A Pulumi CLI on PATH that does what ``script`` says."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "pulumi"
    program.write_text(f"#!{sys.executable}\nimport sys\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"PATH": str(folder / "bin")}


def test_the_pulumi_clis_outputs_name_the_deployment_and_region(tmp_path: Path) -> None:
    environ = {"AWS_PROFILE": "prod", "AWS_DEFAULT_REGION": "us-east-1"}

    found = find(written(tmp_path / "outputs.json", OUTPUTS, indent=2), None, environ)

    assert found.output("jira_issues_table_name") == "issues-1"
    assert found.function_name("reconciliation") == "reconciliation-1"
    assert found.dead_letter_queues("reconciliation") == [("reconciliation", "failures-1")]
    assert environ == {"AWS_PROFILE": "prod", "AWS_DEFAULT_REGION": "eu-west-2"}


def test_the_local_clouds_line_points_the_sdk_at_it(tmp_path: Path) -> None:
    environ = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "t", "AWS_ENDPOINT_URL_S3": "https://s3", "NO_PROXY": "intranet"}

    found = find(written(tmp_path / "ready.json", READY), None, environ)

    assert found.output("jira_issues_table_name") == "issues-1"
    assert environ == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-west-2",
        "NO_PROXY": "intranet",
        "no_proxy": "intranet,127.0.0.1",
    }


def open_ended(text: str) -> Iterator[str]:
    """The lines of a program that keeps running: reading past them would block."""
    yield from text.splitlines(keepends=True)
    raise AssertionError("read too far")


@pytest.mark.parametrize("indent", [None, 2])
def test_standard_input_is_read_up_to_the_end_of_the_json(monkeypatch: pytest.MonkeyPatch, indent: int | None) -> None:
    monkeypatch.setattr(sys, "stdin", open_ended(json.dumps(READY, indent=indent) + "\n"))

    assert find("-", None, {}).function_name("reconciliation") == "reconciliation-1"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{broken", "it is not JSON"),
        ("", "it is empty; did the deployment start?"),
        ("[]", "it is not a JSON object"),
        ("[" * 100_000, "it is not JSON"),
        (None, "No such file or directory"),
    ],
)
def test_unreadable_outputs_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, reason: str
) -> None:
    monkeypatch.setattr(deployment, "READY_SECONDS", 0)
    path = tmp_path / "outputs.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(errors.ConfigurationError, match=f"can't read the outputs from {path}: {reason}"):
        find(str(path), None, {})


@pytest.mark.parametrize("wrong", [{"aws_url": "nonsense"}, {"region": ""}, {"region": 7}, {"region": None}])
def test_a_local_cloud_without_a_usable_address_or_region_is_an_error(tmp_path: Path, wrong: dict[str, object]) -> None:
    path = written(tmp_path / "ready.json", READY | wrong)

    with pytest.raises(errors.ConfigurationError, match=f"{path} does not name the aws_url and the region of a local cloud"):
        find(str(path), None, {})


def test_outputs_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.write_text(json.dumps(READY), encoding="utf-8-sig")

    assert find(str(path), None, {}).output("jira_issues_table_name") == "issues-1"


def test_outputs_that_are_not_ready_are_waited_for_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deployment, "_MESSAGE_SECONDS", 0.01)
    path = tmp_path / "ready.json"
    path.touch()
    starts = threading.Timer(0.5, lambda: written(path, READY))
    starts.start()

    found = find(str(path), None, {})

    assert found.output("jira_issues_table_name") == "issues-1"
    assert capsys.readouterr().err == f"Waiting for the outputs in {path}: the deployment is not ready yet.\n"


def test_outputs_that_are_ready_are_not_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    find(written(tmp_path / "ready.json", READY), None, {})

    assert capsys.readouterr().err == ""


def test_the_variables_of_a_deployment_select_it(tmp_path: Path) -> None:
    outputs = OUTPUTS | {"http_api_url": "https://api", "functions": {"health": "health-1", "jira_worker": "worker-1"}}
    found = find(written(tmp_path / "outputs.json", outputs), None, {})

    again = find(None, None, found.variables())

    assert again.outputs["http_api_url"] == "https://api"
    assert again.function_name("jira_worker") == "worker-1"
    assert again.dead_letter_queues() == [("reconciliation", "failures-1")]
    assert again.variables() == found.variables()


def test_environment_variables_name_it() -> None:
    environ = {
        "JIRA_ISSUES_TABLE_NAME": "issues-2",
        "HEALTH_FUNCTION_NAME": "health-2",
        "JIRA_WORKER_DEAD_LETTER_QUEUES": "one-2, two-2",
        "AWS_LAMBDA_FUNCTION_NAME": "not ours",
    }
    before = dict(environ)

    found = find(None, None, environ)

    assert found.output("jira_issues_table_name") == "issues-2"
    assert found.function_name("health") == "health-2"
    assert found.dead_letter_queues("jira_worker") == [("jira_worker", "one-2"), ("jira_worker", "two-2")]
    assert environ == before


def test_stack_option_beats_variables_which_beat_the_pulumi_cli(tmp_path: Path) -> None:
    script = f"""print({json.dumps(OUTPUTS)!r}) if sys.argv[1:] in (
        ['stack', 'output', '--json', '--non-interactive'],
        ['stack', 'output', '--json', '--non-interactive', '--stack', 'prod'],
    ) else sys.exit(9)"""
    pulumi = install_pulumi(tmp_path, script)
    variables = {"JIRA_ISSUES_TABLE_NAME": "issues-2"}

    assert find(None, None, pulumi | variables).output("jira_issues_table_name") == "issues-2"
    assert find(None, "prod", pulumi | variables).output("jira_issues_table_name") == "issues-1"
    assert find(None, None, pulumi).output("jira_issues_table_name") == "issues-1"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("print('warning: x\\nerror: no stack named prod found', file=sys.stderr); sys.exit(255)", "no stack named prod found"),
        ("sys.exit(3)", "exit code 3"),
        ("print('not JSON')", "JSONDecodeError"),
        ("print('[]')", "it did not print a JSON object"),
    ],
)
def test_a_pulumi_cli_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str) -> None:
    pulumi = install_pulumi(tmp_path, script)
    monkeypatch.setenv("PATH", pulumi["PATH"])
    with pytest.raises(errors.ConfigurationError, match=f"the Pulumi CLI gave no outputs: {reason}"):
        find(None, "prod", pulumi)


def test_nothing_found_says_what_to_do(tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path)}
    with pytest.raises(errors.ConfigurationError, match="pass --stack or --outputs, or set JIRA_ISSUES_TABLE_NAME"):
        find(None, None, nowhere)
    with pytest.raises(errors.ConfigurationError, match="--stack needs the Pulumi CLI"):
        find(None, "prod", nowhere)


def test_what_the_outputs_lack_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "outputs.json", {"functions": {}, "dead_letter_queues": OUTPUTS["dead_letter_queues"]})
    found = find(path, None, {})

    with pytest.raises(errors.ConfigurationError, match="jira_issues_table_name is missing from "):
        found.output("jira_issues_table_name")
    with pytest.raises(errors.ConfigurationError, match=r"functions\.health is missing from "):
        found.function_name("health")
    with pytest.raises(
        errors.ConfigurationError, match=r"webhooks has no dead-letter queue .*; functions that have one: reconciliation"
    ):
        found.dead_letter_queues("webhooks")
