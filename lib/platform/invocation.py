"""One invocation of a function by an event that is not an HTTP request (:mod:`lib.web.wsgi` answers those)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lib.platform import errors
from lib.platform.log import Logger, scrub


@contextmanager
def run(logger: Logger, context: Any, event_id: str | None = None) -> Iterator[str]:
    """Begin the log lines of an invocation, and log its failure as ``event_failed``. Yields the run id.

    The runtime prints what leaves the handler as it is. So the text of an error is scrubbed, and a defect, whose text may
    contain a part of the event, leaves only its class.

    Raises:
        SwitchboardError: the invocation failed.
    """
    run_id = str(context.aws_request_id)
    logger.start_run(run_id, event_id)
    try:
        yield run_id
    except errors.SwitchboardError as error:
        logger.error("event_failed", error)
        error.args = (scrub(str(error)),)
        raise
    except Exception as error:
        logger.defect("event_failed", error)
        raise errors.SwitchboardError(f"the event could not be handled: {type(error).__name__}") from None


def seconds_left(context: Any) -> Callable[[], float]:
    """A function that returns how many seconds of the invocation are left."""
    return lambda: float(context.get_remaining_time_in_millis()) / 1000
