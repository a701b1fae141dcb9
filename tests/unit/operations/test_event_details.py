"""The details of an event: its timeline in words, its stored payload, its message in Slack, and how to repeat it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lib.approvals.repository import ApprovalStore
from lib.leases.enrichment import Enrichment, Status
from lib.leases.events import read_event
from lib.notifications.channels import slack
from lib.notifications.links import Console
from lib.notifications.message import compose
from lib.operations.arrivals import Event, Outcome
from lib.operations.event_details import DetailReader, Details
from lib.operations.event_replay import Way, replay_of
from lib.operations.event_words import say
from lib.operations.events import EventReader
from lib.operations.flows import Flow
from lib.operations.lease_messages import message_from_log
from lib.operations.log_search import LogLine
from lib.platform import clock
from lib.platform.claims import Claims
from lib.platform.dynamodb import Table
from tests.support.approvals.builders import make_draft
from tests.support.aws.moto_inside import OPERATIONS
from tests.support.operations.deployment import FAILURES, FUNCTIONS, WORK_DEAD_LETTERS, Deployment

EVENT, LEASE = "6856c8f2-9e1d-4526-a742-fcda628885f9", "11111111-2222-4333-8444-555555555555"


def details(deployment: Deployment, identifier: str) -> tuple[Event, Details]:
    event = EventReader(deployment.client("logs"), FUNCTIONS).find(identifier, clock.utc_now() - timedelta(days=1))
    return event, DetailReader(deployment).read(event)


def line(message: str, **fields: Any) -> LogLine:
    return LogLine(at=datetime.now(UTC), function="notification", level="INFO", message=message, fields=fields, event_id="1")


def test_a_lease_event_has_a_timeline_in_words_and_its_message(deployment: Deployment) -> None:
    deployment.log(
        "notification", "lease_schema", event_id=EVENT, lease_status="Active", latency_ms=9, ago=timedelta(seconds=5)
    )
    deployment.log("notification", "notification_sent", event_id=EVENT, channel="slack", ago=timedelta(seconds=4))
    deployment.log("notification", "lease_event", event_id=EVENT, detail_type="LeaseFrozen", channels={"slack": "sent"},
                   title="Sandbox frozen", facts=[["Account", "123456789012"]], duration_ms=2500,
                   ago=timedelta(seconds=3))  # fmt: skip

    claims = Claims(deployment.client("dynamodb"), OPERATIONS, lease=timedelta(minutes=1), keep=None)
    claims.complete(claims.claim(f"event#{EVENT}", "slack", "one"))  # the line above says so: it is not shown twice

    event, found = details(deployment, EVENT)

    assert [entry.text for entry in found.timeline] == [
        "Received: LeaseFrozen",
        "Enriched: the lease is Active, read in 9 ms",
        "Sent on slack",
        "Handled in 2,500 ms: slack sent",
    ]
    assert found.problems == ()
    assert found.rendered is not None
    assert "Sandbox frozen" in str(found.rendered.message.blocks)
    assert found.payload.value["facts"] == {"Account": "123456789012"}
    assert found.letter is None
    assert replay_of(event, None).way is Way.NONE


def test_the_message_is_rendered_as_it_was_sent() -> None:
    event = read_event(
        {
            "id": EVENT,
            "detail-type": "LeaseBudgetExceeded",
            "source": "x",
            "time": "2026-01-22T12:00:00Z",
            "detail": {"accountId": "123456789012", "budget": 50, "totalSpend": 61.2},
        }
    )
    message = compose(event, Enrichment(Status.NOT_FOUND), Console(), clock.utc_now())
    logged = {
        "event_id": EVENT,
        "detail_type": event.detail_type,
        "event_time": clock.canonical(event.time),
        **message.for_log(),
    }

    drawn = message_from_log(json.loads(json.dumps(logged)))

    assert drawn is not None
    assert drawn.blocks == slack.render(message).blocks


def test_a_comment_is_not_logged() -> None:
    event = read_event({"id": EVENT, "detail-type": "LeaseRequested", "source": "x", "detail": {"comments": "for my exam"}})
    message = compose(event, Enrichment(Status.NOT_FOUND), Console(), clock.utc_now())

    assert "for my exam" in message.text
    assert "for my exam" not in str(message.for_log())


def test_a_failed_event_has_its_dead_letter(deployment: Deployment) -> None:
    deployment.log("notification", "event_failed", run_id="run-1", error="InvalidInputError", error_text="no detail-type")
    record = {"requestContext": {"condition": "RetriesExhausted", "requestId": "run-1"}, "requestPayload": {"x": 1}}
    deployment.send(FAILURES, record)

    event, found = details(deployment, "run-1")
    replay = replay_of(event, found.letter)

    assert json.loads(found.payload.value) == {"x": 1}
    assert found.letter is not None
    assert found.letter.queue == FAILURES
    assert (replay.way, replay.command) == (Way.SEND_BACK, f"redrive --id {found.letter.letter.message_id}")


def test_a_delivery_is_followed_to_its_issue(deployment: Deployment) -> None:
    deployment.log("webhooks", "webhook_delivery", run_id="run-1", source="jira", status="accepted",
                   event_type="issuelink_created", issue_key="TES-1", ago=timedelta(seconds=30))  # fmt: skip
    deployment.log("webhooks", "webhook_delivery", run_id="run-2", status="stored", issue_key="TES-1", reason="of another")
    deployment.log("jira_worker", "recompute_failed", issue_key="TES-1", error="Throttled", ago=timedelta(seconds=20))
    deployment.log("jira_worker", "recompute_failed", issue_key="TES-2", error="Throttled", ago=timedelta(seconds=20))
    deployment.send(WORK_DEAD_LETTERS, {"kind": "jira", "fetch": {"issues": ["TES-1"]}})

    event, found = details(deployment, "run-1")

    texts = [entry.text for entry in found.timeline]
    assert "Correlation of TES-1 failed: Throttled" in texts
    assert not any("TES-2" in text or "of another" in text for text in texts)
    assert found.payload.value is None
    assert replay_of(event, found.letter).way is Way.SEND_BACK
    assert replay_of(event, None).command == "issues fetch TES-1"


def test_a_draft_shows_its_rows_and_its_preview(deployment: Deployment) -> None:
    draft = make_draft(session_id="chat-7", problem="Ask ada@example.com")
    submitted = ApprovalStore(Table(deployment.client("dynamodb"), OPERATIONS)).submit(draft)
    deployment.log(
        "approvals", "draft_submitted", run_id="run-1", session_id="chat-7", draft_hash=submitted.draft_hash, state="preview"
    )

    event, found = details(deployment, "run-1")

    assert found.problems == ()
    assert found.payload.value["title"] == draft.title
    assert found.rendered is not None
    assert draft.title in str(found.rendered.message)
    assert "ada@" not in str(found.rendered.message)
    assert f"{submitted.draft_hash[:12]}…" in str(found.timeline)
    assert replay_of(event, None).way is Way.RETRY


def test_what_can_not_be_read_is_a_problem(deployment: Deployment) -> None:
    deployment.client("dynamodb").delete_table(TableName=OPERATIONS)
    deployment.log("notification", "lease_event", event_id=EVENT, detail_type="LeaseFrozen", channels={"slack": "sent"})

    _, found = details(deployment, EVENT)

    assert any("can't be read" in problem for problem in found.problems)
    assert any(entry.text == "Handled: slack sent" for entry in found.timeline)


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("kind", ["LeaseFrozen", "push", "jira:issue_updated", "draft", "click approve", "import"])
def test_every_event_has_a_replay_or_the_reason_why_not(kind: str, outcome: Outcome) -> None:
    for flow in Flow:
        at = clock.utc_now()
        event = Event(id="x", flow=flow, at=at, received_at=at, type=kind, source="", about="", outcome=outcome, result="",
                      reason="", duration_ms=None, attempts=1, lines=())  # fmt: skip
        replay = replay_of(event, None)
        assert replay.sentence.endswith(".")
        assert (replay.way is Way.NONE) == (not replay.command)


@pytest.mark.parametrize(
    ("message", "fields", "said"),
    [
        ("schema_drift", {"unknown": ["a", "b"], "missing": [], "mistyped": ["c"]},
         "The lease record has another schema: unknown: a, b; of another type: c"),
        ("notification_not_sent", {"channel": "sns", "outcome": "duplicate"}, "Not sent on sns: it was sent before"),
        ("http_request", {"http_status": 202, "method": "POST", "path": "/x", "duration_ms": 3},
         "Answered HTTP 202 to POST /x in 3 ms"),
        ("anything", {"errorType": "E", "errorMessage": "ada@example.com"},
         "The invocation ended with E: email:b5fc85e55755f9e0"),
        ("something_else", {"a": 1}, "something_else a=1"),
    ],
)  # fmt: skip
def test_words_of_a_line(message: str, fields: dict[str, Any], said: str) -> None:
    assert say(line(message, **fields)) == said
