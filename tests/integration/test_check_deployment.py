"""``.ci/check-deployment`` as the workflow runs it: it passes only when an event arrives and nobody is notified."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.platform.contract import live
from tests.support.cloud import ROOT, Cloud, running_cloud
from tests.support.project import deployer_policy

RULES = [{"match": {"event": "DeploymentCheck*"}, "drop": True}]

# Python imports it at its start: it writes the operation of each AWS call to a file.
RECORDER = """
from botocore.client import BaseClient

original = BaseClient._make_api_call

def recorded(self, operation, parameters):
    with open({file!r}, "a") as calls:
        print(self.meta.service_model.service_name, operation, sep=":", file=calls)
    return original(self, operation, parameters)

BaseClient._make_api_call = recorded
"""


@pytest.fixture(scope="module")
def checked() -> Iterator[Cloud]:
    """A local cloud with the rule of docs/how-to/deploy-from-ci.md."""
    with running_cloud(notifyRoutes=json.dumps(RULES)) as started:
        yield started


def check(cloud: Cloud, directory: Path) -> "subprocess.CompletedProcess[str]":
    return run(cloud, directory, str(ROOT / ".ci" / "check-deployment"), "--outputs", str(directory / "ready.json"))


def run(cloud: Cloud, directory: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command on a cloud, whose outputs are in ready.json; its calls are then in the file ``calls``."""
    outputs = directory / "ready.json"
    ready = {"http_url": cloud.http_url, "aws_url": cloud.aws_url, "region": cloud.region, "outputs": cloud.outputs}
    outputs.write_text(json.dumps(ready), encoding="utf-8")
    (directory / "sitecustomize.py").write_text(RECORDER.format(file=str(directory / "calls")), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}
    return subprocess.run(
        command,
        cwd=directory,
        env=environment
        | {"PYTHON": sys.executable, "PYTHONPATH": f"{directory}:{ROOT}", "ATTEMPTS": "3", "PAUSE": "2"}
        | {"SWITCHBOARD_OUTPUTS": str(outputs)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def calls(directory: Path) -> set[str]:
    return set((directory / "calls").read_text(encoding="utf-8").split())


def granted() -> set[str]:
    policies = deployer_policy.policies().values()
    return {action for policy in policies for statement in policy["Statement"] for action in statement["Action"]}


def test_an_event_that_a_rule_drops_is_followed_to_its_outcome(checked: Cloud, tmp_path: Path) -> None:
    done = check(checked, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    [record] = [each for each in checked.log_records("notification") if each.get("message") == "event_dropped"]
    assert f"The event {record['event_id']} arrived" in done.stdout
    assert "events:PutEvents" in calls(tmp_path)
    assert calls(tmp_path) - granted() == set()


def test_the_policy_of_the_deployer_allows_a_rollback_to_the_version_before(checked: Cloud, tmp_path: Path) -> None:
    cli = (sys.executable, "-m", "handlers.cli")

    with checked.deployed("health", Timeout=59):
        done = run(checked, tmp_path, *cli, "rollback", "--function", "health", "--yes")
        moved = checked.client("lambda").get_function_configuration(FunctionName=live(checked.outputs["functions"]["health"]))
        assert checked.invoke("health", {"mode": "deep"})["payload"]["status"] == "ok"

    assert done.returncode == 0, done.stdout + done.stderr
    assert (moved["Version"], moved["Timeout"]) == ("1", 60)
    assert {"lambda:UpdateAlias", "lambda:ListVersionsByFunction"} <= calls(tmp_path)
    assert calls(tmp_path) - granted() == set()


def test_no_event_is_sent_where_people_would_be_notified_of_it(cloud: Cloud, tmp_path: Path) -> None:
    done = check(cloud, tmp_path)

    assert done.returncode == 1
    assert "people would be notified" in done.stderr
    assert 'match: {event: "DeploymentCheck*"}, drop: true' in done.stderr
    assert not [each for each in cloud.log_records("notification") if each.get("detail_type") == "DeploymentCheck"]


def test_an_event_that_does_not_arrive_fails_the_check(checked: Cloud, tmp_path: Path) -> None:
    bus, events = checked.outputs["event_bus_name"], checked.client("events")
    [rule] = [each["Name"] for each in events.list_rules(EventBusName=bus)["Rules"] if "EventPattern" in each]
    events.disable_rule(Name=rule, EventBusName=bus)
    try:
        done = check(checked, tmp_path)
    finally:
        events.enable_rule(Name=rule, EventBusName=bus)

    assert done.returncode == 1, done.stdout
    assert "did not arrive" in done.stderr


def test_a_table_that_is_missing_fails_the_check(checked: Cloud, tmp_path: Path) -> None:
    """The tables that ``health`` checks are those of the function's environment."""
    functions, name = checked.client("lambda"), checked.outputs["functions"]["health"]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    assert before["SHUTTLE_TABLE_NAME"]
    with checked.deployed("health", Environment={"Variables": before | {"SHUTTLE_TABLE_NAME": "no-such-table"}}):
        done = check(checked, tmp_path)

    assert done.returncode == 1
    assert "failed." in done.stderr
    assert "DeploymentCheck" not in done.stdout
