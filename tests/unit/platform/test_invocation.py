"""An invocation fails with one log line, and what leaves the handler holds nothing personal."""

import pytest

from lib.platform import errors, invocation
from lib.platform.log import Logger
from tests.support.aws.lambda_context import LambdaContext
from tests.support.observability.log_lines import LogLines

EMAIL = "ada@example.com"


def failed(raised: Exception) -> tuple[Exception, dict[str, str]]:
    """What leaves an invocation that raises an error, and its log line."""
    logger, lines = Logger("test"), LogLines("test")
    with pytest.raises(errors.SwitchboardError) as failure, invocation.run(logger, LambdaContext("run-1"), "event-1"):
        raise raised
    return failure.value, lines.only("event_failed")


def test_an_error_leaves_scrubbed_with_its_class() -> None:
    error, line = failed(errors.UnavailableError(f"no answer for {EMAIL}"))

    assert type(error) is errors.UnavailableError
    assert str(error).startswith("no answer for email:")
    assert (line["error"], line["error_text"]) == ("UnavailableError", str(error))
    assert (line["run_id"], line["event_id"]) == ("run-1", "event-1")


def test_a_defect_leaves_only_its_class() -> None:
    error, line = failed(KeyError(EMAIL))

    assert str(error) == "the event could not be handled: KeyError"
    assert error.__suppress_context__
    assert "Traceback" in line["exception"]
    assert EMAIL not in str(line)
