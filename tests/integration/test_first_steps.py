"""``python -m stack.local up`` starts with sample data, and each command of its summary works as pasted."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.cloud import Cloud, until
from tests.support.operations.shell import Shell


@pytest.fixture(scope="module")
def cloud(seeded: Cloud) -> Cloud:
    until(lambda: "Ready. Press Ctrl-C to stop.\n" in seeded.errors)
    return seeded


@pytest.fixture(scope="module")
def standins(cloud: Cloud) -> dict[str, str]:
    ready = requests.get(f"{cloud.aws_url}/_local/ready", timeout=10).json()
    assert requests.get(f"{cloud.aws_url}/_local/ready", headers={"Host": "evil.example"}, timeout=10).status_code == 403
    found: dict[str, str] = ready.pop("standins")
    assert ready == {
        "http_url": cloud.http_url,
        "aws_url": cloud.aws_url,
        "region": cloud.region,
        "outputs": cloud.outputs,
    }
    return found


def slack_messages(standins: dict[str, str]) -> list[dict[str, Any]]:
    return list(requests.get(f"{standins['slack']}/_standin/messages", timeout=10).json()["messages"])


def test_the_commands_of_the_summary_work_as_pasted(cloud: Cloud, standins: dict[str, str], tmp_path: Path) -> None:
    commands = [line for line in cloud.errors if line.startswith("  ")]
    until(lambda: cloud.jira_row("DEMO-1"))

    done = Shell(cloud, tmp_path).run("".join(commands).replace(".venv/bin/python", "python"))

    assert done.errors == ""
    out = done.succeeded()
    assert '"FailedEntryCount": 0' in out
    assert "Nothing needs a person." in out
    assert "Deploy without a person" in out
    [message] = until(lambda: slack_messages(standins))
    assert "210987654321" in json.dumps(message), "the account is in LeaseTable only"


def test_jira_and_the_table_have_the_same_issues_and_stay_equal(cloud: Cloud, standins: dict[str, str]) -> None:
    until(lambda: cloud.jira_row("DEMO-5"))
    requests.patch(f"{standins['jira']}/_standin/issues/DEMO-3", json={"status": "Done"}, timeout=10).raise_for_status()
    until(lambda: (cloud.jira_row("DEMO-3") or {}).get("status") == {"S": "Done"})

    [project] = cloud.invoke("reconciliation", {"full": True})["payload"]["projects"]

    assert project["project"] == "DEMO"
    assert project["counts"]["unchanged"] == 5
