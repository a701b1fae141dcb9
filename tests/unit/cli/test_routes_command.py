"""``routes test`` shows where an event would go, by the deployed rules or by others, and sends nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.support.aws.lambda_service import LambdaService
from tests.support.aws.moto_inside import LEASES, LEASES_ARN, OPERATIONS
from tests.support.leases.builders import USER_EMAIL, lease_event, lease_item

Run = Callable[..., Result]

RULES = [{"match": {"template": "Data science*"}, "channels": ["slack"], "slackChannel": "C0123456789", "mention": "here"}]


@pytest.fixture(autouse=True)
def notification(deployed: None, functions: LambdaService, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notification function, with rules."""
    functions.environments["notification-5f"] = {
        "LEASE_TABLE_ARN": LEASES_ARN,
        "OPERATIONS_TABLE_NAME": OPERATIONS,
        "NOTIFY_CHANNELS": "sns,slack,govuk_notify",
        "NOTIFY_ROUTES": json.dumps(RULES),
        "SLACK_CHANNEL": "#leases",
    }
    monkeypatch.setenv("NOTIFICATION_FUNCTION_NAME", "notification-5f")


def event_file(**event: Any) -> str:
    Path("event.json").write_text(json.dumps(lease_event("LeaseFrozen", **event)), encoding="utf-8")
    return "event.json"


def test_the_lease_is_read_and_the_rule_that_applies_is_shown(run: Run, dynamodb: Any) -> None:
    dynamodb.put_item(TableName=LEASES, Item=lease_item("Frozen"))

    result = run("routes", "test", event_file(), "--json")

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {
        "event_type": "LeaseFrozen",
        "severity": "warning",
        "template": "Data science, small",
        "account": "444455556666",
        "owner_domain": "example.gov.uk",
        "lease": "found",
        "rule": 1,
        "channels": {"slack": "C0123456789, mentions here"},
    }


def test_without_a_rule_every_channel_is_shown_and_no_address(run: Run) -> None:
    result = run("routes", "test", event_file())

    assert result.exit_code == 0
    for shown in ("not found", "none matches: every channel", "the topic", "#leases", "the owner of the lease"):
        assert shown in result.stdout
    assert USER_EMAIL not in result.output


def test_rules_of_a_file_are_used_instead(run: Run) -> None:
    Path("rules.json").write_text('[{"drop": true}]', encoding="utf-8")

    result = run("routes", "test", event_file(), "--rules", "rules.json")

    assert result.exit_code == 0
    assert "1: dropped" in result.stdout


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ("[", "rules.json is not valid JSON"),
        ('[{"drop": 5}]', "rules.json has a wrong rule 1: drop must be true or false"),
        ('[{"channels": ["teams"]}]', "rules.json has a rule 1 for teams, which notifyChannels does not have"),
    ],
)
def test_a_wrong_rule_of_a_file_is_one_sentence(run: Run, rules: str, complaint: str) -> None:
    Path("rules.json").write_text(rules, encoding="utf-8")

    result = run("routes", "test", event_file(), "--rules", "rules.json")

    assert (result.exit_code, result.stderr) == (1, f"Error: {complaint}\n")


@pytest.mark.parametrize(
    ("content", "complaint"), [("{", "event.json is not JSON"), ('{"detail": {}}', "the event has no detail-type")]
)
def test_a_wrong_event_is_one_sentence(run: Run, content: str, complaint: str) -> None:
    Path("event.json").write_text(content, encoding="utf-8")

    result = run("routes", "test", "event.json")

    assert (result.exit_code, result.stderr) == (1, f"Error: {complaint}\n")
