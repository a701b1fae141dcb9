"""What the Shuttle function does with the events that are not HTTP requests."""

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from lib.platform import aws, errors
from lib.platform.errors import http_answer
from lib.shuttle.jobs.job import JobStatus
from lib.shuttle.jobs.limits import BillingInactiveError, LimitExceededError
from lib.shuttle.jobs.transitions import IllegalTransitionError
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import SHOPS, create_tables, moto_inside
from tests.support.aws.sqs_events import sqs_record


@pytest.fixture
def shuttle(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    with moto_inside(monkeypatch):
        create_tables()
        yield load(monkeypatch, "shuttle", {"SHUTTLE_TABLE_NAME": SHOPS, "IMPORT_BUCKET_NAME": "imports"})


def test_a_batch_of_the_queue_runs_its_imports(shuttle: ModuleType) -> None:
    upload = {"Records": [{"s3": {"object": {"key": "uploads/teapots.example.com/01ARZ3NDEKTSV4RRFFQ69G5FAV"}}}]}
    records = [sqs_record("test", '{"Event": "s3:TestEvent"}'), sqs_record("no-such-job", json.dumps(upload))]

    answer = shuttle.lambda_handler({"Records": records}, LambdaContext(remaining_ms=60_000))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "no-such-job"}]}


@pytest.mark.parametrize("records", [[7], [{}], [{"messageId": "1", "body": 7}]], ids=repr)
def test_a_malformed_batch_is_refused_whole(shuttle: ModuleType, records: list[Any]) -> None:
    with pytest.raises(errors.InvalidInputError, match="a record"):
        shuttle.lambda_handler({"Records": records}, LambdaContext(remaining_ms=60_000))


@pytest.mark.parametrize("event", [None, [], {}, {"mode": "deep"}, {"Records": None}])
def test_another_event_is_refused(shuttle: ModuleType, event: Any) -> None:
    with pytest.raises(errors.InvalidInputError, match="not an HTTP request"):
        shuttle.lambda_handler(event, LambdaContext(remaining_ms=60_000))


def test_a_sweep_without_stale_jobs_gives_up_none(shuttle: ModuleType) -> None:
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
def test_an_error_that_a_caller_can_handle_has_its_own_code(error: Exception, status: int, code: str) -> None:
    assert (http_answer(error).status, http_answer(error).code) == (status, code)


def test_links_are_signed_as_every_region_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    with moto_inside(monkeypatch):
        url = aws.make_client("s3").generate_presigned_url("get_object", Params={"Bucket": "imports-1", "Key": "x"})

    assert url.startswith("https://imports-1.s3.us-west-2.amazonaws.com/x?X-Amz-Algorithm=AWS4-HMAC-SHA256")
