"""Leases are listed by their events, with the schemas of their records over time and what differs."""

from datetime import timedelta
from typing import Any

import pytest

from lib.operations.leases import LeaseReader
from lib.platform import clock, errors
from lib.platform.log import hash_email
from tests.support.operations.deployment import FUNCTIONS, Deployment

ONE, OTHER = "11111111-2222-4333-8444-555555555555", "22222222-2222-4333-8444-555555555555"
DAY = timedelta(days=1)


def reader(deployment: Deployment) -> LeaseReader:
    return LeaseReader(deployment.client("logs"), FUNCTIONS)


def notify(deployment: Deployment, uuid: str, number: int, minutes: int, fingerprint: str = "f1", **drift: Any) -> None:
    """An event that was sent, some minutes ago, about a lease whose record has a schema."""
    ago, event = timedelta(minutes=minutes), f"event-{number}"
    schema: dict[str, Any] = {"event_id": event, "fingerprint": fingerprint, "lease_status": "Active"}
    user = hash_email("ada@example.com")
    deployment.log("notification", "lease_schema", **schema, field_count=20, lease_uuid=uuid, lease_user=user, ago=ago)
    if drift:
        deployment.log("notification", "schema_drift", **schema, **drift, ago=ago)
    deployment.log("notification", "lease_event", event_id=event, detail_type="LeaseFrozen", lease_uuid=uuid,
                   enrichment={"status": "enriched", "reason": None}, channels={"sns": "sent"}, ago=ago)  # fmt: skip


def test_recent_leases_have_their_events_and_schemas(deployment: Deployment) -> None:
    notify(deployment, ONE, 1, minutes=30)
    notify(deployment, OTHER, 2, minutes=20, fingerprint="f2", unknown=["newField"], missing=[], mistyped=["uuid"])
    notify(deployment, ONE, 3, minutes=10)
    now = clock.utc_now()

    found = reader(deployment).recent(now - DAY, now)

    assert [(lease.uuid, len(lease.notifications), lease.status) for lease in found.leases] == [
        (ONE, 2, "Active"),
        (OTHER, 1, "Active"),
    ]
    assert found.leases[0].notifications[0].enrichment == "enriched"
    assert [(schema.fingerprint, schema.leases, schema.has_drifted) for schema in found.schemas] == [
        ("f1", 1, False),
        ("f2", 1, True),
    ]
    assert (found.schemas[1].unknown, found.schemas[1].mistyped) == (("newField",), ("uuid",))
    assert (found.until, found.problems) == (None, ())


def test_a_lease_has_its_schemas_one_after_another(deployment: Deployment) -> None:
    notify(deployment, ONE, 1, minutes=50)
    notify(deployment, ONE, 2, minutes=40, fingerprint="f2", missing=["awsAccountId"])
    notify(deployment, ONE, 3, minutes=30, fingerprint="f2", missing=["awsAccountId"])
    notify(deployment, ONE, 4, minutes=20)
    notify(deployment, OTHER, 5, minutes=15, fingerprint="f3")
    now = clock.utc_now()

    lease, problems = reader(deployment).lease(ONE, now - DAY, now)

    assert [(schema.fingerprint, schema.missing) for schema in lease.schemas] == [
        ("f1", ()),
        ("f2", ("awsAccountId",)),
        ("f1", ()),
    ]
    assert [each.event.id for each in lease.notifications] == ["event-4", "event-3", "event-2", "event-1"]
    assert lease.owner == hash_email("ada@example.com")
    assert problems == ()


def test_a_lease_that_was_not_enriched_is_listed_too(deployment: Deployment) -> None:
    deployment.log("notification", "lease_event", event_id="event-1", detail_type="LeaseFrozen", lease_uuid=ONE,
                   enrichment={"status": "failed", "reason": "circuit_open"}, channels={"sns": "sent"})  # fmt: skip
    now = clock.utc_now()

    lease, _ = reader(deployment).lease(ONE, now - DAY, now)

    assert (lease.notifications[0].enrichment, lease.owner, lease.schemas) == ("failed: circuit open", "", ())


def test_an_unknown_lease_is_not_found(deployment: Deployment) -> None:
    now = clock.utc_now()

    with pytest.raises(errors.NotFoundError, match="no log line of that time"):
        reader(deployment).lease(ONE, now - DAY, now)
