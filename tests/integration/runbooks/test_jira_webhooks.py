"""docs/runbooks/jira-webhooks.md: deliveries that never arrived, and tasks of the worker that Jira refuses."""

from tests.integration.runbooks.conftest import JIRA_SECRET
from tests.support.approvals.cloud import ApprovalsCloud
from tests.support.cloud import until
from tests.support.jira.bodies import SENT
from tests.support.operations.runbook import Section, runbook
from tests.support.web.standins import put_issue

DRY_RUN = "redrive --function jira_worker --dry-run"


@runbook("jira-webhooks.md#troubleshooting")
def test_a_change_whose_webhook_was_lost_is_read(operated: ApprovalsCloud, section: Section) -> None:
    key = put_issue(operated.jira, "PROJ", summary="before")
    section.do("reconcile --project P", {"P": "PROJ"}).succeeded()
    operated.jira.app.edit(key, summary="after")

    assert "after" not in section.do("issues history KEY", {"KEY": key}).succeeded()
    section.do("reconcile --project P", {"P": "PROJ"}).succeeded()

    assert "after" in section.do("issues get KEY", {"KEY": key}).succeeded()


@runbook("jira-webhooks.md#troubleshooting", "functions.md#messages-wait-in-a-queue")
def test_a_comment_that_the_worker_could_not_fetch_is_sent_again(operated: ApprovalsCloud, section: Section) -> None:
    key = put_issue(operated.jira, "PROJ", summary="commented")
    operated.jira.fail(f"/rest/api/3/issue/{key}", status=401, times=20)
    comment = {"timestamp": SENT, "webhookEvent": "comment_created", "issue": {"id": "1", "key": key, "fields": {}}}
    operated.cloud.post_signed("/webhooks/jira", comment, JIRA_SECRET, "comment-1")

    until(lambda: "task_failed" in section.do("logs task_failed").out, every=0.5)
    until(lambda: key in section.do(DRY_RUN).out, 30, every=1)
    section.raised("jira-work-dead-letters-depth", runbook="functions.md#dead-letters")
    assert "task_failed: CredentialRefusedError" in section.do(DRY_RUN).succeeded()
    assert "is not stored" in section.do("issues get KEY", {"KEY": key}).errors
    operated.jira.app.faults.clear()
    section.do("redrive --function jira_worker", answers="y\n").succeeded()

    until(lambda: "commented" in section.do("issues get KEY", {"KEY": key}).out, every=0.5)
