"""The error for an HTTP request that failed, sent by ``urllib``, ``urllib3`` or ``requests``.

It decides whether the request may be sent again. It imports none of the three, since each of them slows down a cold start.
"""

from collections.abc import Iterator

from lib.platform import errors

# Names of exceptions and of their parents.
_NOTHING_SENT = frozenset({"ConnectTimeoutError", "NewConnectionError", "SSLCertVerificationError"})
_NO_ANSWER_IN_TIME = frozenset({"Timeout", "TimeoutError"})
_UNREADABLE = frozenset({"JSONDecodeError", "UnicodeDecodeError"})
# urllib raises URLError until the whole request is sent, so with one of these a part of it may be.
_PERHAPS_SENT = frozenset({"BrokenPipeError", "ConnectionResetError", "SSLError", "TimeoutError"})


def of_status(status: int, text: str) -> errors.SwitchboardError:
    """The error for a status other than success, if the service has no code of its own that says more."""
    if status == 429:
        return errors.ThrottledError(text)
    if status == 503:
        return errors.UnavailableError(text)
    if status >= 500:
        return errors.ConnectionLostError(text)
    return errors.PermanentError(text)


def no_answer(service: str, doing: str, error: BaseException | None) -> errors.SwitchboardError:
    """The error for a missing or unreadable answer, with no text of the library: it can hold a URL or a token.

    A connection that can't be made, or a certificate that is not trusted, fails before the request is sent. Any other error of
    TLS may break a handshake, or a connection on which the request was sent.

    Args:
        service: did not answer.
        doing: what was attempted, after "could not".
        error: what the library raised.
    """
    causes = list(_causes(error))
    names = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    name = type(causes[-1] if causes else None).__name__
    if names & _NOTHING_SENT or ("URLError" in names and not names & _PERHAPS_SENT):
        return errors.UnavailableError(f"could not {doing}: {service} can't be reached ({name})")
    if names & _NO_ANSWER_IN_TIME:
        return errors.DeadlineExceededError(f"could not {doing}: {service} did not answer in time")
    if names & _UNREADABLE:
        return errors.ConnectionLostError(f"could not {doing}: {service}'s answer can't be read ({name})")
    return errors.ConnectionLostError(f"could not {doing}: the connection to {service} broke ({name})")


def _causes(error: object) -> Iterator[BaseException]:
    """The error and those it wraps: in ``reason``, or as its first argument."""
    while isinstance(error, BaseException):
        yield error
        reason = getattr(error, "reason", None)
        error = reason if isinstance(reason, BaseException) else next(iter(error.args), None)
