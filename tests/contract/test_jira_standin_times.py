"""The Jira stand-in tells the order of an issue's changes by their times, however fast they follow one another."""

import json
from datetime import UTC, datetime

from stack.local.standins.jira import Jira


def test_changes_of_one_issue_in_one_millisecond_have_times_in_their_order() -> None:
    jira = Jira()
    jira.site.now = lambda: datetime(2026, 11, 20, 12, 0, 0, 999_900, UTC)

    made = jira.create("OPS", "Billing export")
    moved = jira.edit(made.key, project="GOLD")
    jira.edit(moved.key, status="In Progress")

    told = [json.loads(each["body"])["issue"]["fields"]["updated"] for each in jira.webhooks.sent]
    assert len(told) == 3
    assert sorted(set(told)) == told
