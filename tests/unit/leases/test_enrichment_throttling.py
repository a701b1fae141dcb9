"""A throttled read is tried once more after 500 ms and never again, counted in HTTP requests at a server."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from lib.leases.enrichment import Enricher, Reason, Status
from lib.leases.events import read_event
from tests.support.dynamodb.servers import THROTTLED, AnsweringServer, refusal
from tests.support.leases.builders import lease_event, lease_item
from tests.support.observability.emf import metrics_in, names_in, reasons_in
from tests.support.stopwatch import Stopwatch

MakeEnricher = Callable[..., Enricher]
EVENT = read_event(lease_event())


def test_a_throttling_table_gets_two_requests_500_ms_apart(
    enricher_at: MakeEnricher, capsys: pytest.CaptureFixture[str]
) -> None:
    waits: list[float] = []
    with AnsweringServer(THROTTLED) as server:
        enrichment = enricher_at(server.url, sleep=waits.append).enrich(EVENT)

    assert len(server.requests) == 2
    assert waits == [0.5]
    assert (enrichment.status, enrichment.reason) == (Status.FAILED, Reason.THROTTLED)
    output = capsys.readouterr().out
    assert names_in(output) == [
        "EnrichmentQueryLatencyMs",
        "EnrichmentThrottleRetry",
        "EnrichmentQueryLatencyMs",
        "EnrichmentThrottleExhausted",
        "EnrichmentFailure",
    ]
    assert reasons_in(output, "EnrichmentFailure") == ["throttled"]


def test_a_successful_retry_is_a_success(enricher_at: MakeEnricher, capsys: pytest.CaptureFixture[str]) -> None:
    waits: list[float] = []
    with AnsweringServer(THROTTLED, (200, {"Item": lease_item()})) as server:
        enrichment = enricher_at(server.url, sleep=waits.append).enrich(EVENT)

    assert len(server.requests) == 2
    assert waits == [0.5]
    assert enrichment.status is Status.ENRICHED
    names = names_in(capsys.readouterr().out)
    assert "EnrichmentThrottleRetry" in names
    assert "EnrichmentThrottleExhausted" not in names


def test_a_retry_with_another_error_fails_at_once(enricher_at: MakeEnricher, capsys: pytest.CaptureFixture[str]) -> None:
    with AnsweringServer(THROTTLED, refusal("InternalServerError", 500)) as server:
        enrichment = enricher_at(server.url, sleep=lambda _: None).enrich(EVENT)

    assert len(server.requests) == 2
    assert (enrichment.status, enrichment.reason) == (Status.FAILED, Reason.UNAVAILABLE)
    assert "EnrichmentThrottleExhausted" not in names_in(capsys.readouterr().out)


def test_the_latency_does_not_include_the_wait(enricher_at: MakeEnricher, capsys: pytest.CaptureFixture[str]) -> None:
    time = Stopwatch()
    with AnsweringServer(THROTTLED) as server:
        enricher_at(server.url, monotonic=time, sleep=time.sleep).enrich(EVENT)

    latencies = [metric.value for metric in metrics_in(capsys.readouterr().out) if metric.unit == "Milliseconds"]
    assert latencies == [0, 0]
    assert time.seconds == 1000.5


def test_there_is_no_retry_without_time_for_the_wait(enricher_of: MakeEnricher, capsys: pytest.CaptureFixture[str]) -> None:
    class SlowToThrottle:
        calls = 0

        def get_item(self, **_: object) -> None:
            self.calls += 1
            time.seconds += 1.6
            raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "GetItem")

    time, table, waits = Stopwatch(), SlowToThrottle(), list[float]()
    enricher = enricher_of(table, monotonic=time, sleep=waits.append)
    enrichment = enricher.enrich(EVENT)

    assert (table.calls, waits) == (1, [])
    assert (enrichment.status, enrichment.reason) == (Status.FAILED, Reason.THROTTLED)
    names = names_in(capsys.readouterr().out)
    assert "EnrichmentThrottleExhausted" in names
    assert "EnrichmentThrottleRetry" not in names
