"""docs/runbooks/lease-notifications.md: a channel or the enrichment fails, events are poison, too old or dropped."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.approvals.cloud import ApprovalsCloud
from tests.support.cloud import until
from tests.support.leases.builders import LEASE_ID, USER_EMAIL, lease_event, lease_item
from tests.support.operations.breaking import denied
from tests.support.operations.runbook import Section, runbook

POST = "/api/chat.postMessage"
TRACE = "trace '<event id>'"
DETAIL = {"leaseId": LEASE_ID, "accountId": "444455556666"}


def messages(operated: ApprovalsCloud, event_id: str) -> list[dict[str, Any]]:
    """What Slack has about an event."""
    return [message for message in operated.posts() if event_id in json.dumps(message)]


def dead_letters(operated: ApprovalsCloud) -> int:
    [queue, _] = operated.cloud.outputs["dead_letter_queues"]["notification"]
    sqs, names = operated.cloud.client("sqs"), ["ApproximateNumberOfMessages"]
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])


@runbook("lease-notifications.md", "lease-notifications.md#a-channel-fails", "lease-notifications.md#dead-letters")
def test_an_event_is_sent_again_on_the_channel_that_failed(operated: ApprovalsCloud, section: Section) -> None:
    operated.slack.fail(POST, error="invalid_auth", times=3)
    event_id = operated.cloud.put_event("LeaseExpired", DETAIL)
    until(lambda: dead_letters(operated), 20)

    section.raised("slack-notifications-failed")
    section.raised("notification-failures-depth", runbook="functions.md#dead-letters")
    before = section.run({"<event id>": event_id}).succeeded()
    cause = section.run().succeeded()
    sent = section.run(answers="y\n").succeeded()
    until(lambda: messages(operated, event_id))
    done = f"notification_sent event_id={event_id} channel=slack"
    after = until(lambda: found if done in (found := section.do(TRACE, {"<event id>": event_id}).out) else None, every=0.5)

    assert "channel slack: not sent: could not post a message: Slack says invalid_auth" in before
    assert "dead letter" in before
    assert cause.count(f"notification_failed event_id={event_id} error=CredentialRefusedError") == 3
    assert "UnavailableError: not sent on slack (3 attempts)" in sent
    assert sent.endswith("1 sent back, 0 left.\n")
    assert "dead letter" not in after
    section.over("slack-notifications-failed")
    section.over("notification-failures-depth")
    assert after.count("notification_sent") == 2, "one on each channel"
    assert USER_EMAIL not in before + sent + after


@pytest.mark.rights_by_hand
@runbook("lease-notifications.md", "lease-notifications.md#enrichment-is-slow-or-fails")
def test_without_a_grant_the_notification_has_no_lease(operated: ApprovalsCloud, section: Section) -> None:
    with denied(operated.cloud, "notification", "dynamodb:GetItem"):
        event_id = operated.cloud.put_event("LeaseExpired", DETAIL)
        until(lambda: messages(operated, event_id))

    section.raised("enrichment-access-denied")
    assert "enrichment_failed" in (found := section.run({"<event id>": event_id}).succeeded())
    assert "reason=access_denied" in found
    again = operated.cloud.put_event("LeaseExpired", DETAIL)
    until(lambda: messages(operated, again))
    assert "enrichment_failed" not in section.do(TRACE, {"<event id>": again}).succeeded()


@runbook("lease-notifications.md#the-schema-drifts")
def test_a_field_that_this_version_does_not_know_is_named(operated: ApprovalsCloud, section: Section) -> None:
    dynamodb, table = operated.cloud.client("dynamodb"), operated.cloud.outputs["lease_table_name"]
    dynamodb.put_item(TableName=table, Item=lease_item(colour={"S": "green"}))
    event_id = operated.cloud.put_event("LeaseExpired", DETAIL)
    until(lambda: messages(operated, event_id))

    section.raised("schema-drift")
    found = section.run().succeeded()

    assert f"schema_drift event_id={event_id}" in found
    assert "colour" in found
    dynamodb.delete_item(TableName=table, Key={"userEmail": {"S": USER_EMAIL}, "uuid": {"S": LEASE_ID["uuid"]}})


@runbook("lease-notifications.md", "lease-notifications.md#events-are-too-old")
def test_an_event_of_an_old_archive_is_not_sent(operated: ApprovalsCloud, section: Section) -> None:
    old = lease_event(id="a-replayed-event", time=f"{datetime.now(UTC) - timedelta(days=400):%Y-%m-%dT%H:%M:%SZ}")
    operated.cloud.invoke("notification", old)

    section.raised("notifications-too-old")
    found = section.run({"<event id>": old["id"]}).succeeded()

    assert "event_too_old" in found
    assert messages(operated, old["id"]) == []


@runbook("lease-notifications.md", "lease-notifications.md#nobody-is-notified")
def test_an_event_of_another_source_leaves_no_line(operated: ApprovalsCloud, section: Section) -> None:
    event_id = operated.cloud.put_event("LeaseExpired", DETAIL, source="another-system")
    (section.folder / "EVENT.json").write_text(json.dumps(lease_event()), encoding="utf-8")

    assert section.run({"<event id>": event_id}).failed() == ""
    assert "none matches: every channel" in section.do("routes test EVENT.json").succeeded()
