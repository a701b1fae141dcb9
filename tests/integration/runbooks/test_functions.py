"""docs/runbooks/functions.md: poison messages in any queue, 5xx and refusals of the HTTP API, and the names."""

import json
import uuid
from typing import Any

import pytest

from tests.integration.runbooks.conftest import JIRA_SECRET
from tests.support.approvals.cloud import ApprovalsCloud
from tests.support.cloud import until
from tests.support.jira.bodies import SENT
from tests.support.operations.breaking import denied
from tests.support.operations.runbook import Section, runbook

DRY_RUN = "redrive --dry-run"
ISSUE = {"id": "1", "key": "OPS-900", "fields": {"updated": "2026-03-01T12:10:00.000+0000", "summary": "stored at last"}}
DELIVERY = {"webhookEvent": "jira:issue_updated", "timestamp": SENT, "issue": ISSUE}


def lost_events(operated: ApprovalsCloud, event_id: str) -> list[str]:
    return [line for line in operated.cloud.log_lines("notification") if event_id in line and "event_failed" in line]


@runbook("functions.md#a-function-failed", "functions.md#dead-letters")
def test_a_poison_event_comes_back_and_is_dropped(operated: ApprovalsCloud, section: Section) -> None:
    poison = {"id": str(uuid.uuid4()), "detail-type": "LeaseExpired"}
    operated.cloud.invoke("notification", poison, kind="Event")
    until(lambda: poison["id"] in section.do(DRY_RUN).out, 20, every=0.5)

    section.raised("notification-errors")
    section.raised("notification-failures-depth")
    failed = f"event_failed event_id={poison['id']} error=InvalidInputError"
    assert failed in section.run({"<function>": "notification"}).succeeded()
    assert "notification-failures: 1" in section.do("status").failed()
    section.do("health").succeeded()
    assert failed in section.do("logs --level WARNING").succeeded()
    assert "the event has no detail object (3 attempts)" in section.do("trace <id>", {"<id>": poison["id"]}).succeeded()
    assert "InvalidInputError: the event has no detail object" in section.run().succeeded()
    assert section.run(answers="y\n").succeeded().endswith("1 sent back, 0 left.\n")
    until(lambda: "came back after it was sent back at " in section.do(DRY_RUN).out, 20, every=0.5)
    section.run({"<text>": "no detail object"}, answers="y\n1\n").succeeded()

    assert section.do(DRY_RUN).succeeded() == "There are no dead letters.\n"
    section.over("notification-errors")
    section.over("notification-failures-depth")
    [file] = section.folder.glob("dropped-*.jsonl")
    assert poison["id"] in file.read_text(encoding="utf-8")


@pytest.mark.rights_by_hand
@runbook("functions.md#an-event-was-lost")
def test_an_event_that_was_lost_is_named_and_sent_again(operated: ApprovalsCloud, section: Section) -> None:
    event_id = str(uuid.uuid4())
    event = {"id": event_id, "detail-type": "LeaseExpired", "detail": {"leaseId": None}}
    operated.slack.fail("/api/chat.postMessage", error="invalid_auth", times=3)
    with denied(operated.cloud, "notification", "sqs:SendMessage"):
        operated.cloud.invoke("notification", event, kind="Event")
        until(lambda: len(lost_events(operated, event_id)) == 3, 20, every=0.5)
        section.raised("notification-failures-lost")

    assert event_id in section.run().succeeded()
    assert section.do("status").out.count("notification-failures: ") == 0
    assert operated.cloud.invoke("notification", event)["payload"]["channels"]["slack"] == "sent"


@pytest.mark.rights_by_hand
@runbook("functions.md#the-http-api-answers-5xx")
def test_the_log_names_the_service_behind_a_5xx(operated: ApprovalsCloud, section: Section) -> None:
    cloud, body = operated.cloud, json.dumps(DELIVERY).encode()
    with denied(cloud, "webhooks", "dynamodb:PutItem", "sqs:SendMessage"):
        answer = cloud.post_signed("/webhooks/jira", body, JIRA_SECRET, "delivery-1")
    assert (answer.status_code, answer.json()["error"]) == (503, "misconfigured")

    until(lambda: [line for line in cloud.log_lines("webhooks") if "request_failed" in line])
    section.raised("http-server-errors")
    found = section.run().succeeded()

    assert "request_failed error=AccessDeniedError error_text=could not store the version of OPS-900" in found
    assert cloud.post_signed("/webhooks/jira", body, JIRA_SECRET, "delivery-1").json()["status"] == "stored"


@runbook("functions.md#many-callers-are-refused")
def test_the_log_has_the_reason_of_each_refusal(operated: ApprovalsCloud, section: Section) -> None:
    def send(secret: str) -> Any:
        return operated.cloud.post_signed("/webhooks/jira", DELIVERY, secret, "delivery-2")

    def refusals() -> list[str]:
        return [line for line in operated.cloud.log_lines("webhooks") if "the signature does not match" in line]

    assert {send("another secret").status_code for _ in range(21)} == {401}
    until(lambda: len(refusals()) == 21)

    assert section.run().succeeded().count("the signature does not match") == 21
    assert send(JIRA_SECRET).status_code == 202


@runbook("functions.md#names")
def test_the_names_are_set_from_the_file_of_the_local_cloud(section: Section) -> None:
    assert section.run().succeeded() == ""

    assert section.do("status").out.startswith("Status at ")
