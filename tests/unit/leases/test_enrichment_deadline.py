"""Enrichment always ends within its deadline, and stops calling a broken table."""

import contextlib
import threading
from collections.abc import Callable

import pytest

from lib.leases.circuit_breaker import Breaker
from lib.leases.enrichment import DEADLINE_SECONDS, Enricher, Enrichment, Reason, Status
from lib.leases.events import read_event
from tests.support.dynamodb.servers import AnsweringServer, dripping, hanging, refusal, refusing, resetting
from tests.support.leases.builders import lease_event, lease_item
from tests.support.observability.emf import metrics_in, names_in, reasons_in
from tests.support.observability.log_lines import LogLines
from tests.support.stopwatch import Stopwatch

MakeEnricher = Callable[..., Enricher]
EVENT = read_event(lease_event())
# The deadline is 2 s by the clock of a machine that has other things to do as well.
SLACK_MS = 1000


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (hanging, Reason.DEADLINE),
        (dripping, Reason.DEADLINE),
        (resetting, Reason.CONNECTION_LOST),
        (refusing, Reason.UNAVAILABLE),
    ],
)
def test_no_answer_takes_no_longer_than_the_deadline(
    enricher_at: MakeEnricher,
    capsys: pytest.CaptureFixture[str],
    broken: Callable[[], contextlib.AbstractContextManager[str]],
    reason: Reason,
) -> None:
    with broken() as url:
        enrichment = enricher_at(url).enrich(EVENT)

    assert (enrichment.status, enrichment.reason) == (Status.FAILED, reason)
    (latency,) = [metric for metric in metrics_in(capsys.readouterr().out) if metric.name == "EnrichmentQueryLatencyMs"]
    assert latency.value == enrichment.latency_ms
    assert latency.value < DEADLINE_SECONDS * 1000 + SLACK_MS


def test_hanging_name_resolution_takes_no_longer_than_the_deadline(
    enricher_at: MakeEnricher, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: released.wait() and [])
    try:
        enrichment = enricher_at("http://dynamodb.test").enrich(EVENT)
    finally:
        released.set()

    assert (enrichment.status, enrichment.reason) == (Status.FAILED, Reason.DEADLINE)


def test_an_abandoned_query_logs_nothing_when_it_ends(
    enricher_of: MakeEnricher, lines: LogLines, capsys: pytest.CaptureFixture[str]
) -> None:
    running = set(threading.enumerate())
    released, ended = threading.Event(), threading.Event()

    class Late:
        def get_item(self, **_: object) -> dict[str, object]:
            released.wait()
            ended.set()
            return {"Item": lease_item()}

    readings = iter([0.0, 1.9999])  # the deadline is set at the first, and all but over at the second
    enricher = enricher_of(Late(), breaker=Breaker(), monotonic=lambda: next(readings, 2.1))
    enrichment = enricher.enrich(EVENT)
    capsys.readouterr()
    before = lines.text

    released.set()
    assert ended.wait(5)
    for thread in set(threading.enumerate()) - running:  # what is left behind ends with its call
        thread.join(5)
        assert not thread.is_alive()

    assert enrichment.reason is Reason.DEADLINE
    assert lines.text == before
    assert capsys.readouterr().out == ""


def test_three_failures_in_a_row_stop_queries_for_a_minute(
    enricher_at: MakeEnricher, lines: LogLines, capsys: pytest.CaptureFixture[str]
) -> None:
    time = Stopwatch()
    with AnsweringServer(refusal("InternalServerError", 500)) as server:
        enricher = enricher_at(server.url, monotonic=time)
        enrichments = [enricher.enrich(EVENT) for _ in range(5)]

        assert len(server.requests) == 3
        assert [outcome(enrichment) for enrichment in enrichments[3:]] == [(Status.SKIPPED, Reason.CIRCUIT_OPEN)] * 2
        output = capsys.readouterr().out
        assert reasons_in(output, "EnrichmentSkipped") == ["circuit_open"] * 2
        assert names_in(output).count("EnrichmentQueryLatencyMs") == 3
        assert [line["reason"] for line in lines.named("enrichment_skipped")] == ["circuit_open"] * 2

        time.seconds += 60
        assert outcome(enricher.enrich(EVENT)) == (Status.FAILED, Reason.UNAVAILABLE)
        assert outcome(enricher.enrich(EVENT)) == (Status.SKIPPED, Reason.CIRCUIT_OPEN)
        assert len(server.requests) == 4


def test_an_answered_probe_closes_the_circuit(enricher_at: MakeEnricher) -> None:
    time, broken = Stopwatch(), refusal("InternalServerError", 500)
    with AnsweringServer(broken, broken, broken, (200, {"Item": lease_item()})) as server:
        enricher = enricher_at(server.url, monotonic=time)
        for _ in range(3):
            enricher.enrich(EVENT)
        time.seconds += 60

        assert [enricher.enrich(EVENT).status for _ in range(3)] == [Status.ENRICHED] * 3


@pytest.mark.parametrize("answer", [(200, {}), (200, {"Item": lease_item()})], ids=["not found", "found"])
def test_any_answer_counts_as_success(enricher_at: MakeEnricher, answer: tuple[int, dict[str, object]]) -> None:
    broken = refusal("InternalServerError", 500)
    with AnsweringServer(broken, broken, answer, broken, broken, answer) as server:
        enricher = enricher_at(server.url)
        for _ in range(6):
            enricher.enrich(EVENT)

        assert len(server.requests) == 6


def test_events_without_a_key_do_not_count_as_failures(enricher_at: MakeEnricher) -> None:
    with AnsweringServer((200, {"Item": lease_item()})) as server:
        enricher = enricher_at(server.url)
        for _ in range(5):
            enricher.enrich(read_event(lease_event(detail={})))

        assert enricher.enrich(EVENT).status is Status.ENRICHED


def outcome(enrichment: Enrichment) -> tuple[Status, Reason | None]:
    return enrichment.status, enrichment.reason
