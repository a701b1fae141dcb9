"""What acknowledging a webhook costs: AWS calls and capacity units, exactly. docs/database-schema.md states the same."""

import math
from types import ModuleType

import pytest

from tests.support.dynamodb.fake_table import item_bytes
from tests.support.jira.bodies import comment_event, deliver, github_push, issue_event, move_event, push
from tests.support.jira.cloud import JiraCloud

PUT, BATCH, SEND = "dynamodb.PutItem", "dynamodb.BatchWriteItem", "sqs.SendMessage"
SECRET = "secretsmanager.GetSecretValue"


@pytest.fixture
def warm(webhooks: ModuleType, jira_cloud: JiraCloud) -> ModuleType:
    """The function in a process that has served each route before."""
    deliver(webhooks, {"webhookEvent": "sprint_started"})
    push(webhooks, {"zen": "Keep it logically awesome."})
    assert set(jira_cloud.wire.operations) == {SECRET}
    jira_cloud.wire.forget()
    return webhooks


def units(cloud: JiraCloud) -> list[int]:
    """The write units of each PutItem: one a kB of the row."""
    return [math.ceil(item_bytes(call.parameters["Item"]) / 1024) for call in cloud.wire.named(PUT)]


def test_a_delivery_is_two_puts_and_one_message_and_nothing_is_read(warm: ModuleType, jira_cloud: JiraCloud) -> None:
    assert deliver(warm, issue_event())[1]["status"] == "stored"

    assert jira_cloud.wire.operations == [PUT, PUT, SEND]
    assert units(jira_cloud) == [1, 1]


@pytest.mark.parametrize("kilobytes", [10, 100, 300])
def test_the_units_are_the_version_rows_size_and_one_for_the_head(
    warm: ModuleType, jira_cloud: JiraCloud, kilobytes: int
) -> None:
    deliver(warm, issue_event(description="x" * 1000 * kilobytes, fixVersions=[{"name": "1.0"}], assignee={"accountId": "a"}))

    assert jira_cloud.wire.operations == [PUT, PUT, SEND]
    assert units(jira_cloud) == [math.ceil(item_bytes(jira_cloud.rows("OPS-7")["2026-03-01T12:00:00.000000Z"]) / 1024), 1]
    assert units(jira_cloud)[0] <= kilobytes + 1


def test_a_duplicate_and_an_older_delivery_cost_the_same_calls(warm: ModuleType, jira_cloud: JiraCloud) -> None:
    deliver(warm, issue_event(minute=5), "d-2")
    for minute, identifier in ((5, "d-2"), (0, "d-1")):
        jira_cloud.wire.forget()
        deliver(warm, issue_event(minute=minute), identifier)
        assert jira_cloud.wire.operations == [PUT, PUT, SEND]


def test_a_move_is_two_puts_per_key_and_two_notes(warm: ModuleType, jira_cloud: JiraCloud) -> None:
    deliver(warm, move_event("OPS-7", "GOLD-2"))

    assert jira_cloud.wire.operations == [PUT] * 6 + [SEND]


def test_only_a_snapshot_too_large_for_a_row_goes_to_the_bucket(warm: ModuleType, jira_cloud: JiraCloud) -> None:
    deliver(warm, issue_event(description="x" * 400_000))

    assert jira_cloud.wire.operations == ["s3.PutObject", PUT, PUT, SEND]
    assert units(jira_cloud) == [1, 1]


def test_an_event_that_needs_a_fetch_is_one_message(warm: ModuleType, jira_cloud: JiraCloud) -> None:
    deliver(warm, comment_event())

    assert jira_cloud.wire.operations == [SEND]


def test_a_push_is_one_write_per_25_rows_and_one_message(warm: ModuleType, jira_cloud: JiraCloud) -> None:
    push(warm, github_push(*[f"OPS-{number} fix" for number in range(1, 27)]))

    assert jira_cloud.wire.operations == [BATCH, BATCH, SEND]


def test_each_unknown_project_of_a_push_is_looked_up_once(warm: ModuleType, jira_cloud: JiraCloud) -> None:
    push(warm, github_push("OPS-1 UTF-8", "OPS-2 UTF-8 and UTF-16", "OPS-3 SHA-256"))

    assert jira_cloud.wire.operations == ["dynamodb.Query", "dynamodb.Query", BATCH, SEND]
    assert {call.parameters["Limit"] for call in jira_cloud.wire.named("dynamodb.Query")} == {1}


def test_secrets_are_read_by_a_cold_process_only(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    deliver(webhooks, issue_event())
    cold = [call.parameters["VersionStage"] for call in jira_cloud.wire.named(SECRET)]
    for minute in range(1, 11):
        deliver(webhooks, issue_event(minute=minute), f"d-{minute}")

    assert cold == ["AWSCURRENT"]
    assert len(jira_cloud.wire.named(SECRET)) == 1


def test_the_clients_of_a_process_are_made_when_it_starts(
    warm: ModuleType, jira_cloud: JiraCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a client was made")

    monkeypatch.setattr("lib.platform.aws.make_client", refuse)

    assert deliver(warm, issue_event())[0] == 202
    assert push(warm, github_push("OPS-7"))[0] == 202
