"""Delivery: every channel sends once, and one channel's failure does not affect another."""

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
    """The claims, without leases: done is final, and a released claim can be claimed."""

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
        delivery = Delivery(channels, table, logger)  # type: ignore[arg-type]
        return delivery.deliver(message(), "event-1", owner, channels)

    return run


# Every channel, once


def test_every_channel_sends(deliver: Deliver, table: Table) -> None:
    sns, slack = Recorder(), Recorder()

    assert deliver(sns=sns, slack=slack) == {"sns": Outcome.SENT, "slack": Outcome.SENT}
    assert (len(sns.sent), len(slack.sent)) == (1, 1)
    assert table.rows == {("event#event-1", "sns"): ("done", "attempt-0"), ("event#event-1", "slack"): ("done", "attempt-0")}


def test_a_retry_sends_nothing_twice(deliver: Deliver) -> None:
    sns = Recorder()
    deliver(sns=sns)

    assert deliver(sns=sns) == {"sns": Outcome.DUPLICATE}
    assert sns.tried == 1


def test_a_channel_that_fails_does_not_stop_another(deliver: Deliver) -> None:
    sns, slack, govuk = Recorder(), Recorder(errors.ThrottledError("Slack is busy")), Recorder()

    outcomes = deliver(sns=sns, slack=slack, govuk_notify=govuk)

    assert outcomes == {"sns": Outcome.SENT, "slack": Outcome.FAILED, "govuk_notify": Outcome.SENT}


def test_a_retry_sends_only_on_the_channel_that_failed(deliver: Deliver) -> None:
    sns, slack = Recorder(), Recorder(errors.ThrottledError("Slack is busy"))
    deliver(sns=sns, slack=slack)

    assert deliver(sns=sns, slack=slack) == {"sns": Outcome.DUPLICATE, "slack": Outcome.SENT}
    assert (len(sns.sent), len(slack.sent)) == (1, 1)


@pytest.mark.parametrize(
    "error",
    [errors.PermanentError("no"), errors.DeadlineExceededError("no answer"), KeyError("a defect"), RecursionError()],
    ids=repr,
)
def test_no_error_of_a_channel_reaches_the_caller(deliver: Deliver, error: Exception) -> None:
    assert deliver(slack=Recorder(error), sns=Recorder()) == {"slack": Outcome.FAILED, "sns": Outcome.SENT}


def test_nothing_is_sent_while_another_attempt_holds_the_claim(deliver: Deliver, table: Table) -> None:
    table.claim("event#event-1", "sns", "another")
    sns, slack = Recorder(), Recorder()

    assert deliver(sns=sns, slack=slack) == {"sns": Outcome.HELD, "slack": Outcome.SENT}
    assert sns.tried == 0


def test_an_event_without_a_recipient_is_not_retried(deliver: Deliver, lines: LogLines) -> None:
    govuk = Recorder(NoRecipientError("the event names nobody"))

    assert deliver(govuk_notify=govuk) == {"govuk_notify": Outcome.UNADDRESSED}
    assert lines.only("notification_without_recipient")["channel"] == "govuk_notify"
    assert deliver(govuk_notify=govuk) == {"govuk_notify": Outcome.DUPLICATE}


# A notification is sent even if the claims fail


def test_a_message_is_sent_although_it_could_not_be_claimed(deliver: Deliver, table: Table, lines: LogLines) -> None:
    table.broken = {"claim"}
    sns = Recorder()

    assert deliver(sns=sns) == {"sns": Outcome.SENT}
    assert (sns.tried, table.rows) == (1, {})
    line = lines.only("claim_unavailable")
    assert (line["level"], line["channel"], line["error"]) == ("WARNING", "sns", "UnavailableError")


def test_a_failure_without_a_claim_is_a_failure(deliver: Deliver, table: Table) -> None:
    table.broken = {"claim", "release"}
    assert deliver(sns=Recorder(errors.UnavailableError("away"))) == {"sns": Outcome.FAILED}


def test_a_sent_message_counts_as_sent_although_not_recorded(deliver: Deliver, table: Table, lines: LogLines) -> None:
    table.broken = {"complete"}

    assert deliver(sns=Recorder()) == {"sns": Outcome.SENT}
    assert lines.only("claim_completion_failed")["channel"] == "sns"


def test_a_claim_that_could_not_be_released_is_held(deliver: Deliver, table: Table, lines: LogLines) -> None:
    table.broken = {"release"}
    sns = Recorder(errors.UnavailableError("away"))

    assert deliver(sns=sns) == {"sns": Outcome.FAILED}
    assert lines.only("claim_release_failed")["channel"] == "sns"
    assert deliver(sns=sns) == {"sns": Outcome.HELD}


@pytest.mark.parametrize("step", ["claim", "complete"])
def test_a_defect_in_the_claims_does_not_stop_sending(deliver: Deliver, table: Table, lines: LogLines, step: str) -> None:
    table.broken, table.error = {step}, KeyError("Item")

    assert deliver(sns=Recorder()) == {"sns": Outcome.SENT}
    assert "KeyError" in lines.text


# Metrics and log


def test_each_outcome_is_counted_by_channel(deliver: Deliver, capsys: pytest.CaptureFixture[str]) -> None:
    deliver(sns=Recorder(), slack=Recorder(errors.ThrottledError("busy")))

    counted = [(metric.name, metric.dimensions["channel"], metric.value) for metric in metrics_in(capsys.readouterr().out)]
    assert counted == [("NotificationSent", "sns", 1), ("NotificationFailed", "slack", 1)]


def test_nothing_is_counted_without_an_attempt(deliver: Deliver, table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    table.rows = {("event#event-1", "sns"): ("done", "x"), ("event#event-1", "slack"): ("pending", "x")}
    deliver(sns=Recorder(), slack=Recorder())
    assert metrics_in(capsys.readouterr().out) == []


def test_a_known_failure_is_recorded_and_logged_without_a_stack(deliver: Deliver, table: Table, lines: LogLines) -> None:
    deliver(slack=Recorder(errors.ThrottledError("Slack refused the message: ratelimited")))

    assert table.reasons == ["Slack refused the message: ratelimited"]
    line = lines.only("notification_failed")
    assert (line["channel"], line["error"]) == ("slack", "ThrottledError")
    assert "exception" not in line


def test_a_defect_is_logged_with_its_stack_and_recorded_by_name(deliver: Deliver, table: Table, lines: LogLines) -> None:
    deliver(slack=Recorder(ValueError("rosa@example.org")))

    assert table.reasons == ["ValueError"]
    assert "Traceback" in lines.only("notification_failed")["exception"]


def test_nothing_personal_is_logged(deliver: Deliver, lines: LogLines) -> None:
    sent: Any = Recorder(errors.PermanentError("refused"))
    deliver(slack=sent)
    deliver(slack=sent)
    assert "rosa" not in lines.text
