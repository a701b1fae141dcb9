"""The Jira stand-in gives the changes of an issue increasing times, however fast they follow each other."""

import json
from datetime import UTC, datetime

from stack.local.standins.jira import Jira


def test_changes_of_an_issue_within_a_millisecond_have_ordered_times() -> None:
    jira = Jira()
    jira.site.now = lambda: datetime(2026, 11, 20, 12, 0, 0, 999_900, UTC)

    made = jira.create("OPS", "Billing export")
    moved = jira.edit(made.key, project="GOLD")
    jira.edit(moved.key, status="In Progress")

    times = [json.loads(each["body"])["issue"]["fields"]["updated"] for each in jira.webhooks.sent]
    assert len(times) == 3
    assert sorted(set(times)) == times
