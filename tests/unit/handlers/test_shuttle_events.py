"""What the Shuttle function does with the events that are no request: one job's failure is no other's."""

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from lib.platform import aws, errors
from lib.platform.errors import http_answer
from lib.shuttle.jobs.job import JobStatus
from lib.shuttle.jobs.lifecycle import JobBusyError
from lib.shuttle.jobs.limits import BillingInactiveError, LimitExceededError
from lib.shuttle.jobs.transitions import IllegalTransitionError
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import SHOPS, create_tables, moto_inside
from tests.support.aws.sqs_events import sqs_record
from tests.support.observability.log_lines import LogLines

DOMAIN, JOB = "teapots.example.com", "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def shuttle(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    with moto_inside(monkeypatch):
        create_tables()
        yield load(monkeypatch, "shuttle", {"SHUTTLE_TABLE_NAME": SHOPS, "IMPORT_BUCKET_NAME": "imports"})


def message(identifier: str, key: str = f"uploads/{DOMAIN}/{JOB}") -> dict[str, Any]:
    return sqs_record(identifier, json.dumps({"Records": [{"s3": {"object": {"key": key}}}]}))


def failed(answer: dict[str, Any]) -> list[str]:
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


class Worker:
    """In place of the importer: notes what it is asked to run, and raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.ran: list[tuple[str, str]] = []
        self._error = error

    def run(self, domain: str, job_id: str, seconds_left: Any) -> JobStatus:
        assert seconds_left() > 0
        self.ran.append((domain, job_id))
        if self._error is not None:
            raise self._error
        return JobStatus.COMPLETED


def test_an_upload_is_run_whatever_way_s3_writes_its_key(shuttle: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()
    monkeypatch.setattr(shuttle, "_importer", lambda: worker)
    records = [message("1"), message("2", f"uploads%2F{DOMAIN}%2F{JOB}")]

    assert failed(shuttle.lambda_handler({"Records": records}, LambdaContext(remaining_ms=60_000))) == []
    assert worker.ran == [(DOMAIN, JOB)] * 2


@pytest.mark.parametrize(
    ("error", "level", "line"),
    [
        (JobBusyError("another worker has the job"), "WARNING", "import_busy"),
        (errors.UnavailableError("could not open the upload"), "ERROR", "import_failed"),
        (KeyError("a defect"), "ERROR", "import_failed"),
    ],
)
def test_a_run_that_breaks_off_comes_again(
    shuttle: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception, level: str, line: str
) -> None:
    monkeypatch.setattr(shuttle, "_importer", lambda: Worker(error))
    lines = LogLines("shuttle")

    assert failed(shuttle.lambda_handler({"Records": [message("1")]}, LambdaContext(remaining_ms=60_000))) == ["1"]
    assert lines.only(line)["level"] == level


@pytest.mark.parametrize("body", ["", "no JSON", "{}", "[]", "null", '{"Records": [{}]}', '{"Records": 1}'])
def test_a_message_that_no_one_can_read_fails_alone(shuttle: ModuleType, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setattr(shuttle, "_importer", Worker)
    records = [sqs_record("bad", body), message("good")]

    assert failed(shuttle.lambda_handler({"Records": records}, LambdaContext(remaining_ms=60_000))) == ["bad"]


@pytest.mark.parametrize("records", [[7], [{}], [{"messageId": "1", "body": 7}]], ids=repr)
def test_a_batch_that_is_none_of_sqs_is_refused_whole(shuttle: ModuleType, records: list[Any]) -> None:
    with pytest.raises(errors.InvalidInputError, match="a record"):
        shuttle.lambda_handler({"Records": records}, LambdaContext(remaining_ms=60_000))


@pytest.mark.parametrize("event", [None, [], {}, {"mode": "deep"}, {"Records": None}])
def test_another_event_is_refused(shuttle: ModuleType, event: Any) -> None:
    with pytest.raises(errors.InvalidInputError, match="no HTTP request"):
        shuttle.lambda_handler(event, LambdaContext(remaining_ms=60_000))


def test_a_sweep_of_nothing_gives_up_nothing(shuttle: ModuleType) -> None:
    answer = shuttle.lambda_handler({"mode": "sweep"}, LambdaContext(remaining_ms=60_000))

    assert answer == {"given_up": {"WORKER_LOST": 0, "UPLOAD_MISSING": 0}}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (LimitExceededError("daily_imports", 5), 429, "limit_reached"),
        (BillingInactiveError("the shop's billing is SUSPENDED"), 400, "billing_inactive"),
        (IllegalTransitionError(JobStatus.FAILED, JobStatus.CANCELLED), 400, "illegal_transition"),
        (errors.InvalidInputError("no"), 400, "malformed"),
    ],
)
def test_what_a_caller_can_handle_has_a_code_of_its_own(error: Exception, status: int, code: str) -> None:
    assert (http_answer(error).status, http_answer(error).code) == (status, code)


def test_links_are_signed_the_way_that_every_region_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    with moto_inside(monkeypatch):
        url = aws.make_client("s3").generate_presigned_url("get_object", Params={"Bucket": "imports-1", "Key": "x"})

    assert url.startswith("https://imports-1.s3.us-west-2.amazonaws.com/x?X-Amz-Algorithm=AWS4-HMAC-SHA256")
