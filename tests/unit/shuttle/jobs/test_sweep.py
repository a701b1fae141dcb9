"""The sweep completes, for all shops, what a crash or a lost message left."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from lib.platform import errors
from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.shuttle.catalogue.events import Publisher
from lib.shuttle.jobs import sweep
from lib.shuttle.jobs.job import JobKind
from lib.shuttle.jobs.messages import JobQueue
from tests.support.aws.sqs import RecordingSqs
from tests.support.aws.wire import aws_error
from tests.support.observability.log_lines import LogLines
from tests.support.shuttle.builders import DOMAIN, ShuttleTable, a_shop
from tests.support.shuttle.catalogues import Imports


@dataclass
class Bus:
    sent: list[dict[str, Any]] = field(default_factory=list)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.sent += Entries
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in Entries]}


@pytest.fixture
def imports(shuttle_table: ShuttleTable) -> Imports:
    shuttle_table.registry.install(a_shop())
    return Imports(shuttle_table)


def swept(imports: Imports, sqs: RecordingSqs, bus: Bus, logger: Logger) -> dict[str, Any]:
    table = imports.table
    publisher = Publisher(table.client, table.name, bus, "bus", bucket="imports", now=table.clock)
    return sweep.run(imports.jobs(), JobQueue(Queue(sqs, "https://sqs.example/jobs")), publisher, logger)


def test_a_sweep_counts_what_it_did(imports: Imports) -> None:
    sqs, bus, logger = RecordingSqs(), Bus(), Logger("imports")
    lines = LogLines("imports")
    imports.order()
    imports.table.clock.advance(hours=25)
    imports.imported()
    waiting = imports.order(kind=JobKind.EXPORT, mode=None)
    imports.table.clock.advance(minutes=11)

    counted = swept(imports, sqs, bus, logger)

    assert counted == {"given_up": {"WORKER_LOST": 0, "UPLOAD_MISSING": 1}, "exports_sent": 1, "events_published": 1}
    assert sqs.messages == [{"export": {"shop_domain": DOMAIN, "job_id": waiting}}]
    assert [entry["DetailType"] for entry in bus.sent] == ["ImportCompleted"]
    assert lines.only("jobs_swept")["events_published"] == 1


def test_events_are_published_though_the_queue_is_unavailable(imports: Imports) -> None:
    sqs, bus = RecordingSqs(fails=aws_error("ServiceUnavailable", 503)), Bus()
    imports.imported()
    imports.order(kind=JobKind.EXPORT, mode=None)
    imports.table.clock.advance(minutes=11)

    with pytest.raises(errors.AmbiguousError):
        swept(imports, sqs, bus, Logger("imports"))

    assert len(bus.sent) == 1
