"""The sweep completes, for all shops, what a crash or a lost message left."""

from typing import Any

import pytest

from lib.platform import errors
from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.shuttle import keys
from lib.shuttle.catalogue.events import Publisher
from lib.shuttle.jobs import sweep
from lib.shuttle.jobs.job import JobKind, JobSummary
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.messages import JobQueue
from tests.support.aws.sqs import RecordingSqs
from tests.support.aws.wire import aws_error
from tests.support.observability.emf import names_in
from tests.support.observability.log_lines import LogLines
from tests.support.shuttle.builders import DOMAIN
from tests.support.shuttle.catalogues import Bus, Imports


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"Kind": "MERGE"},
        {"JobId": "short"},
        {"ShopDomain": "not a domain"},
        {"JobId": "01K00000000000000000000000"},
    ],
    ids=str,
)
def test_a_job_that_can_not_be_read_delays_no_other(
    imports: Imports, capsys: pytest.CaptureFixture[str], wrong: dict[str, str]
) -> None:
    sqs, bus, logger = RecordingSqs(), Bus(), Logger("imports")
    lines = LogLines("imports")
    row = keys.job(DOMAIN, imports.order())
    imports.table.corrupt(row, **wrong)
    imports.table.clock.advance(seconds=1)
    imports.order()
    imports.table.clock.advance(hours=25)
    imports.imported()
    waiting = imports.order(kind=JobKind.EXPORT, mode=None)
    imports.table.clock.advance(minutes=11)

    with pytest.raises(errors.PermanentError, match="1 row could not be swept"):
        swept(imports, sqs, bus, logger)

    assert lines.only("row_not_swept")["row"] == f"SHOP#{DOMAIN} {row.sk}"
    assert imports.table.active_jobs() == {row.sk.removeprefix("JOB#"), waiting}
    assert sqs.messages == [{"export": {"shop_domain": DOMAIN, "job_id": waiting}}]
    assert len(bus.sent) == 1
    assert names_in(capsys.readouterr().out) == ["JobGivenUp"], "the sweep did not finish"


def test_an_event_of_a_later_release_delays_no_other(imports: Imports) -> None:
    bus, logger = Bus(), Logger("imports")
    lines = LogLines("imports")
    first = imports.run(imports.order())
    assert first
    imports.table.corrupt(first.key(), EventId="later/1")
    imports.imported(2)
    imports.table.clock.advance(minutes=2)

    with pytest.raises(errors.PermanentError, match="1 row could not be swept"):
        swept(imports, RecordingSqs(), bus, logger)

    assert len(bus.sent) == 2
    assert lines.only("row_not_swept")["row"] == str(first.key())


def test_a_job_that_can_not_be_failed_delays_no_other(imports: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    logger, give_up = Logger("imports"), Jobs.give_up
    lines = LogLines("imports")
    first, second = imports.order(), imports.order()
    imports.table.clock.advance(hours=25)

    def refuse_first(jobs: Jobs, stale: JobSummary, *why: str) -> bool:
        if stale.job_id == first:
            raise errors.PermanentError("could not end the job: ValidationException")
        return give_up(jobs, stale, *why)

    monkeypatch.setattr(Jobs, "give_up", refuse_first)
    with pytest.raises(errors.PermanentError, match="1 row could not be swept"):
        swept(imports, RecordingSqs(), Bus(), logger)

    assert imports.table.repository.job(DOMAIN, second).failure == "UPLOAD_MISSING"
    assert lines.only("row_not_swept")["error_text"] == "could not end the job: ValidationException"
