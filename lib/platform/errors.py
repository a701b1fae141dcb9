"""One class per cause, sorted into retryable, permanent and ambiguous, and the one map from a cause to an HTTP answer.

* retryable: nothing happened; the same call may work later.
* permanent: nothing happened, and the same call will fail again.
* ambiguous: the effect may have happened; look before doing it again.

A message says what was wrong and with which value, and never holds a secret or an e-mail address.
"""

from dataclasses import dataclass, replace


class SwitchboardError(Exception):
    """The root of every error that Switchboard raises on purpose."""


class RetryableError(SwitchboardError):
    """Nothing happened, and the same call may work later."""


class PermanentError(SwitchboardError):
    """Nothing happened, and the same call will fail again."""


class AmbiguousError(SwitchboardError):
    """The effect may have happened. Look before doing it again."""


class InvalidInputError(PermanentError):
    """The caller sent something that can't be read or breaks the contract.

    Attributes:
        code: what a caller over HTTP is told; a subclass whose cause a caller handles by itself has one of its own.
    """

    code = "malformed"


class LimitReachedError(InvalidInputError):
    """The caller has used up what it may."""

    code = "limit_reached"


class PayloadTooLargeError(PermanentError):
    """The caller sent more than the way in takes."""


class UnauthenticatedError(PermanentError):
    """The signature is missing, malformed or wrong, or no secret is set to check it with."""


class AccessDeniedError(PermanentError):
    """The function's own role does not grant the AWS call, or Jira does not let the token's account do it."""


class CredentialRefusedError(PermanentError):
    """A service does not take the secret that it was given: it is wrong, revoked or rotated. Nothing happened."""


class NotFoundError(PermanentError):
    """The thing named is not there."""


class ResourceMissingError(NotFoundError):
    """A table, a secret or another AWS resource that the stack should have made is not there."""


class ConfigurationError(PermanentError):
    """The function's environment lacks something or holds a wrong value."""


class ThrottledError(RetryableError):
    """The service asked to slow down."""


class UnavailableError(RetryableError):
    """The service refused the connection, or said that it is not there for now: nothing happened."""


class DeadlineExceededError(AmbiguousError):
    """No answer came within the time allowed."""


class ConnectionLostError(AmbiguousError):
    """The connection broke after the request may have been sent."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a caller over HTTP is told of an error: status, a short code and, for a retry, after how many seconds."""

    status: int
    code: str
    retry_after_seconds: int | None = None


# First match wins, so that a subclass stands before its parent. 409 is never used: Jira would send the delivery again.
_HTTP: tuple[tuple[type[SwitchboardError], HttpAnswer], ...] = (
    (UnauthenticatedError, HttpAnswer(401, "unauthenticated")),
    (PayloadTooLargeError, HttpAnswer(413, "too_large")),
    (ResourceMissingError, HttpAnswer(503, "misconfigured", retry_after_seconds=60)),
    (NotFoundError, HttpAnswer(404, "not_found")),
    (LimitReachedError, HttpAnswer(429, LimitReachedError.code)),
    (InvalidInputError, HttpAnswer(400, InvalidInputError.code)),
    (ThrottledError, HttpAnswer(503, "throttled", retry_after_seconds=1)),
    (RetryableError, HttpAnswer(503, "unavailable", retry_after_seconds=5)),
    (AmbiguousError, HttpAnswer(503, "unavailable", retry_after_seconds=5)),
    (PermanentError, HttpAnswer(503, "misconfigured", retry_after_seconds=60)),
)
_UNKNOWN = HttpAnswer(503, "unavailable", retry_after_seconds=5)


def http_answer(error: BaseException) -> HttpAnswer:
    """The HTTP answer to an error.

    A cause on our side (a missing grant, a wrong environment, a defect) is 503 with Retry-After: senders retry 5xx and
    lose an event on 4xx.
    """
    answer = next((answer for kind, answer in _HTTP if isinstance(error, kind)), _UNKNOWN)
    return replace(answer, code=error.code) if isinstance(error, InvalidInputError) else answer
