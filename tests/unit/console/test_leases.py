"""The pages of leases show notifications, enrichment and schemas, and no owner's address."""

from datetime import timedelta

from tests.support.console.client import EMAIL, HOSTILE, console_client, text_of
from tests.support.operations.deployment import Deployment

LEASE = "11111111-2222-4333-8444-555555555555"


def put_event(deployment: Deployment, text: str = "LeaseFrozen", uuid: str = LEASE) -> None:
    """An event that was sent, of a lease whose record has drifted. ``text`` is in every field of a stranger."""
    deployment.log("notification", "lease_schema", event_id="event-1", fingerprint="f1" * 32, lease_status=text, field_count=20,
                   lease_uuid=uuid, lease_user=text, ago=timedelta(seconds=5))  # fmt: skip
    deployment.log("notification", "schema_drift", event_id="event-1", fingerprint="f1" * 32, lease_status=text, unknown=[text],
                   missing=[], mistyped=[], ago=timedelta(seconds=4))  # fmt: skip
    deployment.log("notification", "lease_event", event_id="event-1", detail_type=text, lease_uuid=uuid,
                   enrichment={"status": "enriched", "reason": text}, channels={text: "sent"}, event_source=text)  # fmt: skip


def test_the_list_shows_leases_and_schemas(deployment: Deployment) -> None:
    put_event(deployment)

    text = text_of(console_client(deployment).page("/leases"))

    for shown in (LEASE, "LeaseFrozen", "enriched", "f1f1f1f1f1f1", "drift", "leases list --since 24h"):
        assert shown in text


def test_a_lease_is_found_by_its_uuid(deployment: Deployment) -> None:
    put_event(deployment)
    client = console_client(deployment)

    answer = client.get(f"/leases?uuid={LEASE}&since=24h")

    assert (answer.status_code, answer.location) == (303, f"/leases/{LEASE}?since=24h")
    text = text_of(client.page(answer.location))
    for shown in (f"Lease {LEASE}", "LeaseFrozen", "enriched", "drift", f"leases show {LEASE} --since 24h"):
        assert shown in text


def test_a_text_that_is_not_an_id_has_no_link(deployment: Deployment) -> None:
    put_event(deployment, uuid="5")
    client = console_client(deployment)

    assert 'href="/leases/5' not in client.page("/leases") + client.page("/events")


def test_an_empty_list_says_what_to_do(deployment: Deployment) -> None:
    assert "Look further back" in text_of(console_client(deployment).page("/leases"))


def test_an_unknown_lease_is_not_found(deployment: Deployment) -> None:
    assert "no log line" in text_of(console_client(deployment).page("/leases/nobody", 404)).lower()


def test_what_strangers_wrote_is_masked_text(deployment: Deployment) -> None:
    put_event(deployment, HOSTILE)
    put_event(deployment, EMAIL, uuid=HOSTILE)
    client = console_client(deployment)

    for path in ("/leases", f"/leases/{LEASE}", "/leases?since=%3Cscript%3E"):
        client.page(path, 400 if "since" in path else 200)
