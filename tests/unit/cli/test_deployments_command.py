"""``deployments`` and ``rollback``, on Lambda inside this process: three deployments of two functions."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lib.operations import deployments
from lib.platform import aws
from lib.platform.contract import ALIAS, describe_version
from stack.local import moto_patches
from tests.support.aws.moto_inside import moto_inside
from tests.unit.cli.conftest import Run

FUNCTIONS = {"webhooks": "webhooks-5f", "health": "health-5f"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of Lambda, with the functions at the third of three deployments: aaa.1, bbb.1 and ccc.1."""
    moto_patches.fill_gaps()
    with moto_inside(monkeypatch):
        role = aws.make_client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        made = aws.make_client("lambda")
        for entry_point, name in FUNCTIONS.items():
            monkeypatch.setenv(f"{entry_point.upper()}_FUNCTION_NAME", name)
            made.create_function(
                FunctionName=name, Runtime="python3.13", Role=role, Handler="x.y", Code={"ZipFile": b"PK\5\6" + b"\0" * 18}
            )
        for number, revision in enumerate(("aaa.1", "bbb.1", "ccc.1"), 1):
            for name in FUNCTIONS.values():
                description = describe_version("0.2.0", revision)
                made.update_function_configuration(FunctionName=name, Description=description)
                made.publish_version(FunctionName=name)
                if number == 1:
                    made.create_alias(FunctionName=name, Name=ALIAS, FunctionVersion="1")
                made.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=str(number))
        yield made


def live(client: Any) -> list[str]:
    return [client.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"] for name in FUNCTIONS.values()]


def test_the_list_shows_when_what_revision_and_which_is_live(client: Any, run: Run) -> None:
    shown = run("deployments", "list")

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.stdout.splitlines() if line.startswith("│")]
    assert [(row[0], row[2], row[3]) for row in rows] == [("ccc.1", "2", "live"), ("bbb.1", "2", ""), ("aaa.1", "2", "")]
    assert "3 deployments." in shown.stderr


def test_json_has_each_version_of_each_function(client: Any, run: Run) -> None:
    lines = [json.loads(line) for line in run("deployments", "list", "--json").stdout.splitlines()]

    assert {tuple(line) for line in lines} == {("function", "version", "published_at", "revision", "live")}
    assert [(line["function"], line["version"], line["live"]) for line in lines] == [
        *(("webhooks", 3, True), ("webhooks", 2, False), ("webhooks", 1, False)),
        *(("health", 3, True), ("health", 2, False), ("health", 1, False)),
    ]
    assert "ccc.1" in run("deployments", "list", "--function", "health").stdout


def test_a_rollback_goes_back_and_forward_and_says_how(client: Any, run: Run) -> None:
    back = run("rollback", "--yes")

    assert (back.exit_code, live(client)) == (0, ["2", "2"])
    assert run("deployments", "live").stdout == "bbb.1\n"
    assert "Moved 2 of 2 functions." in back.stdout
    assert "To undo: rollback --forward" in back.stdout
    assert run("rollback", "--forward", "--yes").exit_code == 0
    assert live(client) == ["3", "3"]
    assert run("rollback", "--to", "aaa", "--yes").exit_code == 0
    assert live(client) == ["1", "1"]
    assert "no deployment before aaa.1 is kept" in run("rollback", "--yes").stderr
    assert "Nothing to move" in run("rollback", "--to", "aaa").stdout


def test_a_dry_run_and_a_declined_question_move_nothing(client: Any, run: Run) -> None:
    assert "Nothing was moved." in run("rollback", "--dry-run").stdout
    assert run("rollback", input="n\n").exit_code == 1
    assert live(client) == ["3", "3"]


def test_one_function_moves_alone(client: Any, run: Run) -> None:
    assert "To undo: rollback --function health --forward" in run("rollback", "--function", "health", "--yes").stdout
    assert live(client) == ["3", "2"]
    assert "live: webhooks" in run("deployments", "list").stdout
    assert run("rollback", "--function", "health", "--to", "1", "--yes").exit_code == 0
    assert live(client) == ["3", "1"]
    assert run("rollback", "--function", "health", "--to", "9", "--yes").exit_code == 1
    assert run("rollback", "--to", "aaa", "--forward").exit_code == 2


def test_a_function_that_fails_is_named_and_a_second_run_moves_it(
    client: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alias of one function changes between the reading and the move, as during ``pulumi up``."""
    read = deployments.read

    def read_and_lose(*arguments: Any) -> Any:
        found = read(*arguments)
        client.update_alias(FunctionName=FUNCTIONS["health"], Name=ALIAS, Description="by somebody else")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(deployments, "read", read_and_lose)
        partly = run("rollback", "--yes")

    assert (partly.exit_code, live(client)) == (1, ["2", "3"])
    assert "health: its alias was changed in the meantime: is a deployment running?" in partly.stderr
    assert "Moved 1 of 2 functions." in partly.stdout
    assert "run the same command again" in partly.stdout
    assert run("rollback", "--yes").exit_code == 0
    assert live(client) == ["2", "2"]


@pytest.mark.parametrize(("state", "moves"), [("Pending", False), ("Failed", False), ("Inactive", True)])
def test_a_version_that_can_not_run_stays_unused(
    client: Any, run: Run, monkeypatch: pytest.MonkeyPatch, state: str, moves: bool
) -> None:
    for name in FUNCTIONS.values():
        monkeypatch.setattr(_version(name, "2"), "state", state)

    done = run("rollback", "--yes")

    assert live(client) == (["2", "2"] if moves else ["3", "3"])
    assert ("inactive: its first calls may fail" in done.stderr) == moves
    assert (f"its state is {state}" in done.stderr) != moves


def test_prune_keeps_what_the_last_deployments_and_the_alias_need(client: Any, run: Run) -> None:
    run("rollback", "--to", "aaa", "--function", "health", "--yes")
    assert "1 version can be deleted" in run("deployments", "prune", "--keep", "2", "--dry-run").stdout

    assert run("deployments", "prune", "--keep", "2", "--yes").exit_code == 0

    lines = [json.loads(line) for line in run("deployments", "list", "--json").stdout.splitlines()]
    assert [(line["function"], line["version"]) for line in lines] == [
        *(("webhooks", 3), ("webhooks", 2)),
        *(("health", 3), ("health", 2), ("health", 1)),
    ]


def test_a_deployment_without_the_alias_is_one_sentence(client: Any, run: Run) -> None:
    client.delete_alias(FunctionName=FUNCTIONS["health"], Name=ALIAS)

    assert run("rollback").stderr == "Error: health-5f has no alias live: deploy it once with this version of Switchboard\n"


def _version(name: str, number: str) -> Any:
    from moto.awslambda.models import lambda_backends

    return lambda_backends["123456789012"]["us-west-2"].get_function(name, number)
