"""Enrichment through the real client and a real HTTP server: the request, the result of each answer, log and metrics."""

from collections.abc import Callable
from typing import Any

import pytest

from lib.leases.enrichment import Enricher, Reason, Status
from lib.leases.events import EventType, LeaseEvent, read_event
from lib.leases.schema_drift import fingerprint
from lib.platform.log import hash_email
from tests.support.dynamodb.servers import AnsweringServer, refusal
from tests.support.leases.builders import ABSENT, LEASE_ID, USER_EMAIL, UUID, lease_event, lease_item
from tests.support.observability.emf import metrics_in, names_in, reasons_in
from tests.support.observability.log_lines import LogLines

MakeEnricher = Callable[..., Enricher]


def event(detail: Any = None, detail_type: str = EventType.LEASE_EXPIRED) -> LeaseEvent:
    return read_event(lease_event(detail_type, detail))


@pytest.mark.parametrize(
    "detail",
    [{"leaseId": LEASE_ID}, {"leaseId": UUID, "userEmail": USER_EMAIL}, {"uuid": UUID, "userEmail": USER_EMAIL}],
    ids=["object", "text", "top level"],
)
def test_the_lease_is_read_with_one_strongly_consistent_get_item(enricher_at: MakeEnricher, detail: dict[str, Any]) -> None:
    with AnsweringServer((200, {"Item": lease_item()})) as server:
        enrichment = enricher_at(server.url).enrich(event(detail))

    assert server.requests == [
        {
            "TableName": "leases-4f2a",
            "Key": {"userEmail": {"S": USER_EMAIL}, "uuid": {"S": UUID}},
            "ConsistentRead": True,
        }
    ]
    assert enrichment.status is Status.ENRICHED
    assert enrichment.reason is None
    assert enrichment.lease is not None
    assert enrichment.lease.original_lease_template_name == "Data science, small"


def test_success_is_measured_and_the_schema_logged(
    enricher_at: MakeEnricher, lines: LogLines, capsys: pytest.CaptureFixture[str]
) -> None:
    item = lease_item("Frozen")
    with AnsweringServer((200, {"Item": item})) as server:
        enrichment = enricher_at(server.url).enrich(event())

    latency, success = metrics_in(capsys.readouterr().out)
    assert (latency.name, latency.unit, latency.value) == ("EnrichmentQueryLatencyMs", "Milliseconds", enrichment.latency_ms)
    assert (success.name, success.value) == ("EnrichmentSuccess", 1)
    line = lines.only("lease_schema")
    assert line["fingerprint"] == enrichment.fingerprint == fingerprint(item)
    assert line["lease_status"] == "Frozen"
    assert line["field_count"] == len(item)
    assert not lines.named("schema_drift")


def test_a_missing_lease_is_not_found(enricher_at: MakeEnricher, lines: LogLines, capsys: pytest.CaptureFixture[str]) -> None:
    with AnsweringServer((200, {})) as server:
        enrichment = enricher_at(server.url).enrich(event())

    assert (enrichment.status, enrichment.reason, enrichment.lease) == (Status.NOT_FOUND, None, None)
    assert names_in(capsys.readouterr().out) == ["EnrichmentQueryLatencyMs", "LeaseNotFound"]
    assert lines.only("lease_not_found")["lease_uuid"] == UUID


@pytest.mark.parametrize(
    ("detail", "reason", "problems"),
    [
        ({"leaseId": {"uuid": UUID}}, Reason.NO_USER_EMAIL, {"userEmail": "is missing"}),
        ({"leaseId": {"userEmail": USER_EMAIL}}, Reason.NO_UUID, {"uuid": "is missing"}),
        ({"leaseId": UUID, "userEmail": 7}, Reason.NO_USER_EMAIL, {"userEmail": "is a number"}),
        ({"leaseId": UUID, "userEmail": [USER_EMAIL]}, Reason.NO_USER_EMAIL, {"userEmail": "is a list"}),
        ({"uuid": None, "userEmail": USER_EMAIL}, Reason.NO_UUID, {"uuid": "is null"}),
        ({"uuid": "", "userEmail": USER_EMAIL}, Reason.NO_UUID, {"uuid": "is empty"}),
        ({"awsAccountId": "1"}, Reason.NO_KEY, {"userEmail": "is missing", "uuid": "is missing"}),
    ],
    ids=str,
)
def test_an_event_without_a_usable_key_is_skipped_with_a_warning(
    enricher_at: MakeEnricher,
    lines: LogLines,
    capsys: pytest.CaptureFixture[str],
    detail: dict[str, Any],
    reason: Reason,
    problems: dict[str, str],
) -> None:
    with AnsweringServer((200, {"Item": lease_item()})) as server:
        enrichment = enricher_at(server.url).enrich(event(detail))

    assert (enrichment.status, enrichment.reason) == (Status.SKIPPED, reason)
    assert server.requests == []
    (line,) = lines.all()
    assert (line["level"], line["message"]) == ("WARNING", "enrichment_skipped")
    assert (line["reason"], line["problems"]) == (reason, problems)
    output = capsys.readouterr().out
    assert names_in(output) == ["EnrichmentSkipped"]
    assert reasons_in(output, "EnrichmentSkipped") == [reason]


@pytest.mark.parametrize(
    ("changes", "drift"),
    [
        ({"teamColour": {"S": "green"}}, {"unknown": ["teamColour"], "missing": [], "mistyped": []}),
        ({"awsAccountId": ABSENT}, {"unknown": [], "missing": ["awsAccountId"], "mistyped": []}),
        ({"maxSpend": {"S": "250"}}, {"unknown": [], "missing": [], "mistyped": ["maxSpend"]}),
    ],
    ids=["unknown", "missing", "mistyped"],
)
def test_drift_is_logged_by_name_and_counted_once(
    enricher_at: MakeEnricher,
    lines: LogLines,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    drift: dict[str, list[str]],
) -> None:
    with AnsweringServer((200, {"Item": lease_item("Active", **changes)})) as server:
        enrichment = enricher_at(server.url).enrich(event())

    assert enrichment.status is Status.ENRICHED
    line = lines.only("schema_drift")
    assert {name: line[name] for name in drift} == drift
    assert (line["level"], line["lease_status"], line["fingerprint"]) == ("WARNING", "Active", enrichment.fingerprint)
    assert names_in(capsys.readouterr().out).count("SchemaDrift") == 1


def test_changing_optional_fields_are_not_drift(
    enricher_at: MakeEnricher, lines: LogLines, capsys: pytest.CaptureFixture[str]
) -> None:
    more = (200, {"Item": lease_item("Active", comments={"S": "x"}, expirationDate={"S": "2026-03-04T17:30:00.000Z"})})
    fewer = (200, {"Item": lease_item("Active", maxSpend=ABSENT)})
    with AnsweringServer(more, fewer) as server:
        enricher = enricher_at(server.url)
        first, second = enricher.enrich(event()), enricher.enrich(event())

    assert first.fingerprint != second.fingerprint
    assert not lines.named("schema_drift")
    assert "SchemaDrift" not in names_in(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("code", "http_status", "reason"),
    [
        ("ThrottlingException", 400, Reason.THROTTLED),
        ("RequestLimitExceeded", 400, Reason.THROTTLED),
        ("AccessDeniedException", 400, Reason.ACCESS_DENIED),
        ("ResourceNotFoundException", 400, Reason.NO_TABLE),
        ("ValidationException", 400, Reason.REFUSED),
        ("InternalServerError", 500, Reason.UNAVAILABLE),
        ("ServiceUnavailable", 503, Reason.UNAVAILABLE),
    ],
)
def test_every_other_error_fails_at_once(
    enricher_at: MakeEnricher,
    lines: LogLines,
    capsys: pytest.CaptureFixture[str],
    code: str,
    http_status: int,
    reason: Reason,
) -> None:
    waits: list[float] = []
    with AnsweringServer(refusal(code, http_status)) as server:
        enrichment = enricher_at(server.url, sleep=waits.append).enrich(event())

    assert (enrichment.status, enrichment.reason) == (Status.FAILED, reason)
    assert len(server.requests) == 1
    assert waits == []
    output = capsys.readouterr().out
    assert names_in(output) == ["EnrichmentQueryLatencyMs", "EnrichmentFailure"]
    assert reasons_in(output, "EnrichmentFailure") == [reason]
    assert lines.only("enrichment_failed")["reason"] == reason


def test_an_unexpected_error_is_a_failure_logged_with_its_stack(enricher_of: MakeEnricher, lines: LogLines) -> None:
    class Broken:
        def get_item(self, **_: object) -> None:
            raise RuntimeError("cannot schedule new futures")

    enricher = enricher_of(Broken())
    enrichment = enricher.enrich(event())

    assert (enrichment.status, enrichment.reason) == (Status.FAILED, Reason.DEFECT)
    assert "cannot schedule new futures" in lines.only("enrichment_failed")["exception"]


def test_log_lines_have_the_hash_of_the_address(enricher_at: MakeEnricher, lines: LogLines) -> None:
    drifted = (200, {"Item": lease_item("Active", teamColour={"S": USER_EMAIL}, createdBy={"S": USER_EMAIL})})
    with AnsweringServer(drifted, (200, {}), refusal("ValidationException")) as server:
        enricher = enricher_at(server.url)
        for detail in (None, None, None, {"leaseId": [USER_EMAIL], "userEmail": USER_EMAIL}):
            enricher.enrich(event(detail))

    assert USER_EMAIL not in lines.text
    for message in ("lease_schema", "lease_not_found", "enrichment_failed"):
        assert lines.only(message)["lease_user"] == hash_email(USER_EMAIL)


def test_dimensions_of_one_metric_are_in_no_other(enricher_at: MakeEnricher, capsys: pytest.CaptureFixture[str]) -> None:
    answers = [refusal("ValidationException"), (200, {"Item": lease_item("Active", teamColour={"S": "green"})}), (200, {})]
    with AnsweringServer(*answers) as server:
        enricher = enricher_at(server.url)
        details: tuple[dict[str, Any] | None, ...] = (None, {}, None, None)
        for detail in details:
            enricher.enrich(event(detail))

    metrics = metrics_in(capsys.readouterr().out)
    assert {metric.name for metric in metrics} == {
        "EnrichmentQueryLatencyMs",
        "EnrichmentFailure",
        "EnrichmentSkipped",
        "EnrichmentSuccess",
        "SchemaDrift",
        "LeaseNotFound",
    }
    for metric in metrics:
        with_reason = {"reason"} if metric.name in {"EnrichmentFailure", "EnrichmentSkipped"} else set()
        assert metric.dimensions.keys() == {"service"} | with_reason, metric.name
        assert metric.dimensions["service"] == "notification"
