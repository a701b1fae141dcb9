"""The config keys that a seeded local cloud adds, and those that it does not change."""

from typing import Any
from unittest import mock

import pytest

from lib.jira.backfill.legacy_rows import read_legacy
from stack.local.lease_samples import LEASES
from stack.local.seed import LEGACY_ISSUES, defaults, fill_jira, fill_lease_table, fill_legacy_table
from stack.local.standins.jira import Jira

TO_SLACK = {"notifyChannels": "sns,slack", "slackChannel": "leases"}


@pytest.mark.parametrize(
    ("config", "added"),
    [
        ({}, {"jiraProjects": "DEMO", **TO_SLACK}),
        ({"jiraBaseUrl": "https://example.atlassian.net"}, TO_SLACK),
        ({"jiraProjects": "OPS"}, TO_SLACK),
        ({"slackApiUrl": "https://slack.com/api/"}, {"jiraProjects": "DEMO"}),
        ({"notifyChannels": "sns"}, {"jiraProjects": "DEMO"}),
        ({"slackChannel": "people", "jiraProjects": ""}, {"notifyChannels": "sns,slack", "slackChannel": "people"}),
    ],
)
def test_what_the_config_sets_is_kept(config: dict[str, str], added: dict[str, str]) -> None:
    assert defaults(config) == added


class Table:
    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def put_item(self, *, TableName: str, Item: dict[str, Any]) -> None:  # noqa: N803 (boto3's names)
        assert TableName == "leases"
        self.items.append(Item)


@pytest.mark.parametrize(("config", "count"), [({}, len(LEASES)), ({"leaseTableArn": "arn:aws:dynamodb:…"}, 0)])
def test_a_lease_table_of_another_stack_gets_no_leases(config: dict[str, str], count: int) -> None:
    table = Table()

    fill_lease_table(table, config, {"lease_table_name": "leases"})

    assert len(table.items) == count


def test_a_legacy_table_is_made_if_the_config_names_one() -> None:
    rows: list[Any] = []
    client = mock.Mock(put_item=lambda *, TableName, Item: rows.append(read_legacy(Item)))  # noqa: N803 (boto3's names)

    fill_legacy_table(client, {})
    assert rows == client.mock_calls == []
    fill_legacy_table(client, {"backfillSourceTableArn": "arn:aws:dynamodb:us-west-2:123456789012:table/legacy"})

    assert client.create_table.call_args.kwargs["TableName"] == "legacy"
    assert len({row.issue_key for row in rows}) == LEGACY_ISSUES


def test_the_leases_differ_in_owner_template_and_status() -> None:
    for field in ("userEmail", "status"):
        assert len({lease[field] for lease in LEASES}) == len(LEASES)
    assert len({lease["originalLeaseTemplateName"] for lease in LEASES}) >= 3


@pytest.mark.parametrize(("answered", "refused"), [(202, 0), (503, 503), (None, 0)])
def test_a_refused_webhook_is_reported(answered: int | None, refused: int) -> None:
    jira = Jira()
    jira.webhooks.send = lambda *_, **__: jira.webhooks.sent.append({"status": answered})  # type: ignore[method-assign]

    assert fill_jira(jira, "http://127.0.0.1:9", "secret") == refused


def test_without_a_secret_jira_sends_no_webhook() -> None:
    jira = Jira()

    fill_jira(jira, "http://127.0.0.1:9", "")

    assert jira.site.find("DEMO-5")
    assert jira.webhooks.url == ""
