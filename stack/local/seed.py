"""Fills a new local cloud with sample data: leases, Jira issues, and Slack messages.

The lease system's table gets the leases of ``lease_samples.py``. The Jira stand-in gets a project that reconciliation reads,
and sends its webhooks to the HTTP API. Notifications go to the Slack stand-in too. Values that the config sets stay as they
are.
"""

import time
from collections.abc import Mapping
from typing import Any

from stack.local.lease_samples import put_leases
from stack.local.standins.jira import Jira

PROJECT_KEY = "DEMO"
SLACK_CHANNEL = "leases"
ISSUES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Deploy without a person", {"status": "In Progress", "assignee": "ada", "fix_versions": ["1.4"]}),
    ("The importer's test fails every tenth time", {"status": "Done", "assignee": "grace", "fix_versions": ["1.4"]}),
    ("Invoices lack a column for tax", {}),
    ("Login takes nine seconds", {"assignee": "alan", "labels": ["performance"]}),
    ("Rotate the API token before it expires", {"status": "Done", "assignee": "ada", "fix_versions": ["1.3"]}),
)
LEGACY_ISSUES = 120
_REFUSED = 400
_WAIT_SECONDS = 0.3
"""How long the start waits for the issues to be stored. The machine may be slow: they arrive later then."""


def defaults(config: Mapping[str, str]) -> dict[str, str]:
    """The config that the sample data needs and ``config`` does not set, by key without the namespace."""
    found = {}
    if not config.get("jiraBaseUrl") and "jiraProjects" not in config:
        found["jiraProjects"] = PROJECT_KEY
    if not config.get("slackApiUrl") and "notifyChannels" not in config:
        found |= {"notifyChannels": "sns,slack", "slackChannel": config.get("slackChannel") or SLACK_CHANNEL}
    return found


def fill_lease_table(dynamodb: Any, config: Mapping[str, str], outputs: Mapping[str, Any]) -> None:
    """Put the sample leases into LeaseTable, unless it belongs to another stack."""
    if not config.get("leaseTableArn"):
        put_leases(dynamodb, outputs["lease_table_name"])


def fill_legacy_table(dynamodb: Any, config: Mapping[str, str]) -> None:
    """Create the table of ``backfillSourceTableArn``, if it is set, with issues of several years."""
    name = config.get("backfillSourceTableArn", "").rpartition("/")[2]
    if not name:
        return
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "issue_key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "issue_key", "AttributeType": "S"}],
    )
    for number in range(1, LEGACY_ISSUES + 1):
        row = {
            "issue_key": f"OLD-{number}",
            "updated_at": f"{2020 + number % 5}-03-01T10:{number % 60:02}:00Z",
            "status": ("To Do", "In Progress", "Done")[number % 3],
            "summary": f"Replace the power supply of rack {number}",
        }
        dynamodb.put_item(TableName=name, Item={attribute: {"S": text} for attribute, text in row.items()})


def fill_jira(jira: Jira, http_url: str, webhook_secret: str) -> int:
    """Create the issues in the stand-in as users would. Their webhooks store them; without a secret, none are sent.

    Returns:
        The status of a webhook that was refused; 0 if none was, or no answer is known yet.
    """
    if webhook_secret:
        with jira.lock:
            jira.webhooks.url, jira.webhooks.secret = f"{http_url}/webhooks/jira", webhook_secret
    for summary, fields in ISSUES:
        jira.create(PROJECT_KEY, summary, **fields)
    end = time.monotonic() + _WAIT_SECONDS
    while webhook_secret and time.monotonic() < end and any(sent["status"] is None for sent in jira.webhooks.sent):
        time.sleep(0.01)
    return max((sent["status"] or 0 for sent in jira.webhooks.sent if (sent["status"] or 0) >= _REFUSED), default=0)
