"""The main job: a lease event goes in by EventBridge, and an enriched notification comes out."""

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest

from tests.support.cloud import LOG_LOOKS, Cloud, Inbox, until

EMAIL = "linus@sandbox.example"


def lease(lease_uuid: str, **more: Any) -> dict[str, Any]:
    record = {
        "userEmail": EMAIL,
        "uuid": lease_uuid,
        "status": "Active",
        "originalLeaseTemplateUuid": "t",
        "originalLeaseTemplateName": "Two weeks of EC2",
        "maxSpend": 500,
        "leaseDurationInHours": 336,
        "awsAccountId": "999988887777",
        "approvedBy": "AUTO_APPROVED",
        "startDate": "2026-11-09T15:00:00.000Z",
        "expirationDate": "2026-11-23T15:00:00.000Z",
        "lastCheckedDate": "2026-11-20T15:00:00.000Z",
        "totalCostAccrued": Decimal("123.45"),
        "meta": {"schemaVersion": 3},
    }
    return record | more


def with_id_object(key: str) -> dict[str, Any]:
    return {"leaseId": {"userEmail": EMAIL, "uuid": key}, "accountId": "999988887777"}


def with_id_text(key: str) -> dict[str, Any]:
    return {"leaseId": key, "userEmail": EMAIL, "approvedBy": "AUTO_APPROVED"}


def with_parts_at_the_top(key: str) -> dict[str, Any]:
    return {"userEmail": EMAIL, "uuid": key}


@pytest.mark.parametrize("form", [with_id_object, with_id_text, with_parts_at_the_top])
def test_an_event_is_enriched_in_each_of_the_three_forms_of_its_key(cloud: Cloud, inbox: Inbox, form: Any) -> None:
    key = str(uuid.uuid4())
    cloud.put_lease(lease(key))

    event_id = cloud.put_event("LeaseApproved", form(key))

    message = inbox.wait_for_event(event_id)
    assert message["enriched"] is True
    assert message["enrichment"]["status"] == "enriched"
    for said in ("Two weeks of EC2", "$500", "$123.45", "999988887777", "https://sandbox.example.com"):
        assert said in message["text"], message["text"]


def test_only_documented_event_sources_are_notified(cloud: Cloud, inbox: Inbox) -> None:
    heard = [cloud.put_event("LeaseExpired", {}, source=source) for source in ("InnovationSandbox-ndx", "innovation-sandbox")]
    unheard = cloud.put_event("LeaseExpired", {}, source="somebody.else")
    last = cloud.put_event("LeaseExpired", {})
    for event_id in [*heard, last]:
        inbox.wait_for_event(event_id)
    assert unheard not in {message["event_id"] for message in inbox.read()}


@pytest.mark.parametrize(
    ("detail", "problems"),
    [
        ({"leaseId": {"userEmail": EMAIL, "uuid": ["u"]}}, {"uuid"}),
        ({"awsAccountId": "999988887777", "reason": "no lease at all"}, {"userEmail", "uuid"}),
    ],
)
def test_an_event_without_a_usable_key_is_sent_with_a_warning(
    cloud: Cloud, inbox: Inbox, detail: dict[str, Any], problems: set[str]
) -> None:
    event_id = cloud.put_event("AccountQuarantined", detail)

    message = inbox.wait_for_event(event_id)
    assert message["enrichment"]["status"] == "skipped"

    def warnings() -> list[dict[str, Any]]:
        records = [record for record in cloud.log_records("notification") if record.get("event_id") == event_id]
        return [record for record in records if record["level"] == "WARNING"] if len(records) > 1 else []

    warned = until(warnings, every=LOG_LOOKS)
    assert len(warned) == 1
    assert set(warned[0]["problems"]) == problems


def test_a_missing_lease_is_reported_and_counted(cloud: Cloud, inbox: Inbox) -> None:
    event_id = cloud.put_event("LeaseFrozen", with_id_object(str(uuid.uuid4())))
    message = inbox.wait_for_event(event_id)
    assert message["enriched"] is False
    assert message["enrichment"]["status"] == "not_found"


def test_drift_is_logged_and_optional_fields_are_not_drift(cloud: Cloud, inbox: Inbox) -> None:
    odd, plain = str(uuid.uuid4()), str(uuid.uuid4())
    cloud.put_lease(lease(odd, shoeSize=43))
    cloud.put_lease(lease(plain, comments="optional", costReportGroup="optional too"))
    ids = {name: cloud.put_event("LeaseExpired", with_id_object(key)) for name, key in (("odd", odd), ("plain", plain))}
    for event_id in ids.values():
        inbox.wait_for_event(event_id)

    def drifts() -> list[dict[str, Any]]:
        records = cloud.log_records("notification")
        seen = {record.get("event_id") for record in records if record.get("message") == "lease_event"}
        return [record for record in records if record.get("message") == "schema_drift"] if set(ids.values()) <= seen else []

    found = until(drifts, every=LOG_LOOKS)
    assert [(record["event_id"], record["unknown"]) for record in found if record["event_id"] in ids.values()] == [
        (ids["odd"], ["shoeSize"])
    ]


def test_a_repeated_event_is_sent_once(cloud: Cloud, inbox: Inbox) -> None:
    event: dict[str, Any] = {"id": f"repeated-{uuid.uuid4()}", "detail-type": "LeaseExpired", "source": "x", "detail": {}}
    first = cloud.invoke("notification", event)
    second = cloud.invoke("notification", event)
    assert first["payload"]["channels"] == {"sns": "sent"}
    assert second["payload"]["channels"] == {"sns": "duplicate"}
    inbox.wait_for_event(event["id"])
    assert sum(message["event_id"] == event["id"] for message in inbox.read()) == 1


def deep(levels: int) -> Any:
    nested: Any = "bottom"
    for _ in range(levels):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    "event",
    [None, 17, "text", [], {}, {"detail-type": "X"}, {"detail-type": "X", "detail": "text"}, {"detail-type": 1, "detail": {}}],
    ids=repr,
)
def test_an_invalid_event_is_a_clear_error(cloud: Cloud, event: object) -> None:
    answer = cloud.invoke("notification", event)
    assert answer["error"] == "Unhandled"
    assert answer["payload"]["errorType"] == "InvalidInputError"


@pytest.mark.parametrize(
    ("detail", "kind"),
    [
        ({"text": "x" * 5_000_000}, "PayloadTooLargeError"),
        ({"nested": deep(500)}, "InvalidInputError"),
        ({"leaseId": "a\0b", "userEmail": "c\0d@e.f"}, None),
        ({"leaseId": "x" * 400_000, "userEmail": "y" * 400_000}, None),
        ({"reason": "x" * 400_000, "comments": "\ud800 lone surrogate"}, None),
    ],
    ids=["5 MB", "deep", "NUL", "400 kB keys", "400 kB reason"],
)
def test_a_huge_event_is_sent_or_refused_and_the_next_is_served(cloud: Cloud, detail: dict[str, Any], kind: str | None) -> None:
    answer = cloud.invoke("notification", {"id": str(uuid.uuid4()), "detail-type": "LeaseFrozen", "detail": detail})
    if kind is None:
        assert answer["error"] is None, answer
        assert answer["payload"]["channels"] == {"sns": "sent"}
    else:
        assert answer["payload"]["errorType"] == kind
    assert cloud.invoke("notification", {"detail-type": "LeaseFrozen", "detail": {}})["error"] is None


def test_nothing_personal_is_in_the_log(cloud: Cloud, inbox: Inbox) -> None:
    key = str(uuid.uuid4())
    cloud.put_lease(lease(key))
    event_id = cloud.put_event("LeaseRequested", {**with_id_object(key), "comments": f"call me: {EMAIL}"})
    inbox.wait_for_event(event_id)
    until(lambda: any(each.get("event_id") == event_id for each in cloud.log_records("notification")), every=LOG_LOOKS)
    lines = cloud.log_lines("notification")
    assert [line for line in lines if "@" in line] == []
    assert any('"lease_user":"email:' in line for line in lines)


def test_every_log_line_is_one_json_object(cloud: Cloud) -> None:
    cloud.invoke("notification", {"not": "an event"})
    lines = until(lambda: cloud.log_lines("notification"))
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_metrics_carry_only_their_own_dimensions(cloud: Cloud) -> None:
    cloud.invoke("notification", {"detail-type": "LeaseFrozen", "detail": with_id_object(str(uuid.uuid4()))})
    cloud.invoke("notification", {"detail-type": "LeaseFrozen", "detail": {}})
    own = {
        "EnrichmentQueryLatencyMs": {"service"},
        "EnrichmentSuccess": {"service"},
        "LeaseNotFound": {"service"},
        "SchemaDrift": {"service"},
        "EnrichmentSkipped": {"service", "reason"},
        "NotificationSent": {"service", "channel"},
    }

    def metrics() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for record in cloud.log_records("notification"):
            for directive in record.get("_aws", {}).get("CloudWatchMetrics", []):
                assert directive["Namespace"] == "Switchboard"
                for metric in directive["Metrics"]:
                    for dimensions in directive["Dimensions"]:
                        found.setdefault(metric["Name"], set()).update(dimensions)
        return found if {"EnrichmentSkipped", "NotificationSent", "LeaseNotFound"} <= found.keys() else {}

    for name, dimensions in until(metrics, every=LOG_LOOKS).items():
        assert dimensions == own[name], name
