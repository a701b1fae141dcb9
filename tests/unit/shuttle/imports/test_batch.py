"""A batch of the job queue: each message runs its imports, and one job's failure does not affect another's."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lib.platform import errors
from lib.platform.log import Logger
from lib.platform.sqs_batch import Record
from lib.shuttle.imports import batch
from lib.shuttle.jobs.job import JobKind, JobStatus
from lib.shuttle.jobs.lifecycle import JobBusyError
from tests.support.observability.log_lines import LogLines
from tests.support.shuttle.builders import DOMAIN

JOB = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def record(identifier: str, body: str) -> Record:
    return Record(identifier, body, "shuttle-jobs", "receipt", receives=1)


def upload(identifier: str, key: str = f"uploads/{DOMAIN}/{JOB}") -> Record:
    return record(identifier, json.dumps({"Records": [{"s3": {"object": {"key": key}}}]}))


class Worker:
    """In place of the importer: notes what it is asked to run, and raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.ran: list[tuple[str, str]] = []
        self._error = error

    def run(self, domain: str, job_id: str, seconds_left: Callable[[], float]) -> JobStatus:
        assert seconds_left() == 60
        self.ran.append((domain, job_id))
        if self._error is not None:
            raise self._error
        return JobStatus.COMPLETED


def failed(worker: Any, *messages: Record) -> list[str]:
    """The ids of the messages that SQS is to deliver again."""
    answer = batch.run(messages, {JobKind.IMPORT: worker}, lambda: 60.0, Logger("imports"))
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def test_an_upload_is_run_however_s3_encodes_its_key() -> None:
    worker = Worker()

    assert failed(worker, upload("1"), upload("2", f"uploads%2F{DOMAIN}%2F{JOB}")) == []
    assert worker.ran == [(DOMAIN, JOB)] * 2


def test_a_message_about_an_export_runs_the_export() -> None:
    importer, exporter = Worker(), Worker()
    body = json.dumps({"export": {"shop_domain": DOMAIN, "job_id": JOB}})

    runners = {JobKind.IMPORT: importer, JobKind.EXPORT: exporter}
    answer = batch.run([record("1", body)], runners, lambda: 60.0, Logger("shuttle"))

    assert answer == {"batchItemFailures": []}
    assert (importer.ran, exporter.ran) == ([], [(DOMAIN, JOB)])


def test_the_test_event_of_s3_runs_nothing() -> None:
    worker = Worker()

    assert failed(worker, record("1", '{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "imports"}')) == []
    assert worker.ran == []


@pytest.mark.parametrize(
    ("error", "level", "line"),
    [
        (JobBusyError("another worker has the job"), "WARNING", "import_busy"),
        (errors.UnavailableError("could not open the upload"), "ERROR", "import_failed"),
        (KeyError("a defect"), "ERROR", "import_failed"),
    ],
)
def test_a_run_that_fails_is_delivered_again(error: Exception, level: str, line: str) -> None:
    lines = LogLines("imports")

    assert failed(Worker(error), upload("1")) == ["1"]
    assert lines.only(line)["level"] == level


@pytest.mark.parametrize(
    "body",
    [
        *("", "not JSON", "{}", "[]", "null", "\ud800", '{"Records": [{}]}', '{"Records": 1}'),
        *(
            '{"export": null}',
            '{"export": {"job_id": 7, "shop_domain": "a.b"}}',
            '{"export": {"shop_domain": "a#b", "job_id": "7"}}',
        ),
    ],
)
def test_a_malformed_message_fails_alone(body: str) -> None:
    worker = Worker()

    assert failed(worker, record("bad", body), upload("good")) == ["bad"]
    assert worker.ran == [(DOMAIN, JOB)]
