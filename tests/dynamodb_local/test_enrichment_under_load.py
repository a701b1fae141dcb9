"""A requirement, and so a timed test (with tests/integration/test_enrichment_latency.py, the only ones): enrichment's p99
while many enrich at once and others write to the same table, printed always and bounded generously.
"""

import itertools
import math
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from lib.leases.enrichment import Enricher, Enrichment, Status
from lib.leases.events import LeaseEvent
from lib.platform.contract import LEASE_TABLE
from lib.platform.log import Logger
from tests.support.concurrency import at_once
from tests.support.dynamodb.tables import a_table
from tests.support.leases.builders import lease_item
from tests.support.project.examples import examples

RUNS = examples(500, thorough=1_000)
READERS = 16
WRITERS = 2
LEASES = 100
BOUND_MS, PATIENT_MS = 200.0, 1_000.0
"""The requirement, which is printed beside what was measured, and what fails: 18 threads share a core with the engine, and in a
whole run with other tests."""


@pytest.fixture
def table(engine: Any) -> Iterator[str]:
    with a_table(engine, LEASE_TABLE) as name:
        yield name


def test_the_p99_of_enrichments_under_load_is_bounded(engine: Any, table: str, capfd: pytest.CaptureFixture[str]) -> None:
    keys = [{"userEmail": f"user-{number}@sandbox.example", "uuid": str(uuid.uuid4())} for number in range(LEASES)]

    def write(key: dict[str, str], cost: int = 0) -> None:
        own = {name: {"S": value} for name, value in key.items()}
        engine.put_item(TableName=table, Item=lease_item(**own, totalCostAccrued={"N": str(cost)}))

    for key in keys:
        write(key)
    enricher, done = Enricher(engine, table, Logger("latency")), threading.Event()
    events = [LeaseEvent("e", "LeaseExpired", "s", datetime.now(UTC), dict(key)) for key in keys]

    def enrich(reader: int) -> list[Enrichment]:
        return [enricher.enrich(events[(reader + run) % LEASES]) for run in range(math.ceil(RUNS / READERS))]

    def write_on(writer: int) -> int:
        for written in itertools.count():
            if done.is_set():
                return written
            write(keys[(writer + written) % LEASES], written)
        raise AssertionError("count ends")

    def read_all() -> list[Any]:
        try:
            return at_once([partial(enrich, reader) for reader in range(READERS)])
        finally:
            done.set()

    read, *written = at_once([read_all, *(lambda writer=writer: write_on(writer) for writer in range(WRITERS))])

    capfd.readouterr()
    enrichments = [enrichment for part in read for enrichment in part]
    assert {enrichment.status for enrichment in enrichments} == {Status.ENRICHED}
    latencies = sorted(enrichment.latency_ms for enrichment in enrichments)
    p50, p99 = (latencies[math.ceil(len(latencies) * share) - 1] for share in (0.5, 0.99))
    with capfd.disabled():
        print(
            f"\n{len(latencies)} enrichments by {READERS} threads beside {sum(written)} writes: "
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms (wanted: p99 < {BOUND_MS:.0f} ms; this test fails at {PATIENT_MS:.0f} ms)"
        )
    assert min(written) > 0
    assert p99 < PATIENT_MS
