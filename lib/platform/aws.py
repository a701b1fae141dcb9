"""Creates all AWS clients, retries throttled calls, and translates the SDK's errors.

A client is created once per process, at the module level of the handler that needs it. botocore's own retries are off: by
default it makes up to 10 attempts on DynamoDB, and ours must be exactly one retry (docs/adr/0005). Clients come from
botocore, boto3's core: the hot path needs neither boto3's resource layer nor its S3 transfer manager, whose import is a tenth
of a cold start.
"""

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import botocore
import botocore.handlers
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialResolver, EnvProvider
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own: no connection was made
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
)

from lib.platform import errors, restore

CONNECT_TIMEOUT_SECONDS = 0.5
READ_TIMEOUT_SECONDS = 1.0
BATCH_READ_TIMEOUT_SECONDS = 5.0
"""The read timeout of runs that nobody waits for: a slow answer is better than a failed run (docs/adr/0005)."""
THROTTLE_RETRY_DELAY_SECONDS = 0.5
NO_CREDENTIALS = "no AWS credentials: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
NO_REGION = "no AWS region: set AWS_DEFAULT_REGION, or pass --outputs, which names it"
USER_AGENT = f"switchboard botocore/{botocore.__version__}"
"""Identifies our calls in CloudTrail."""

Result = TypeVar("Result")

MODELS = Path(__file__).with_name("aws_models")
"""botocore's models of our services, reduced. They exist in the archive only (stack/packaging/aws_models.py)."""

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and the names of other services.
# The reasons of a cancelled transaction do not end in "Exception".
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
# Resources of the stack, unlike _ABSENCES, which a caller asked for.
_MISSING_RESOURCES = frozenset({"ResourceNotFoundException", "NoSuchBucket", "NotFound", "NotFoundException"})
# The answer to HEAD has no body and so no code: botocore uses the status instead.
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
    """Create the client of ``service`` (``dynamodb``, ``sns``, …): one attempt per call, short timeouts.

    Region, credentials and endpoint come from the environment variables of the AWS SDKs. The command line sets longer
    timeouts: a person's computer is farther from AWS than a function.
    """
    client = _session((MODELS / service).is_dir()).create_client(
        service,
        config=Config(
            retries={"total_max_attempts": 1},
            connect_timeout=connect_timeout_seconds,
            read_timeout=read_timeout_seconds,
            tcp_keepalive=True,
            # Validation and the default user agent each cost a twentieth of a call's time. The service validates too.
            parameter_validation=False,
            user_agent=USER_AGENT,
            # A table identified by its ARN would get a host of its own, and a cold start a second TLS handshake.
            account_id_endpoint_mode="disabled",
            **(_s3_config() if service == "s3" else {}),
        ),
    )
    events = client.meta.events
    # Two headers about the retries, which are off: to make, sign and send them takes 6 % of a call.
    events.unregister("request-created", getattr(botocore.handlers, "add_retry_headers", None))
    if service == "sns":
        events.register("before-call.sns", _encode_once)
    events.register("before-parse", _require_whole)
    restore.register(client, lambda client: client.close())  # its connections; it opens others when it needs them
    return client


def _s3_config() -> dict[str, Any]:
    """The config for presigned URLs: Signature Version 4 and the bucket's regional host, not the older signature and the global
    endpoint of botocore's defaults. With an IP address as endpoint, the bucket stays in the path. A new dict each time, since
    botocore writes into it."""
    return {"signature_version": "s3v4", "s3": {"addressing_style": "virtual"}}


def lazy_client(service: str, **options: float) -> Callable[[], Any]:
    """A function that creates the client as :func:`make_client` on its first call, and returns the same one on later calls.

    For a client that most processes do not need: creating one takes a good part of a cold start.
    """
    return functools.cache(lambda: make_client(service, **options))


class Clients:
    """One client per service. Creating a client is not thread-safe; using one is.

    Args:
        make: creates the client of a service.
    """

    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make
        self._made: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str) -> Any:
        """The client of ``service``."""
        with self._lock:
            if service not in self._made:
                self._made[service] = self._make(service)
            return self._made[service]


def _encode_once(params: dict[str, Any], **_: Any) -> None:
    """Encode the form of a request to SNS once; botocore would do it twice, for the signature and to send it."""
    params["body"] = urlencode(params["body"]).encode()


def _require_whole(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Refuse an answer whose body is shorter than announced.

    botocore does not check this: after a broken connection it reads half of a JSON object as an empty answer. An existing row
    would not be found, and a secret would be empty.
    """
    body, announced = response_dict["body"], response_dict["headers"].get("content-length")
    if not isinstance(body, bytes) or announced is None or operation_model.http.get("method") == "HEAD":
        return  # a stream checks its own length, and the answer to HEAD has no body
    if len(body) < int(announced):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(announced))


class _SlimLoader(botocore.loaders.Loader):  # type: ignore[misc, unused-ignore]
    """Reads our models from :data:`MODELS` and others from botocore, without first listing all services of AWS."""

    def list_available_services(self, type_name: str) -> list[str]:
        services = [folder.name for folder in MODELS.iterdir() if folder.is_dir()]
        # Without rules, botocore takes the endpoint from its regions, once per client; with them, it evaluates them per call.
        # S3 needs them for the hosts of its buckets.
        return ["s3"] if type_name == "endpoint-rule-set-1" else services


@functools.cache
def _session(slim: bool) -> Any:
    session = botocore.session.get_session()
    # For FIPS and dual-stack endpoints, the regions and the rules differ: those need botocore's own data.
    if slim and not any(map(session.get_config_variable, ("use_fips_endpoint", "use_dualstack_endpoint"))):
        session.register_component("data_loader", _SlimLoader(extra_search_paths=[str(MODELS)]))
        from_environment = EnvProvider()
        if from_environment.load() is not None:
            # Lambda sets them, and botocore looks there first. This skips the set-up of its eight other providers.
            session.register_component("credential_provider", CredentialResolver([from_environment]))
    return session


def error_code(error: BaseException) -> str:
    """The service's error code of a ``ClientError`` (``ConditionalCheckFailedException``, …); empty for other errors."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def is_condition_failure(error: BaseException) -> bool:
    """Whether a conditional write was refused by its condition."""
    return error_code(error) == "ConditionalCheckFailedException"


def is_conflict(error: BaseException) -> bool:
    """Whether another transaction held one of the rows. Nothing was written, and a retry may work."""
    return error_code(error) in _CONFLICTS or any(code in _CONFLICTS for code in _cancellation_codes(error))


def refusals(error: BaseException) -> dict[int, dict[str, Any] | None]:
    """The writes that a cancelled transaction refused because their conditions did not hold: by position, the stored row if
    the request asked for it. Empty for other errors."""
    return {
        position: reason.get("Item")
        for position, reason in enumerate(_cancellation_reasons(error))
        if reason.get("Code") == "ConditionalCheckFailed"
    }


def item_in(error: BaseException) -> dict[str, Any] | None:
    """The row that a failed condition met, if the request asked for it with ``ReturnValuesOnConditionCheckFailure``."""
    return _answer_of(error).get("Item")


def _answer_of(error: BaseException) -> dict[str, Any]:
    return dict(error.response) if isinstance(error, ClientError) else {}


def _cancellation_reasons(error: BaseException) -> list[dict[str, Any]]:
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html: one reason per write, in their
    # order, "None" for a write that would have succeeded.
    return _answer_of(error).get("CancellationReasons") or []


def _cancellation_codes(error: BaseException) -> set[str]:
    return {str(reason.get("Code")) for reason in _cancellation_reasons(error)} - {"None"}


def retry_throttled_once(
    call: Callable[[], Result],
    *,
    sleep: Callable[[float], None] = time.sleep,
    on_retry: Callable[[], None] = lambda: None,
) -> Result:
    """Run ``call``; after ``ProvisionedThroughputExceededException``, and nothing else, wait 500 ms and run it once more.

    ``on_retry`` is called before the wait. The caller gets every other error, and the second throttle, unchanged.
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
    """Run ``send`` as :func:`retry_throttled_once` does. For calls without a condition: a refused condition is an answer.

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
    """The error of :mod:`lib.platform.errors` for an AWS call's error, with ``doing`` ("read the lease") in its text."""
    if isinstance(error, ClientError):
        return _translate_answer(error, doing)
    if isinstance(error, ConnectionError):
        return errors.UnavailableError(f"could not {doing}: no connection ({type(error).__name__})")
    if isinstance(error, ReadTimeoutError):
        return errors.DeadlineExceededError(f"could not {doing}: no answer within the read timeout")
    if isinstance(error, HTTPClientError | IncompleteReadError):
        return errors.ConnectionLostError(f"could not {doing}: the connection broke ({type(error).__name__})")
    if isinstance(error, NoCredentialsError):
        return errors.PermanentError(NO_CREDENTIALS)
    # botocore refused to send: wrong parameters or no region.
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
        return errors.ServerFaultError(text)
    return errors.PermanentError(text)
