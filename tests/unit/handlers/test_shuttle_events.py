"""What the Shuttle function refuses, how its errors are answered, and how its links are signed."""

from typing import Any

import pytest

from lib.platform import aws, errors
from lib.platform.errors import http_answer
from lib.shuttle.jobs.job import JobStatus
from lib.shuttle.jobs.limits import BillingInactiveError, LimitExceededError
from lib.shuttle.jobs.transitions import IllegalTransitionError
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import SHUTTLE_VARIABLES, moto_inside


@pytest.mark.parametrize("event", [None, {}, {"mode": "sweep"}, {"Records": []}])
def test_an_event_that_is_not_an_http_request_is_refused(monkeypatch: pytest.MonkeyPatch, event: Any) -> None:
    with moto_inside(monkeypatch):
        shuttle = load(monkeypatch, "shuttle", SHUTTLE_VARIABLES)

    with pytest.raises(errors.InvalidInputError, match="not an HTTP request"):
        shuttle.lambda_handler(event, LambdaContext(remaining_ms=60_000))


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
