"""What the imports function does with its events: batches of the job queue, and the sweep."""

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from lib.platform import errors
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import SHUTTLE_VARIABLES, create_tables, moto_inside
from tests.support.aws.sqs_events import sqs_record


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    with moto_inside(monkeypatch):
        create_tables()
        yield load(monkeypatch, "imports", SHUTTLE_VARIABLES)


def test_a_batch_of_the_queue_runs_its_imports(imports: ModuleType) -> None:
    upload = {"Records": [{"s3": {"object": {"key": "uploads/teapots.example.com/01ARZ3NDEKTSV4RRFFQ69G5FAV"}}}]}
    records = [sqs_record("test", '{"Event": "s3:TestEvent"}'), sqs_record("no-such-job", json.dumps(upload))]

    answer = imports.lambda_handler({"Records": records}, LambdaContext(remaining_ms=60_000))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "no-such-job"}]}


@pytest.mark.parametrize("records", [[7], [{}], [{"messageId": "1", "body": 7}]], ids=repr)
def test_a_malformed_batch_is_refused_whole(imports: ModuleType, records: list[Any]) -> None:
    with pytest.raises(errors.InvalidInputError, match="a record"):
        imports.lambda_handler({"Records": records}, LambdaContext(remaining_ms=60_000))


@pytest.mark.parametrize("event", [None, [], {}, {"mode": "deep"}, {"Records": None}, {"httpMethod": "GET", "path": "/"}])
def test_another_event_is_refused(imports: ModuleType, event: Any) -> None:
    with pytest.raises(errors.InvalidInputError, match="neither a batch of the job queue nor a sweep"):
        imports.lambda_handler(event, LambdaContext(remaining_ms=60_000))


def test_a_sweep_without_stale_jobs_gives_up_none(imports: ModuleType) -> None:
    answer = imports.lambda_handler({"mode": "sweep"}, LambdaContext(remaining_ms=60_000))

    assert answer == {"given_up": {"WORKER_LOST": 0, "UPLOAD_MISSING": 0}, "exports_sent": 0, "events_published": 0}
