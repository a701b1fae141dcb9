"""docs/runbooks/approvals.md: Jira refuses an issue, Slack refuses a preview, the sweep does not run."""

from tests.support.approvals.cloud import ADA, ISSUE_PATH, ApprovalsCloud
from tests.support.cloud import until
from tests.support.operations.runbook import Section, runbook


@runbook("approvals.md#what-people-see")
def test_a_draft_that_jira_refused_is_retried(operated: ApprovalsCloud, section: Section) -> None:
    draft = operated.draft()
    preview = operated.preview_of(draft)
    operated.jira.fail(ISSUE_PATH, method="POST", status=403)
    operated.click(preview)
    operated.header_becomes(preview, "Jira issue not created")

    section.raised("issue-creation-failed")
    done = section.run({"<session_id>": draft["session_id"], "<your Slack ID>": ADA}).succeeded()

    assert "could not create an issue: Jira answered 403: the API token is wrong, expired or lacks a permission" in done
    assert f"Session {draft['session_id']} was failed; the worker handles it now." in done
    operated.header_becomes(preview, "Ticket Created: ")
    show = {"<session_id>": draft["session_id"]}
    assert "done" in section.do("approvals show <session_id>", show).succeeded()
    assert draft["session_id"] not in section.do("approvals list").succeeded()


@runbook("approvals.md#a-dead-letter-queue-that-is-not-empty")
def test_a_preview_that_slack_refused_is_posted(operated: ApprovalsCloud, section: Section) -> None:
    draft = operated.draft()
    operated.slack.fail("/api/chat.postMessage", times=50, error="invalid_auth")
    operated.submit(draft)
    until(lambda: draft["session_id"] in section.do("redrive --function jira_worker --dry-run").out, 30, every=1)
    operated.slack.app.faults.clear()

    section.raised("approval-work-dead-letters-depth", runbook="functions.md#dead-letters")
    done = section.run(answers="y\n").succeeded()

    assert "task_failed: CredentialRefusedError: could not post a message: Slack says invalid_auth" in done
    until(lambda: [post for post in operated.posts() if draft["title"] in str(post)])


@runbook("approvals.md#the-sweep-does-not-run")
def test_a_draft_that_no_sweep_ended_expires(operated: ApprovalsCloud, section: Section) -> None:
    draft = operated.draft()
    preview = operated.preview_of(draft)
    operated.waits_since(draft["session_id"], days=15)
    assert "Traceback" not in section.do("logs --function approvals --since 1d --level WARNING").succeeded()

    assert '"expired": 1' in section.run().succeeded()

    operated.header_becomes(preview, "Draft expired")
