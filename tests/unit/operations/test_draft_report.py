"""A draft's report has the whole draft, the preview as Slack shows it and the audit trail of its session."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lib.approvals import records
from lib.operations import draft_report
from lib.operations.approvals import Stage
from lib.operations.draft_report import DraftReport, report_draft
from lib.platform import errors
from lib.platform.dynamodb import Table
from lib.platform.environment.approvals import ApprovalsEnvironment
from tests.support.approvals.builders import NOON
from tests.support.approvals.stores import Stores


def report(stores: Stores, session_id: str = "sess-1", **settings: Any) -> DraftReport:
    environment = ApprovalsEnvironment(
        operations_table_name=stores.table_name,
        approval_queue_url="https://queue",
        jira_base_url="https://jira.example.com",
        **settings,
    )
    return report_draft(Table(stores.client, stores.table_name), environment, session_id)


def trail(found: DraftReport) -> list[tuple[str, str, str]]:
    return [(entry.source, entry.level, entry.text) for entry in found.trail]


def test_a_draft_that_waits_is_whole_with_its_preview_and_expiry(stores: Stores) -> None:
    draft, _ = stores.submitted()

    found = report(stores, approval_expiry_days=14)

    assert (found.draft, found.submitted_at, found.approval.stage) == (draft, NOON, Stage.WAITING)
    assert found.expires_at == NOON + timedelta(days=14)
    assert report(stores).expires_at is None
    (message,) = found.messages
    assert message.text == "A draft for Jira waits for approval: Refuse uploads that are too large"


def test_the_rest_of_a_long_draft_that_waits_is_in_the_thread(stores: Stores) -> None:
    stores.submitted(problem="A long paragraph.\n\n" * 500, solution="The solution.\n\n" * 600)

    assert len(report(stores).messages) > 1


def test_the_trail_has_every_step_in_order(stores: Stores) -> None:
    operation = stores.approved()
    stores.start(operation)
    stores.post(operation)
    stores.advance(minutes=1)
    stores.operations.mark_failed(operation, "Jira answered 400: ask ada@example.com", owner="one")

    found = report(stores)

    assert trail(found)[:2] == [
        ("this draft", "", "Submitted by U0REQUEST: Refuse uploads that are too large"),
        ("this draft", "", "Approved by U0ANN"),
    ]
    source, level, text = trail(found)[2]
    assert (source, level) == ("this draft", "ERROR")
    assert text.startswith("Jira issue: failed (by U0ANN, 1 request): Jira answered 400: ask email:")
    assert (found.issue_url, found.expires_at) == ("", None)
    assert found.messages[0].text.startswith("Jira issue not created")


def test_the_report_of_a_failure_is_named_in_words(stores: Stores) -> None:
    stores.start(replace(stores.approved(), name=f"{records.REPORT_FAILURE}#2"))

    assert trail(report(stores))[-1][2].startswith("Report of the failure in Slack: ")


def test_an_issue_has_its_address_unless_it_is_of_a_dry_run(stores: Stores) -> None:
    for session_id, key in (("one", "PROJ-1"), ("two", "PROJ-DRY1")):
        operation = stores.approved(session_id=session_id)
        stores.start(operation)
        stores.operations.mark_success(operation, key)

    assert report(stores, "one").issue_url == "https://jira.example.com/browse/PROJ-1"
    assert report(stores, "two").issue_url == ""


def test_earlier_drafts_and_rejections_are_in_the_trail(stores: Stores) -> None:
    _, first = stores.submitted()
    stores.decide(first, approved=False, reason="Too big")
    stores.advance(minutes=1)
    stores.submitted(title="Smaller")

    earlier = f"earlier draft {first[:8]}"
    assert trail(report(stores)) == [
        (earlier, "", "Submitted by U0REQUEST: Refuse uploads that are too large"),
        (earlier, "", "Rejected by U0ANN: Too big"),
        ("this draft", "", "Submitted by U0REQUEST: Smaller"),
    ]


def test_a_preview_that_slack_refused_is_an_error_of_the_trail(stores: Stores) -> None:
    _, of_hash = stores.submitted()
    stores.approvals.fail_preview("sess-1", of_hash, "channel_not_found")

    found = report(stores)

    assert ("this draft", "ERROR", "Preview not posted: channel_not_found") in trail(found)
    assert found.approval.reason == "channel_not_found"


def test_a_long_trail_is_cut(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft_report, "MOST_ROWS", 2)
    stores.submitted()
    stores.approved(title="Another")

    assert report(stores).is_cut


def test_an_unknown_session_is_not_found(stores: Stores) -> None:
    with pytest.raises(errors.NotFoundError, match="there is no session 'gone'"):
        report(stores, "gone")
