"""The only place that makes AWS clients, and the one way to retry a throttled call.

A client is made once a process, at the module level of the handler that needs it. botocore's own retries are off: by
default it would make up to 10 attempts on DynamoDB, and "exactly one retry" would be a lie (docs/adr/0005). Clients come
from botocore, boto3's core: the hot path needs neither boto3's resource layer nor its S3 transfer manager, and their
import is a tenth of a cold start.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import botocore
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialResolver, EnvProvider
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own: no connection came about
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
)

from lib.platform import errors

CONNECT_TIMEOUT_SECONDS = 0.5
READ_TIMEOUT_SECONDS = 1.0
BATCH_READ_TIMEOUT_SECONDS = 5.0
"""Where nobody waits for the answer, a slow one beats a failed run (docs/adr/0005)."""
THROTTLE_RETRY_DELAY_SECONDS = 0.5
USER_AGENT = f"switchboard botocore/{botocore.__version__}"
"""By this CloudTrail tells our calls from others'."""

Result = TypeVar("Result")

MODELS = Path(__file__).with_name("aws_models")
"""botocore's models of our services, slimmed. Only the archive has them (stack/packaging/aws_models.py)."""

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and the other services' own names.
# Those of a cancelled transaction's reasons have no "Exception" at their end.
_THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ThrottlingError",
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "TooManyRequestsException",
        "SlowDown",
    }
)
_DENIALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "ExpiredTokenException",
        "ExpiredToken",
        "InvalidSignatureException",
    }
)
# For S3's presigned URLs, which botocore would sign the old way and for the global endpoint: Signature Version 4, and the
# bucket's own host in its region. An endpoint that is an IP address keeps the bucket in the path.
_S3_CONFIG: dict[str, Any] = {"signature_version": "s3v4", "s3": {"addressing_style": "virtual"}}
# What the stack should have made, against what a caller named.
_MISSING_RESOURCES = frozenset({"ResourceNotFoundException", "NoSuchBucket", "NotFound", "NotFoundException"})
# The answer to a HEAD has no body, and so no code: botocore puts the status in its place.
_ABSENCES = frozenset({"NoSuchKey", "404"})
_CONFLICTS = frozenset({"TransactionConflict", "TransactionConflictException", "TransactionInProgressException"})
_SERVER_FAULTS = frozenset(
    {"InternalServerError", "InternalFailure", "InternalError", "ServiceUnavailable", "InternalServiceError"}
)


def make_client(
    service: str,
    *,
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
) -> Any:
    """Make the client of ``service`` (``dynamodb``, ``sns``, …): one attempt a call, short timeouts.

    Region, credentials and endpoint come from the environment, as Lambda and the AWS SDKs define it. The command line
    allows longer timeouts: a person's machine is farther away than a function.
    """
    client = _session((MODELS / service).is_dir()).create_client(
        service,
        config=Config(
            retries={"total_max_attempts": 1},
            connect_timeout=connect_timeout_seconds,
            read_timeout=read_timeout_seconds,
            tcp_keepalive=True,
            # Both cost every call a twentieth of its time. The service says what a wrong parameter is, too.
            parameter_validation=False,
            user_agent=USER_AGENT,
            # A table named by its ARN would get a host of its account's own, and a cold start a second TLS handshake.
            account_id_endpoint_mode="disabled",
            **(_S3_CONFIG if service == "s3" else {}),
        ),
    )
    client.meta.events.register("before-parse", _require_whole)
    return client


def _require_whole(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Refuse an answer whose body is shorter than announced.

    botocore does not look: it takes what came before the connection broke for the answer, and half of a JSON object for an
    empty one. A row that is there would not be found, and a secret would be empty.

    Raises:
        IncompleteReadError: it is.
    """
    body, announced = response_dict["body"], response_dict["headers"].get("content-length")
    if not isinstance(body, bytes) or announced is None or operation_model.http.get("method") == "HEAD":
        return  # a stream looks by itself, and the answer to HEAD has no body
    if len(body) < int(announced):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(announced))


class _SlimLoader(botocore.loaders.Loader):  # type: ignore[misc, unused-ignore]
    """Reads what is in :data:`MODELS` from there and all else where botocore keeps it, and does not list all of AWS's services
    to learn whether it knows one of those."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 (botocore's own signature)
        return [folder.name for folder in MODELS.iterdir() if folder.is_dir()]


@functools.cache
def _session(slim: bool) -> Any:
    session = botocore.session.get_session()
    if slim:
        session.register_component("data_loader", _SlimLoader(extra_search_paths=[str(MODELS)]))
        from_environment = EnvProvider()
        if from_environment.load() is not None:
            # Where Lambda puts them, and where botocore looks first: none of its eight other ways needs to be made ready.
            session.register_component("credential_provider", CredentialResolver([from_environment]))
    return session


def error_code(error: BaseException) -> str:
    """The service's own code of a ``ClientError`` (``ConditionalCheckFailedException``, …); empty for other errors."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def is_condition_failure(error: BaseException) -> bool:
    """Whether a conditional write was refused by its condition."""
    return error_code(error) == "ConditionalCheckFailedException"


def is_conflict(error: BaseException) -> bool:
    """Whether another transaction was at one of the rows at that moment. Nothing was written, and it may go through now."""
    return error_code(error) in _CONFLICTS or any(code in _CONFLICTS for code in _cancellation_codes(error))


def refusals(error: BaseException) -> dict[int, dict[str, Any] | None]:
    """The writes of a cancelled transaction whose condition refused: their positions, and what stood there if that was asked
    for. Empty for other errors."""
    return {
        position: reason.get("Item")
        for position, reason in enumerate(_cancellation_reasons(error))
        if reason.get("Code") == "ConditionalCheckFailed"
    }


def item_in(error: BaseException) -> dict[str, Any] | None:
    """The row that a failed condition met, where the request asked for it by ``ReturnValuesOnConditionCheckFailure``."""
    return _answer_of(error).get("Item")


def _answer_of(error: BaseException) -> dict[str, Any]:
    return dict(error.response) if isinstance(error, ClientError) else {}


def _cancellation_reasons(error: BaseException) -> list[dict[str, Any]]:
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html: one reason a write, in their
    # order, "None" for a write that would have gone through.
    return _answer_of(error).get("CancellationReasons") or []


def _cancellation_codes(error: BaseException) -> set[str]:
    return {str(reason.get("Code")) for reason in _cancellation_reasons(error)} - {"None"}


def retry_throttled_once(
    call: Callable[[], Result],
    *,
    sleep: Callable[[float], None] = time.sleep,
    on_retry: Callable[[], None] = lambda: None,
) -> Result:
    """Run ``call``; on ``ProvisionedThroughputExceededException`` wait 500 ms and run it once more, and nothing else.

    ``on_retry`` is told before the wait. Every other error, and the second throttle, goes to the caller as it is.
    """
    try:
        return call()
    except ClientError as error:
        if error_code(error) != "ProvisionedThroughputExceededException":
            raise
    on_retry()
    sleep(THROTTLE_RETRY_DELAY_SECONDS)
    return call()


def call(
    doing: str,
    send: Callable[[], Result],
    *,
    sleep: Callable[[float], None] = time.sleep,
    on_retry: Callable[[], None] = lambda: None,
) -> Result:
    """Run ``send``, as :func:`retry_throttled_once` does. For calls without a condition, whose failure would be an answer.

    Raises:
        SwitchboardError: it failed; ``doing`` ("read the lease") is in its text.
    """
    with translated(doing):
        return retry_throttled_once(send, sleep=sleep, on_retry=on_retry)


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the AWS SDK's errors into those of :mod:`lib.platform.errors`; ``doing`` ("store the snapshot") is in their text.

    Raises:
        SwitchboardError: a call within failed.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translate(error, doing) from error


def translate(error: BotoCoreError | ClientError, doing: str) -> errors.SwitchboardError:
    """The error of :mod:`lib.platform.errors` that an AWS call's error means, with ``doing`` ("read the lease") in its text."""
    if isinstance(error, ClientError):
        return _translate_answer(error, doing)
    if isinstance(error, ConnectionError):
        return errors.UnavailableError(f"could not {doing}: no connection ({type(error).__name__})")
    if isinstance(error, ReadTimeoutError):
        return errors.DeadlineExceededError(f"could not {doing}: no answer within the read timeout")
    if isinstance(error, HTTPClientError | IncompleteReadError):
        return errors.ConnectionLostError(f"could not {doing}: the connection broke ({type(error).__name__})")
    # What botocore refuses to send: parameters that are wrong, credentials or a region that are missing.
    return errors.PermanentError(f"could not {doing}: {type(error).__name__}")


def _translate_answer(error: ClientError, doing: str) -> errors.SwitchboardError:
    code = error_code(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    reasons = _cancellation_codes(error)
    text = f"could not {doing}: {', '.join(sorted(reasons)) or code or status}"
    if code in _THROTTLES or reasons & _THROTTLES:
        return errors.ThrottledError(text)
    if code in _DENIALS:
        return errors.AccessDeniedError(text)
    if code in _MISSING_RESOURCES:
        return errors.ResourceMissingError(text)
    if code in _ABSENCES:
        return errors.NotFoundError(text)
    if code in _SERVER_FAULTS or status >= 500:
        # A 5xx may come after the write: DynamoDB says so for InternalServerError.
        return errors.ConnectionLostError(text)
    return errors.PermanentError(text)
