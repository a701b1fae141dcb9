"""Several channels: a failed one does not stop another, and a retry sends nothing twice."""

import json
import uuid
from typing import Any

import pytest

from stack.local.standins.govuk_notify import GovukNotify
from stack.local.standins.slack import Slack
from stack.local.standins.teams import SIGNATURE, Teams
from tests.integration.conftest import GOVUK_NOTIFY_KEY, SLACK_WEBHOOK_SECRET
from tests.support.cloud import LOG_LOOKS, Cloud, Inbox, until
from tests.support.web.standins import Served


@pytest.fixture(scope="module")
def cloud(every_channel: Cloud) -> Cloud:
    return every_channel


def event(**detail: Any) -> dict[str, Any]:
    base = {"leaseId": {"userEmail": "ada@sandbox.example", "uuid": str(uuid.uuid4())}}
    return {"id": str(uuid.uuid4()), "detail-type": "LeaseExpired", "source": "x", "detail": base | detail}


def posted(slack: Served[Slack], event_id: str) -> int:
    return sum(event_id in json.dumps(message) for message in slack.app.messages)


def carded(teams: Served[Teams], event_id: str) -> int:
    cards = [message for message in teams.app.messages if event_id in json.dumps(message["card"])]
    assert not any(message["problem"] for message in cards)
    return len(cards)


def mailed(notify: Served[GovukNotify], event_id: str) -> int:
    return sum(note["reference"] == event_id for note in notify.app.notifications)


def test_every_channel_sends_once(
    cloud: Cloud, inbox: Inbox, slack: Served[Slack], teams: Served[Teams], notify: Served[GovukNotify]
) -> None:
    sent = event()
    answer = cloud.invoke("notification", sent)
    assert answer["payload"]["channels"] == {"sns": "sent", "slack": "sent", "teams": "sent", "govuk_notify": "sent"}
    inbox.wait_for_event(sent["id"])
    assert (posted(slack, sent["id"]), carded(teams, sent["id"]), mailed(notify, sent["id"])) == (1, 1, 1)


def test_a_retry_sends_only_on_the_channels_that_failed(
    cloud: Cloud, inbox: Inbox, slack: Served[Slack], teams: Served[Teams], notify: Served[GovukNotify]
) -> None:
    sent = event()
    slack.fail("/services/*", status=500)
    teams.fail("/powerautomate/*", error="WorkflowRequestsThrottled")

    first = cloud.invoke("notification", sent)
    assert first["error"] == "Unhandled"
    assert "slack, teams" in first["payload"]["errorMessage"]
    second = cloud.invoke("notification", sent)

    outcomes = {"sns": "duplicate", "slack": "sent", "teams": "sent", "govuk_notify": "duplicate"}
    assert second["payload"]["channels"] == outcomes
    inbox.wait_for_event(sent["id"])
    assert sum(message["event_id"] == sent["id"] for message in inbox.read()) == 1
    assert (posted(slack, sent["id"]), carded(teams, sent["id"]), mailed(notify, sent["id"])) == (1, 1, 1)


def test_lambdas_own_retry_sends_on_a_failed_channel(cloud: Cloud, slack: Served[Slack], notify: Served[GovukNotify]) -> None:
    sent = event()
    slack.fail("/services/*", status=503)

    cloud.invoke("notification", sent, kind="Event")

    until(lambda: posted(slack, sent["id"]) == 1)
    assert mailed(notify, sent["id"]) == 1


def test_no_secret_is_in_the_log(cloud: Cloud, slack: Served[Slack], teams: Served[Teams]) -> None:
    slack.fail("/services/*", reset=True)
    teams.fail("/powerautomate/*", reset=True)
    sent = event()
    cloud.invoke("notification", sent)

    def failed() -> bool:
        records = cloud.log_records("notification")
        return any(record.get("event_id") == sent["id"] and record["level"] == "ERROR" for record in records)

    until(failed, every=LOG_LOOKS)
    text = "\n".join(cloud.log_lines("notification"))
    for secret in (SLACK_WEBHOOK_SECRET, SIGNATURE, GOVUK_NOTIFY_KEY[-36:], "ada@sandbox.example"):
        assert secret not in text


def test_the_deep_health_check_reads_the_secrets_of_every_channel(cloud: Cloud) -> None:
    answer = cloud.invoke("health", {"mode": "deep"})

    assert answer["error"] is None, answer
    assert answer["payload"]["status"] == "ok", answer["payload"]
