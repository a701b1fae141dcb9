"""AWS clients and their errors: one attempt per call, one retry of one error, and one meaning for each failure."""

import socket
from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from lib.platform import aws, errors
from tests.support.aws.environment import point_at
from tests.support.aws.wire import aws_error
from tests.support.dynamodb.servers import THROTTLED, AnsweringServer, cut_off, refusal

GET = {"TableName": "leases", "Key": {"userEmail": {"S": "a"}, "uuid": {"S": "b"}}}


def answer(code: str, status: int = 400) -> ClientError:
    return aws_error(code, status, "GetItem")


# Clients


@pytest.mark.parametrize("refused", [THROTTLED, refusal("InternalServerError", 500), refusal("ValidationException")])
def test_a_client_makes_one_attempt_whatever_the_answer(monkeypatch: pytest.MonkeyPatch, refused: Any) -> None:
    with AnsweringServer(refused) as server:
        point_at(monkeypatch, server.url)
        with pytest.raises(ClientError):
            aws.make_client("dynamodb").get_item(**GET)
        assert len(server.requests) == 1


def test_a_client_does_not_wait_long() -> None:
    config = aws.make_client("dynamodb").meta.config
    assert (config.connect_timeout, config.read_timeout) == (0.5, 1.0)


def test_a_client_can_have_a_longer_read_timeout() -> None:
    assert aws.make_client("s3", read_timeout_seconds=5).meta.config.read_timeout == 5


def test_a_lazy_client_is_made_once_and_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, float]] = []
    monkeypatch.setattr(
        aws, "make_client", lambda service, *, read_timeout_seconds: made.append((service, read_timeout_seconds))
    )
    get_s3 = aws.lazy_client("s3", read_timeout_seconds=5)
    assert made == []

    get_s3()
    get_s3()

    assert made == [("s3", 5)]


@pytest.mark.parametrize("table", ["leases", "arn:aws:dynamodb:us-west-2:210987654321:table/leases"])
def test_a_table_is_reached_at_the_regional_host_by_name_and_by_arn(monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    """A host of its own for the lease table's account would cost a cold start a second TLS handshake."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = aws.make_client("dynamodb")

    def stop(request: Any, **_: Any) -> None:
        raise InterruptedError(request.url)

    client.meta.events.register("before-send.dynamodb", stop)
    with pytest.raises(InterruptedError, match=r"^https://dynamodb\.us-west-2\.amazonaws\.com/$"):
        client.get_item(**{**GET, "TableName": table})


def test_a_request_has_no_headers_about_the_retries_of_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would take 6 % of each call."""
    seen: list[str] = []

    def stop(request: Any, **_: Any) -> None:
        seen.extend(name.lower() for name in request.headers)
        raise InterruptedError

    point_at(monkeypatch, "http://127.0.0.1:1")
    client = aws.make_client("dynamodb")
    client.meta.events.register("before-send.dynamodb", stop)
    with pytest.raises(InterruptedError):
        client.get_item(**GET)

    assert {"authorization", "x-amz-date", "x-amz-target", "user-agent"} <= set(seen)
    assert [name for name in seen if name.startswith("amz-sdk-")] == []


def test_a_botocore_without_those_headers_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("botocore.handlers.add_retry_headers")
    aws.make_client("dynamodb")


def test_half_of_an_answer_is_a_broken_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with cut_off(b'{"Item": {"userEmail": {"S": "a"}}}') as url:
        point_at(monkeypatch, url)
        with pytest.raises(exceptions.IncompleteReadError) as raised:
            aws.make_client("dynamodb").get_item(**GET)

    assert isinstance(aws.translate(raised.value, "read the lease"), errors.ConnectionLostError)


def test_an_answer_without_a_body_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    with cut_off(b"x" * 20, share=0.0) as url:
        point_at(monkeypatch, url)
        assert aws.make_client("s3").head_object(Bucket="bucket", Key="key")["ContentLength"] == 20


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")


# The one retry


class Call:
    """Raises each of ``failures``, then answers; counts."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        if self._failures:
            raise self._failures.pop(0)
        return "answer"


THROTTLE = answer("ProvisionedThroughputExceededException")


def test_a_throttled_call_is_retried_once_after_half_a_second() -> None:
    call = Call(THROTTLE)
    slept: list[float] = []
    notified: list[list[float]] = []
    assert aws.retry_throttled_once(call, sleep=slept.append, on_retry=lambda: notified.append(list(slept))) == "answer"
    assert (call.times, slept) == (2, [0.5])
    assert notified == [[]], "the caller is notified before the wait"


def test_the_second_throttle_goes_to_the_caller() -> None:
    call = Call(THROTTLE, THROTTLE)
    with pytest.raises(ClientError):
        aws.retry_throttled_once(call, sleep=lambda _: None)
    assert call.times == 2


@pytest.mark.parametrize(
    "error",
    [
        answer("ThrottlingException"),
        answer("InternalServerError", 500),
        exceptions.ReadTimeoutError(endpoint_url="u"),
        KeyError(),
    ],
    ids=repr,
)
def test_every_other_error_goes_to_the_caller_at_once(error: Exception) -> None:
    call = Call(error)
    with pytest.raises(type(error)):
        aws.retry_throttled_once(call, sleep=lambda _: pytest.fail("it waited"))
    assert call.times == 1


# What an error means


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (answer("ProvisionedThroughputExceededException"), errors.ThrottledError),
        (answer("ThrottlingException"), errors.ThrottledError),
        (answer("Throttling"), errors.ThrottledError),
        (answer("AccessDeniedException"), errors.AccessDeniedError),
        (answer("AuthorizationError", 403), errors.AccessDeniedError),
        (answer("ExpiredTokenException"), errors.AccessDeniedError),
        (answer("ResourceNotFoundException"), errors.ResourceMissingError),
        (answer("NotFound", 404), errors.ResourceMissingError),
        (answer("NoSuchKey", 404), errors.NotFoundError),
        (answer("InternalServerError", 500), errors.ServerFaultError),
        (answer("", 503), errors.ServerFaultError),
        (answer("ValidationException"), errors.PermanentError),
        (exceptions.ConnectTimeoutError(endpoint_url="u"), errors.UnavailableError),
        (exceptions.EndpointConnectionError(endpoint_url="u"), errors.UnavailableError),
        (exceptions.SSLError(endpoint_url="u", error=OSError("e")), errors.UnavailableError),
        (exceptions.ReadTimeoutError(endpoint_url="u"), errors.DeadlineExceededError),
        (exceptions.ConnectionClosedError(endpoint_url="u"), errors.ConnectionLostError),
        (exceptions.HTTPClientError(error="e"), errors.ConnectionLostError),
        (exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2), errors.ConnectionLostError),
        (exceptions.ParamValidationError(report="r"), errors.PermanentError),
        (exceptions.NoRegionError(), errors.PermanentError),
    ],
    ids=repr,
)
def test_each_error_has_one_meaning(error: Any, meaning: type[errors.SwitchboardError]) -> None:
    translated = aws.translate(error, "read the lease")
    assert type(translated) is meaning
    assert str(translated).startswith("could not read the lease: ")


def test_missing_credentials_have_one_sentence() -> None:
    translated = aws.translate(exceptions.NoCredentialsError(), "read the lease")

    assert isinstance(translated, errors.PermanentError)
    assert str(translated) == "no AWS credentials: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"


def test_an_ambiguous_failure_is_never_retryable() -> None:
    for error in (answer("InternalServerError", 500), exceptions.ReadTimeoutError(endpoint_url="u")):
        assert isinstance(aws.translate(error, "write"), errors.AmbiguousError)


def test_the_text_contains_nothing_of_the_services_message() -> None:
    error = ClientError({"Error": {"Code": "ValidationException", "Message": "rosa@example.org is bad"}}, "GetItem")
    assert "rosa" not in str(aws.translate(error, "read"))


def test_a_refused_connection_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        point_at(monkeypatch, f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(exceptions.EndpointConnectionError):
            aws.make_client("dynamodb").get_item(**GET)


@pytest.mark.parametrize(
    ("error", "code"), [(answer("ConditionalCheckFailedException"), True), (answer("Other"), False), (KeyError(), False)]
)
def test_a_failed_condition_is_distinguished_from_other_errors(error: Exception, code: bool) -> None:
    assert aws.is_condition_failure(error) is code


# A missing table must not be answered 404: senders drop an event on 404.


def test_a_missing_resource_is_not_answered_404() -> None:
    missing = aws.translate(answer("ResourceNotFoundException"), "read the lease")
    absent = aws.translate(answer("NoSuchKey", 404), "read the report")
    assert errors.http_answer(missing).status == 503
    assert errors.http_answer(absent).status == 404


# Cancelled transactions


def cancelled(*codes: str) -> ClientError:
    reasons = [{"Code": code, **({"Item": {"n": {"N": "1"}}} if code == "ConditionalCheckFailed" else {})} for code in codes]
    return aws_error("TransactionCanceledException", operation="TransactWriteItems", CancellationReasons=reasons)


def test_refused_writes_are_identified_by_their_positions() -> None:
    error = cancelled("None", "ConditionalCheckFailed", "None", "ConditionalCheckFailed")
    assert aws.refusals(error) == {1: {"n": {"N": "1"}}, 3: {"n": {"N": "1"}}}
    assert aws.refusals(cancelled("None", "TransactionConflict")) == {}
    assert aws.refusals(answer("ConditionalCheckFailedException")) == {}


@pytest.mark.parametrize(
    ("error", "conflict"),
    [
        (cancelled("None", "TransactionConflict"), True),
        (answer("TransactionConflictException"), True),
        (answer("TransactionInProgressException"), True),
        (cancelled("None", "ConditionalCheckFailed"), False),
        (ValueError("TransactionConflict"), False),
    ],
)
def test_a_conflict_is_distinguished_from_other_errors(error: Exception, conflict: bool) -> None:
    assert aws.is_conflict(error) is conflict


@pytest.mark.parametrize(
    ("codes", "meaning"),
    [
        (("None", "ProvisionedThroughputExceeded"), errors.ThrottledError),
        (("ThrottlingError", "ConditionalCheckFailed"), errors.ThrottledError),
        (("ValidationError", "None"), errors.PermanentError),
    ],
)
def test_a_cancelled_transaction_means_what_its_reasons_say(codes: Any, meaning: type[errors.SwitchboardError]) -> None:
    translated = aws.translate(cancelled(*codes), "write")
    assert type(translated) is meaning
    assert set(codes) - {"None"} <= set(str(translated).removeprefix("could not write: ").split(", "))
