"""Delivery: every channel once, and one channel's failure is no other's."""

from collections.abc import Callable
from typing import Any

import pytest

from lib.notifications.channels.base import NoRecipientError
from lib.notifications.delivery import Delivery, Outcome
from lib.notifications.message import Message
from lib.platform import errors, log
from lib.platform.claims import Claim, Verdict
from tests.support.leases.messages import message
from tests.support.observability.emf import metrics_in
from tests.support.observability.log_lines import LogLines


class Recorder:
    """A channel that keeps what it was sent, after raising each of ``failures`` once."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.sent: list[Message] = []
        self.tried = 0

    def send(self, message: Message) -> None:
        self.tried += 1
        if self._failures:
            raise self._failures.pop(0)
        self.sent.append(message)


class Table:
    """The claims, without leases: what was done stays done, what was released can be claimed."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[str, str]] = {}
        self.reasons: list[str] = []
        self.broken: set[str] = set()
        self.error: Exception = errors.UnavailableError("could not reach the table")

    def claim(self, session_id: str, operation_key: str, owner: str) -> Claim:
        self._fail("claim")
        status, _ = self.rows.get((session_id, operation_key), ("failed", ""))
        if status == "failed":
            self.rows[session_id, operation_key] = ("pending", owner)
        verdicts = {"failed": Verdict.WON, "pending": Verdict.HELD, "done": Verdict.DONE}
        return Claim(session_id, operation_key, owner, verdicts[status])

    def complete(self, claim: Claim) -> None:
        self._fail("complete")
        self.rows[claim.session_id, claim.operation_key] = ("done", claim.owner)

    def release(self, claim: Claim, reason: str) -> None:
        self._fail("release")
        self.rows[claim.session_id, claim.operation_key] = ("failed", claim.owner)
        self.reasons.append(reason)

    def _fail(self, step: str) -> None:
        if step in self.broken:
            raise self.error


Deliver = Callable[..., dict[str, Outcome]]


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def logger() -> log.Logger:
    return log.Logger("delivery-under-test")


@pytest.fixture
def lines(logger: log.Logger) -> LogLines:
    return LogLines("delivery-under-test")


@pytest.fixture
def deliver(table: Table, logger: log.Logger, lines: LogLines, monkeypatch: pytest.MonkeyPatch) -> Deliver:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "notification")
    attempts = iter(range(100))

    def run(**channels: Recorder) -> dict[str, Outcome]:
        owner = f"attempt-{next(attempts)}"
        return Delivery(channels, table, logger).deliver(message(), "event-1", owner)  # type: ignore[arg-type]

    return run


# Every channel, once


def test_every_channel_is_told(deliver: Deliver, table: Table) -> None:
    sns, slack = Recorder(), Recorder()

    assert deliver(sns=sns, slack=slack) == {"sns": Outcome.SENT, "slack": Outcome.SENT}
    assert (len(sns.sent), len(slack.sent)) == (1, 1)
    assert table.rows == {("event#event-1", "sns"): ("done", "attempt-0"), ("event#event-1", "slack"): ("done", "attempt-0")}


def test_a_retry_tells_nobody_twice(deliver: Deliver) -> None:
    sns = Recorder()
    deliver(sns=sns)

    assert deliver(sns=sns) == {"sns": Outcome.DUPLICATE}
    assert sns.tried == 1


def test_a_channel_that_fails_does_not_stop_another(deliver: Deliver) -> None:
    sns, slack, govuk = Recorder(), Recorder(errors.ThrottledError("Slack is busy")), Recorder()

    outcomes = deliver(sns=sns, slack=slack, govuk_notify=govuk)

    assert outcomes == {"sns": Outcome.SENT, "slack": Outcome.FAILED, "govuk_notify": Outcome.SENT}


def test_a_retry_tells_only_the_channel_that_failed(deliver: Deliver) -> None:
    sns, slack = Recorder(), Recorder(errors.ThrottledError("Slack is busy"))
    deliver(sns=sns, slack=slack)

    assert deliver(sns=sns, slack=slack) == {"sns": Outcome.DUPLICATE, "slack": Outcome.SENT}
    assert (len(sns.sent), len(slack.sent)) == (1, 1)


@pytest.mark.parametrize(
    "error",
    [errors.PermanentError("no"), errors.DeadlineExceededError("no answer"), KeyError("a defect"), RecursionError()],
    ids=repr,
)
def test_no_error_of_a_channel_gets_out(deliver: Deliver, error: Exception) -> None:
    assert deliver(slack=Recorder(error), sns=Recorder()) == {"slack": Outcome.FAILED, "sns": Outcome.SENT}


def test_while_another_attempt_holds_the_claim_nothing_is_sent(deliver: Deliver, table: Table) -> None:
    table.claim("event#event-1", "sns", "another")
    sns, slack = Recorder(), Recorder()

    assert deliver(sns=sns, slack=slack) == {"sns": Outcome.HELD, "slack": Outcome.SENT}
    assert sns.tried == 0


def test_a_channel_that_can_write_to_nobody_has_nothing_to_try_again(deliver: Deliver, lines: LogLines) -> None:
    govuk = Recorder(NoRecipientError("the event names nobody"))

    assert deliver(govuk_notify=govuk) == {"govuk_notify": Outcome.UNADDRESSED}
    assert lines.only("notification_unaddressed")["channel"] == "govuk_notify"
    assert deliver(govuk_notify=govuk) == {"govuk_notify": Outcome.DUPLICATE}


# A notification always goes out


def test_without_the_claims_it_is_sent_all_the_same(deliver: Deliver, table: Table, lines: LogLines) -> None:
    table.broken = {"claim"}
    sns = Recorder()

    assert deliver(sns=sns) == {"sns": Outcome.SENT}
    assert (sns.tried, table.rows) == (1, {})
    line = lines.only("notification_unclaimed")
    assert (line["level"], line["channel"], line["error"]) == ("WARNING", "sns", "UnavailableError")


def test_without_the_claims_a_failure_is_a_failure(deliver: Deliver, table: Table) -> None:
    table.broken = {"claim", "release"}
    assert deliver(sns=Recorder(errors.UnavailableError("away"))) == {"sns": Outcome.FAILED}


def test_what_was_sent_is_sent_though_it_could_not_be_recorded(deliver: Deliver, table: Table, lines: LogLines) -> None:
    table.broken = {"complete"}

    assert deliver(sns=Recorder()) == {"sns": Outcome.SENT}
    assert lines.only("notification_unrecorded")["channel"] == "sns"


def test_a_claim_that_could_not_be_released_is_held_until_it_runs_out(deliver: Deliver, table: Table, lines: LogLines) -> None:
    table.broken = {"release"}
    sns = Recorder(errors.UnavailableError("away"))

    assert deliver(sns=sns) == {"sns": Outcome.FAILED}
    assert lines.only("notification_unreleased")["channel"] == "sns"
    assert deliver(sns=sns) == {"sns": Outcome.HELD}


@pytest.mark.parametrize("step", ["claim", "complete"])
def test_even_a_defect_in_the_claims_stops_nothing(deliver: Deliver, table: Table, lines: LogLines, step: str) -> None:
    table.broken, table.error = {step}, KeyError("Item")

    assert deliver(sns=Recorder()) == {"sns": Outcome.SENT}
    assert "KeyError" in lines.text


# What is told of it


def test_each_outcome_is_counted_by_channel(deliver: Deliver, capsys: pytest.CaptureFixture[str]) -> None:
    deliver(sns=Recorder(), slack=Recorder(errors.ThrottledError("busy")))

    counted = [(metric.name, metric.dimensions["channel"], metric.value) for metric in metrics_in(capsys.readouterr().out)]
    assert counted == [("NotificationSent", "sns", 1), ("NotificationFailed", "slack", 1)]


def test_nothing_is_counted_for_what_was_not_tried(deliver: Deliver, table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    table.rows = {("event#event-1", "sns"): ("done", "x"), ("event#event-1", "slack"): ("pending", "x")}
    deliver(sns=Recorder(), slack=Recorder())
    assert metrics_in(capsys.readouterr().out) == []


def test_a_known_failure_is_told_in_the_row_and_in_a_line_without_a_stack(
    deliver: Deliver, table: Table, lines: LogLines
) -> None:
    deliver(slack=Recorder(errors.ThrottledError("Slack refused the message: ratelimited")))

    assert table.reasons == ["Slack refused the message: ratelimited"]
    line = lines.only("notification_failed")
    assert (line["channel"], line["error"]) == ("slack", "ThrottledError")
    assert "exception" not in line


def test_a_defect_is_told_with_its_stack_and_its_text_stays_out_of_the_row(
    deliver: Deliver, table: Table, lines: LogLines
) -> None:
    deliver(slack=Recorder(ValueError("rosa@example.org")))

    assert table.reasons == ["ValueError"]
    assert "Traceback" in lines.only("notification_failed")["exception"]


def test_nothing_personal_is_logged(deliver: Deliver, lines: LogLines) -> None:
    sent: Any = Recorder(errors.PermanentError("refused"))
    deliver(slack=sent)
    deliver(slack=sent)
    assert "rosa" not in lines.text
