"""Approvals: the board, one draft with its preview and audit trail, and its retry."""

from typing import Any

import pytest

from lib.approvals.records import SessionState
from tests.support.approvals.stores import Stores
from tests.support.aws.moto_inside import OPERATIONS
from tests.support.console.client import HOSTILE, PERSON, ConsoleClient, assert_safe, console_client, text_of
from tests.support.observability.log_lines import LogLines
from tests.support.operations.deployment import Deployment

QUEUE = "approval-work-0a1b2c3"


@pytest.fixture
def stores(deployment: Deployment) -> Stores:
    deployment.environments["JIRA_BASE_URL"] = "https://jira.example.com"
    deployment.client("sqs").create_queue(QueueName=QUEUE)
    return Stores(deployment.client("dynamodb"), OPERATIONS)


@pytest.fixture
def client(deployment: Deployment, stores: Stores) -> ConsoleClient:
    return console_client(deployment, allow_writes=True, now=lambda: stores.time)


def created(stores: Stores, session_id: str, key: str = "PROJ-1", **given: Any) -> None:
    operation = stores.approved(session_id=session_id, **given)
    stores.start(operation)
    stores.operations.mark_success(operation, key)


def failed(stores: Stores, session_id: str = "sess-1", error: str = "Jira answered 400", **given: Any) -> None:
    operation = stores.approved(session_id=session_id, **given)
    stores.start(operation)
    stores.operations.mark_failed(operation, error, owner="one")


def sent(deployment: Deployment) -> list[str]:
    """The messages of the worker's queue."""
    sqs = deployment.client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [message["Body"] for message in answer.get("Messages", [])]


def test_without_drafts_the_board_says_how_to_submit_one(client: ConsoleClient) -> None:
    assert "Submit one with: drafts submit FILE.json" in text_of(client.page("/approvals"))


def test_the_board_has_a_column_per_state(client: ConsoleClient, stores: Stores) -> None:
    stores.submitted(session_id="s-waiting", title="A title that waits")
    created(stores, "s-done", title="A title that is done")
    failed(stores, "s-failed", title="A title that failed")
    _, of_hash = stores.submitted(session_id="s-rejected")
    stores.decide(of_hash, approved=False, session_id="s-rejected", reason="Not planned")

    page = text_of(client.page("/approvals"))

    for each in ("waiting 1", "creating 0", "unknown 0", "failed 1", "done 1", "rejected 1", "PROJ-1", "Not planned"):
        assert each in page
    assert "Retry A title that failed" in page
    assert "approvals list --state waiting --state creating --state unknown" in page


def test_a_long_column_has_more(client: ConsoleClient, stores: Stores) -> None:
    for number in range(55):
        stores.submitted(session_id=f"s-{number}", title=f"Title {number}.")
        stores.advance(minutes=1)

    board = client.page("/approvals")
    first = client.page("/approvals?state=waiting")

    assert "10+" in board
    assert "Title 9." in board
    assert "Title 10." not in board
    assert "/approvals?state=waiting" in board
    assert "Title 49." in first
    assert "Title 50." not in first
    following = first.partition('class="pager"')[2].partition('href="')[2].partition('"')[0].replace("&amp;", "&")
    last = client.page(following)
    assert "Title 50." in last
    assert "Title 54." in last
    assert 'class="pager"' not in last
    assert "approvals list --state waiting" in text_of(last)


def test_drafts_are_filtered_by_age(client: ConsoleClient, stores: Stores) -> None:
    stores.submitted(session_id="old", title="The old one")
    stores.advance(hours=13)
    stores.submitted(session_id="new", title="The new one")

    page = client.page("/approvals?age=12h")

    assert "The old one" in page
    assert "The new one" not in page
    assert "--older-than 12h" in page
    assert "No drafts for that long" in client.page("/approvals?age=7d")
    assert "No draft is failed for that long" in client.page("/approvals?age=7d&state=failed")


@pytest.mark.parametrize("query", ["state=nonsense", "age=nonsense", "state=waiting&after=nonsense"])
def test_malformed_filters_are_refused(client: ConsoleClient, query: str) -> None:
    client.page(f"/approvals?{query}", 400)


def test_a_draft_is_shown_whole_with_its_preview_and_trail(client: ConsoleClient, stores: Stores) -> None:
    _, of_hash = stores.submitted(
        session_id="team/conversation-1",
        solution="Refuse with 413.",
        acceptance_criteria=["Refused within 1 s"],
        constraints=["No new service"],
        risks=["Clients retry"],
        dependencies=["A decision"],
        epic="PROJ-7",
        channel="#team",
    )
    stores.approvals.set_preview("team/conversation-1", of_hash, "C1", "1.0")
    stores.approvals.open_preview("team/conversation-1", of_hash, "C1", "1.0", "https://example.slack.com/archives/C1/p1")

    page = client.page("/approvals/team/conversation-1")

    texts = ("Refuse with 413.", "Refused within 1 s", "No new service", "Clients retry", "A decision", "PROJ-7", "#team")
    assert all(page.count(text) >= 1 for text in texts)
    assert "Draft for Jira: approve or reject" in page, "the preview"
    assert 'href="https://example.slack.com/archives/C1/p1"' in page
    shown = text_of(page)
    assert "May approve everybody who sees the preview, except U0REQUEST" in shown
    assert "Submitted by U0REQUEST: Refuse uploads that are too large" in shown
    assert "python -m handlers.cli approvals show team/conversation-1" in shown
    assert "Retry" not in shown


def test_a_created_issue_is_linked(client: ConsoleClient, stores: Stores) -> None:
    created(stores, "s-1")
    created(stores, "s-2", "PROJ-DRY1")

    page = client.page("/approvals/s-1")

    assert 'href="https://jira.example.com/browse/PROJ-1"' in page
    assert 'href="/issues/PROJ-1"' in page
    assert "PROJ-DRY1 (dry run)" in text_of(client.page("/approvals/s-2"))


def test_text_of_strangers_is_escaped_and_masked(client: ConsoleClient, stores: Stores) -> None:
    lists = {key: [HOSTILE] for key in ("acceptance_criteria", "constraints", "risks", "dependencies")}
    draft = {"title": HOSTILE, "problem": HOSTILE, "solution": HOSTILE, "issue_type": HOSTILE[:50], **lists}
    stores.submitted(session_id="s-1", **draft)
    failed(stores, "s-2", HOSTILE, **draft)
    _, of_hash = stores.submitted(session_id="s-3", **draft)
    stores.decide(of_hash, approved=False, session_id="s-3", reason=HOSTILE, by=HOSTILE)
    _, of_hash = stores.submitted(session_id="s-4", **draft)
    stores.approvals.set_preview("s-4", of_hash, HOSTILE, HOSTILE)
    stores.approvals.open_preview("s-4", of_hash, HOSTILE, HOSTILE, "javascript:alert(1)")
    stores.approvals.fail_preview("s-1", stores.approvals.read_current("s-1").draft_hash, HOSTILE)  # type: ignore[union-attr]

    assert "alert(" in client.page("/approvals")
    for session_id in ("s-1", "s-2", "s-3", "s-4"):
        page = client.page(f"/approvals/{session_id}")
        assert "alert(" in page
        assert 'href="javascript:' not in page
    client.page("/approvals?state=failed")
    client.page("/approvals/-/retry/s-2")
    client.page("/approvals/%3Cscript%3Ealert(1)%3C/script%3E", 404)


def test_it_asks_and_then_retries(client: ConsoleClient, stores: Stores, deployment: Deployment) -> None:
    failed(stores)
    lines = LogLines("console")

    assert 'href="/approvals/-/retry/sess-1"' in client.page("/approvals/sess-1")
    asked = client.page("/approvals/-/retry/sess-1")
    assert "searches Jira for the issue" in asked
    assert "operations retry sess-1 --by YOUR_SLACK_ID" in asked
    assert sent(deployment) == []
    answer = client.post("/approvals/-/retry/sess-1", data={"by": "U0ADA"})

    assert answer.status_code == 303
    assert "The worker retries the draft now." in client.page(answer.headers["Location"])
    (message,) = sent(deployment)
    assert '"kind": "create_issue"' in message
    assert stores.operations.get_session_operations("sess-1")[0].retry_by == "U0ADA"
    line = lines.only("console_change")
    assert (line["action"], line["person"], line["session_id"]) == ("approvals.retry", PERSON, "sess-1")


@pytest.mark.parametrize("by", ["ada", ""])
def test_a_retry_needs_a_slack_user_id(client: ConsoleClient, stores: Stores, deployment: Deployment, by: str) -> None:
    failed(stores)

    answer = client.post("/approvals/-/retry/sess-1", data={"by": by})

    assert (answer.status_code, sent(deployment)) == (400, [])
    assert "is not a Slack user ID" in answer.text


def test_a_preview_that_was_not_posted_is_retried(client: ConsoleClient, stores: Stores, deployment: Deployment) -> None:
    _, of_hash = stores.submitted()
    stores.approvals.fail_preview("sess-1", of_hash, "channel_not_found")

    assert "posts the preview in Slack again" in client.page("/approvals/-/retry/sess-1")
    client.post("/approvals/-/retry/sess-1", data={"by": "U0ADA"})

    assert '"kind": "post_preview"' in sent(deployment)[0]


def test_a_draft_without_anything_to_retry_is_refused(client: ConsoleClient, stores: Stores, deployment: Deployment) -> None:
    stores.submitted()

    answer = client.post("/approvals/-/retry/sess-1", data={"by": "U0ADA"})

    assert (answer.status_code, sent(deployment)) == (400, [])
    assert "nobody has approved its draft" in answer.text


def test_a_read_only_console_retries_nothing(stores: Stores, deployment: Deployment) -> None:
    failed(stores)
    client = console_client(deployment, now=lambda: stores.time)

    assert "read-only" in client.page("/approvals/-/retry/sess-1")
    answer = client.post("/approvals/-/retry/sess-1", data={"by": "U0ADA"})

    assert "this console is read-only" in answer.text.casefold()
    assert_safe(answer.text)
    assert sent(deployment) == []
    assert stores.approvals.read_current("sess-1").session.state is SessionState.FAILED  # type: ignore[union-attr]
