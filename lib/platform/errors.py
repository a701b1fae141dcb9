"""One class per cause, grouped into retryable, permanent and ambiguous, and the one map from a cause to an HTTP answer.

* retryable: nothing happened; the same call may work later.
* permanent: nothing happened, and the same call will fail again.
* ambiguous: the effect may have happened; check before repeating the call.

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
    """The effect may have happened. Check before repeating the call."""


class InvalidInputError(PermanentError):
    """The caller sent something that can't be read or breaks the contract.

    Attributes:
        code: the error code in an HTTP answer. A subclass that callers handle separately has its own.
    """

    code = "malformed"


class LimitReachedError(InvalidInputError):
    """The caller has reached a limit."""

    code = "limit_reached"


class PayloadTooLargeError(PermanentError):
    """The caller sent more than is accepted."""


class UnauthenticatedError(PermanentError):
    """The signature is missing, malformed or wrong, or no secret is configured to verify it."""


class AccessDeniedError(PermanentError):
    """AWS does not grant the call to the role or the credentials that made it."""


class CredentialRefusedError(PermanentError):
    """A service refused our secret: it is wrong, revoked or rotated. Nothing happened."""


class NotFoundError(PermanentError):
    """The requested thing does not exist."""


class ResourceMissingError(NotFoundError):
    """A table, a secret or another AWS resource of the stack does not exist."""


class ConfigurationError(PermanentError):
    """A setting in the function's environment is missing or wrong."""


class NotSetUpError(ConfigurationError):
    """The deployment lacks settings that this request needs. Its message, which names them, is shown to the caller."""


class ThrottledError(RetryableError):
    """The service asked to slow down."""


class UnavailableError(RetryableError):
    """The service refused the connection or reported that it is unavailable: nothing happened."""


class DeadlineExceededError(AmbiguousError):
    """No answer came within the time allowed."""


class ServerFaultError(AmbiguousError):
    """AWS answered that it failed (5xx). A write may have happened before."""


class ConnectionLostError(AmbiguousError):
    """The connection broke after the request may have been sent."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The HTTP answer to an error: status, a short code and, if a retry may work, the seconds to wait."""

    status: int
    code: str
    retry_after_seconds: int | None = None


# The first match counts, so a subclass comes before its parent. 409 is never used: Jira would send the delivery again.
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

    A cause on our side (a missing grant, a wrong setting, a defect) is 503 with Retry-After: senders retry 5xx and drop an
    event on 4xx.
    """
    answer = next((answer for kind, answer in _HTTP if isinstance(error, kind)), _UNKNOWN)
    return replace(answer, code=error.code) if isinstance(error, InvalidInputError) else answer
