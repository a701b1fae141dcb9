"""A click is acknowledged and recorded while Jira does not answer at all, and its issue comes once Jira does.

How quickly is measured by tests/bench/click_latency.py; what is on the way is held by
tests/unit/handlers/test_approvals_acknowledgement.py.
"""

from tests.support.approvals.cloud import Desk


def test_a_click_is_acknowledged_and_recorded_while_jira_hangs(desk: Desk) -> None:
    draft = desk.draft()
    preview = desk.preview_of(draft)
    desk.jira.fail("/rest/api/3/*", times=100, hang=600)
    try:
        desk.press(preview)
        assert any(key.startswith("APPROVAL#") for key in desk.rows(draft["session_id"]))
        assert desk.issues(draft["title"]) == []
    finally:
        desk.jira.app.faults.clear()

    desk.header_becomes(preview, "Ticket Created: ", seconds=120)
