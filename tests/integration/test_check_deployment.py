"""``.ci/check-deployment`` as the workflow runs it: it passes only when an event arrives and nobody is notified."""

import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from lib.platform.contract import live
from tests.support.cloud import ROOT, Cloud
from tests.support.operations.shell import Done, Shell
from tests.support.project import deployer_policy

# Runs the command line in this process, as a shell's `python` does, and the rest of the script's Python in one of its own.
PYTHON = f"""#!/bin/sh
[ "$1" = -m ] && exec python "$@"
exec {sys.executable} "$@"
"""
# A process of its own imports it at its start: it writes the operation of each AWS call to a file.
RECORDER = """
from botocore.client import BaseClient

original = BaseClient._make_api_call

def recorded(self, operation, parameters):
    with open({file!r}, "a") as calls:
        print(self.meta.service_model.service_name, operation, sep=":", file=calls)
    return original(self, operation, parameters)

BaseClient._make_api_call = recorded
"""


def check(cloud: Cloud, directory: Path) -> Done:
    return run(cloud, directory, f"{ROOT}/.ci/check-deployment --outputs {directory}/ready.json")


def run(cloud: Cloud, directory: Path, command: str) -> Done:
    """Run a command on a cloud; its AWS calls are then in the file ``calls``."""
    recorder = RECORDER.format(file=str(directory / "calls"))
    (directory / "sitecustomize.py").write_text(recorder, encoding="utf-8")
    python = directory / "own-python"
    python.write_text(PYTHON, encoding="utf-8")
    python.chmod(stat.S_IRWXU)
    variables = f"export PYTHON={python} PYTHONPATH={directory}:{ROOT} ATTEMPTS=3 PAUSE=1"
    with pytest.MonkeyPatch.context() as patch:
        client: Any = BaseClient
        patch.setattr(client, "_make_api_call", client._make_api_call)  # so that it is put back
        exec(recorder, {})
        return Shell(cloud, directory).run(f"{variables}\n{command}")


def calls(directory: Path) -> set[str]:
    return set((directory / "calls").read_text(encoding="utf-8").split())


def granted() -> set[str]:
    policies = deployer_policy.policies().values()
    return {action for policy in policies for statement in policy["Statement"] for action in statement["Action"]}


def test_an_event_that_a_rule_drops_is_followed_to_its_outcome(every_channel: Cloud, tmp_path: Path) -> None:
    done = check(every_channel, tmp_path)

    assert done.code == 0, done
    [record] = [each for each in every_channel.log_records("notification") if each.get("message") == "event_dropped"]
    assert f"The event {record['event_id']} arrived" in done.out
    assert "events:PutEvents" in calls(tmp_path)
    assert calls(tmp_path) - granted() == set()


def test_the_policy_of_the_deployer_allows_a_rollback_to_the_version_before(every_channel: Cloud, tmp_path: Path) -> None:
    with every_channel.deployed("health", Timeout=59):
        done = run(every_channel, tmp_path, "python -m handlers.cli rollback --function health --yes")
        moved = every_channel.client("lambda").get_function_configuration(
            FunctionName=live(every_channel.outputs["functions"]["health"])
        )
        assert every_channel.invoke("health", {"mode": "deep"})["payload"]["status"] == "ok"

    assert done.code == 0, done
    assert (moved["Version"], moved["Timeout"]) == ("1", 60)
    assert {"lambda:UpdateAlias", "lambda:ListVersionsByFunction"} <= calls(tmp_path)
    assert calls(tmp_path) - granted() == set()


def test_no_event_is_sent_where_people_would_be_notified_of_it(cloud: Cloud, tmp_path: Path) -> None:
    done = check(cloud, tmp_path)

    assert done.code == 1
    assert "people would be notified" in done.errors
    assert 'match: {event: "DeploymentCheck*"}, drop: true' in done.errors
    assert not [each for each in cloud.log_records("notification") if each.get("detail_type") == "DeploymentCheck"]


def test_an_event_that_does_not_arrive_fails_the_check(every_channel: Cloud, tmp_path: Path) -> None:
    bus, events = every_channel.outputs["event_bus_name"], every_channel.client("events")
    [rule] = [each["Name"] for each in events.list_rules(EventBusName=bus)["Rules"] if "EventPattern" in each]
    events.disable_rule(Name=rule, EventBusName=bus)
    try:
        done = check(every_channel, tmp_path)
    finally:
        events.enable_rule(Name=rule, EventBusName=bus)

    assert done.code == 1, done
    assert "did not arrive" in done.errors


def test_a_table_that_is_missing_fails_the_check(every_channel: Cloud, tmp_path: Path) -> None:
    """The tables that ``health`` checks are those of the function's environment."""
    functions, name = every_channel.client("lambda"), every_channel.outputs["functions"]["health"]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    assert before["SHUTTLE_TABLE_NAME"]
    with every_channel.deployed("health", Environment={"Variables": before | {"SHUTTLE_TABLE_NAME": "no-such-table"}}):
        done = check(every_channel, tmp_path)

    assert done.code == 1
    assert "failed." in done.errors
    assert "DeploymentCheck" not in done.out
