"""Every function that handles events writes one log line for an event that fails."""

from typing import Any

import pytest

from lib.platform import errors
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import moto_inside
from tests.support.observability.log_lines import LogLines
from tests.unit.handlers.test_cold_start import VARIABLES

EVENTS: dict[str, Any] = {
    "approvals": {"mode": "sweep"},
    "backfill": {"Records": 7},
    "health": {"mode": "shallow"},
    "imports": {"mode": "sweep"},
    "jira_worker": {"Records": 7},
    "notification": {},
    "reconciliation": {"mode": "shallow"},
}
"""By function, an event that fails where there are no tables."""
SETTINGS = {"NOTIFY_CHANNELS": "sns", "APPROVAL_EXPIRY_DAYS": "14"}


@pytest.mark.parametrize("entry_point", EVENTS)
def test_an_event_that_fails_is_one_log_line(monkeypatch: pytest.MonkeyPatch, entry_point: str) -> None:
    with moto_inside(monkeypatch):
        function, lines = load(monkeypatch, entry_point, VARIABLES | SETTINGS), LogLines(entry_point)

        with pytest.raises(errors.SwitchboardError) as failure:
            function.lambda_handler(EVENTS[entry_point], LambdaContext("run-1"))

    line = lines.only("event_failed")
    assert (line["run_id"], line["error"], line["error_text"]) == ("run-1", type(failure.value).__name__, str(failure.value))
