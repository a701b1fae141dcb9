"""A click is acknowledged and recorded while Jira does not answer; the issue is created when Jira answers again.

tests/bench/click_latency.py measures how quickly; tests/unit/handlers/test_approvals_acknowledgement.py checks which calls
the acknowledgement waits for.
"""

from tests.support.approvals.cloud import ApprovalsCloud


def test_a_click_is_acknowledged_and_recorded_while_jira_hangs(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft()
    preview = approvals.preview_of(draft)
    approvals.jira.fail("/rest/api/3/*", times=100, hang=600)
    try:
        approvals.click(preview)
        assert any(key.startswith("APPROVAL#") for key in approvals.rows(draft["session_id"]))
        assert approvals.issues(draft["title"]) == []
    finally:
        approvals.jira.app.faults.clear()

    approvals.header_becomes(preview, "Ticket Created: ", seconds=120)
