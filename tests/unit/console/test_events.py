"""The events page lists what arrived, filtered by its URL, and shows one event with all that is known of it."""

from datetime import timedelta

import pytest

from tests.support.console.client import HOSTILE, console_client, text_of
from tests.support.operations.deployment import FAILURES, Deployment

EVENT, LEASE = "6856c8f2-9e1d-4526-a742-fcda628885f9", "11111111-2222-4333-8444-555555555555"


def put_lease_event(deployment: Deployment) -> None:
    """A lease event that was sent."""
    deployment.log(
        "notification",
        "lease_event",
        event_id=EVENT,
        run_id="r1",
        detail_type="LeaseApproved",
        lease_uuid=LEASE,
        channels={"slack": "sent"},
        duration_ms=84.2,
    )


def test_the_list_shows_what_arrived(deployment: Deployment) -> None:
    put_lease_event(deployment)
    deployment.log("webhooks", "request_refused", run_id="r2", reason="the signature does not match", http_status=401)

    text = text_of(console_client(deployment).page("/events"))

    for shown in ("LeaseApproved", LEASE, "sent on slack", "84 ms", "refused", "HTTP 401", "the signature does not match"):
        assert shown in text


def test_an_event_leads_to_what_it_is_about(deployment: Deployment) -> None:
    put_lease_event(deployment)
    deployment.log("webhooks", "webhook_delivery", run_id="run-2", status="stored", issue_key="TES-1", source="jira")
    client = console_client(deployment)

    for path, href in (("/events", "/issues/TES-1"), ("/events", f"/leases/{LEASE}"), (f"/events/{EVENT}", f"/leases/{LEASE}")):
        assert f'href="{href}"' in client.page(path)


@pytest.mark.parametrize(
    ("event", "href"),
    [("run-1", "/dead-letters/send-back?letter="), ("run-2", "/issues/TES-1/fetch"), ("run-3", "/approvals/chat-7")],
)
def test_an_event_offers_the_right_replay(deployment: Deployment, event: str, href: str) -> None:
    deployment.log("notification", "event_failed", run_id="run-1", error="InvalidInputError")
    deployment.send(FAILURES, {"requestContext": {"condition": "x", "requestId": "run-1"}, "requestPayload": {"note": HOSTILE}})
    deployment.log("webhooks", "webhook_delivery", run_id="run-2", status="stored", issue_key="TES-1", source="jira")
    deployment.log("approvals", "click", run_id="run-3", session_id="chat-7", decision="approve", verdict="recorded")

    page = console_client(deployment).page(f"/events/{event}")

    assert f'href="{href}' in page


def test_a_sent_event_says_why_it_has_no_replay(deployment: Deployment) -> None:
    put_lease_event(deployment)

    page = console_client(deployment).page(f"/events/{EVENT}")

    assert "a replay would send nothing" in text_of(page)
    assert "send-back" not in page


def test_filters_are_in_the_url_and_in_the_command(deployment: Deployment) -> None:
    put_lease_event(deployment)
    client = console_client(deployment)

    text = text_of(client.page("/events?flow=jira&outcome=failed&type=a+b&text=x&since=7d&until=1h"))

    assert LEASE not in text
    assert "events --since 7d --flow jira --outcome failed --type 'a b' --text x --until 1h" in text
    assert LEASE in text_of(client.page("/events?flow=leases&since=1h"))


@pytest.mark.parametrize("query", ["flow=none", "outcome=bad", "since=yesterday", "until=%3Cscript%3E"])
def test_a_wrong_filter_is_explained(deployment: Deployment, query: str) -> None:
    assert "is not" in text_of(console_client(deployment).page(f"/events?{query}", 400))


def test_an_empty_list_says_what_to_do(deployment: Deployment) -> None:
    assert "Look further back, remove a filter" in text_of(console_client(deployment).page("/events"))


def test_more_events_are_on_the_next_page(deployment: Deployment) -> None:
    for number in range(60):
        deployment.log("approvals", "interaction_ignored", run_id=f"r{number}", reason=f"number {number}.",
                       ago=timedelta(seconds=5 + number))  # fmt: skip
    client = console_client(deployment)

    page = client.page("/events?flow=approvals")
    link = page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")

    assert "number 49." in page
    assert "number 50." not in page
    assert "number 50." in client.page(link)
    assert "number 49." not in client.page(link)


def test_one_event_has_its_timeline(deployment: Deployment) -> None:
    put_lease_event(deployment)
    deployment.log("notification", "notification_sent", event_id=EVENT, run_id="r1", channel="slack", ago=timedelta(seconds=2))

    text = text_of(console_client(deployment).page(f"/events/{EVENT}"))

    for shown in ("LeaseApproved", "notification_sent", f"trace {EVENT}"):
        assert shown in text


def test_an_unknown_event_is_not_found(deployment: Deployment) -> None:
    assert "No event 'nobody' is in the logs" in text_of(console_client(deployment).page("/events/nobody", 404))


def test_what_strangers_wrote_is_masked_text(deployment: Deployment) -> None:
    deployment.log("notification", "lease_event", event_id="e-1", run_id="r1", detail_type=HOSTILE, event_source=HOSTILE,
                   lease_uuid=HOSTILE, channels={HOSTILE: "sent"}, title=HOSTILE, facts=[[HOSTILE, HOSTILE]])  # fmt: skip
    deployment.log("webhooks", "webhook_delivery", run_id="run-2", status=HOSTILE, event_type=HOSTILE, issue_key=HOSTILE,
                   reason=HOSTILE, source=HOSTILE)  # fmt: skip
    client = console_client(deployment)

    for path in ("/events", "/events?type=%3Cscript%3Ealert", "/events/e-1", "/events/run-2"):
        client.page(path)
