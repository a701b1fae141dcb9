"""Each arrival is one event, with its outcome and reason as the log lines of its function give them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lib.operations.arrivals import Event, Outcome, events_of
from lib.operations.flows import Flow
from lib.operations.log_search import LogLine

UPDATED, LINKED = "jira:issue_updated", "issuelink_created"
AT = datetime(2026, 1, 22, 15, tzinfo=UTC)


def line(function: str, message: str, *, seconds: float = 0, level: str = "INFO", **fields: Any) -> LogLine:
    """A line that a function logged."""
    at = AT + timedelta(seconds=seconds)
    return LogLine(
        at=at, function=function, level=level, message=message, fields=fields, event_id=f"{function}{seconds}{message}"
    )


def only(*lines: LogLine) -> Event:
    """The only event of the lines."""
    (event,) = events_of(lines)
    return event


def request(function: str, path: str, status: int, **fields: Any) -> LogLine:
    """The line of every HTTP request."""
    return line(function, "http_request", seconds=1, method="POST", path=path, http_status=status, run_id="run-1", **fields)


def test_a_lease_event_is_sent_on_its_channels() -> None:
    event = only(
        line("notification", "lease_schema", event_id="e1", run_id="r1", lease_uuid="u1"),
        line("notification", "lease_event", seconds=1, event_id="e1", run_id="r1", detail_type="LeaseApproved",
             channels={"slack": "sent", "sns": "sent", "teams": "duplicate"},
             event_source="InnovationSandbox", duration_ms=84.2),
    )  # fmt: skip

    assert (event.id, event.flow, event.type, event.about) == ("e1", Flow.LEASES, "LeaseApproved", "u1")
    assert (event.outcome, event.result) == (Outcome.DONE, "sent on slack, sns; sent before on teams")
    assert (event.source, event.duration_ms, event.attempts) == ("InnovationSandbox", 84.2, 1)
    assert (event.received_at, event.at) == (AT, AT + timedelta(seconds=1))


def test_the_attempts_of_an_event_are_one_row() -> None:
    event = only(
        line("notification", "lease_event", event_id="e1", run_id="r1", detail_type="LeaseFrozen",
             channels={"slack": "failed", "sns": "sent"}),
        line("notification", "event_failed", seconds=0.1, event_id="e1", run_id="r1", error="UnavailableError",
             error_text="not sent on slack"),
        line("notification", "lease_event", seconds=60, event_id="e1", run_id="r1", detail_type="LeaseFrozen",
             channels={"slack": "sent", "sns": "duplicate"}),
    )  # fmt: skip

    assert (event.outcome, event.attempts) == (Outcome.DONE, 2)
    assert event.at == AT + timedelta(seconds=60)


def test_an_event_that_failed_on_a_channel_has_failed() -> None:
    event = only(
        line("notification", "lease_event", event_id="e1", detail_type="LeaseFrozen", channels={"slack": "failed"}),
        line(
            "notification", "event_failed", seconds=1, event_id="e1", error="UnavailableError", error_text="not sent on slack"
        ),
    )

    assert (event.outcome, event.type, event.reason) == (Outcome.FAILED, "LeaseFrozen", "UnavailableError: not sent on slack")


@pytest.mark.parametrize(("message", "result"), [("event_dropped", "dropped"), ("event_too_old", "too old")])
def test_an_event_that_is_not_sent_says_why(message: str, result: str) -> None:
    event = only(line("notification", message, event_id="e1", detail_type="LeaseRequested", reason="a rule drops it"))

    assert (event.outcome, event.result, event.reason) == (Outcome.IGNORED, result, "a rule drops it")


def test_an_unreadable_event_has_the_id_of_its_invocation() -> None:
    event = only(line("notification", "event_failed", run_id="r9", error="InvalidInputError", error_text="no detail-type"))

    assert (event.id, event.outcome, event.type) == ("r9", Outcome.FAILED, "lease event")


@pytest.mark.parametrize(
    ("fields", "outcome", "shown"),
    [
        ({"status": "stored", "event_type": UPDATED, "issue_key": "TES-1"}, Outcome.DONE, (UPDATED, "TES-1")),
        ({"status": "duplicate", "event_type": UPDATED, "issue_key": "TES-1"}, Outcome.IGNORED, (UPDATED, "TES-1")),
        ({"status": "accepted", "event_type": LINKED, "fetching": ["1", "2"]}, Outcome.DONE, (LINKED, "1, 2")),
        ({"status": "ignored", "reason": "of no use"}, Outcome.IGNORED, ("delivery", "")),
    ],
)  # fmt: skip
def test_a_delivery_of_jira(fields: dict[str, Any], outcome: Outcome, shown: tuple[str, str]) -> None:
    delivery = line("webhooks", "webhook_delivery", run_id="run-1", source="jira", **fields)

    event = only(delivery, request("webhooks", "/webhooks/jira", 202, duration_ms=12.5))

    assert (event.id, event.flow, event.source) == ("run-1", Flow.JIRA, "jira")
    assert (event.outcome, event.result, (event.type, event.about)) == (outcome, fields["status"], shown)
    assert (event.reason, event.duration_ms) == (fields.get("reason", ""), 12.5)


def test_a_push_names_its_first_issues() -> None:
    keys = ["TES-1", "TES-2", "TES-3", "TES-4", "TES-5"]
    event = only(line("webhooks", "webhook_delivery", run_id="r1", source="commits", status="stored", issue_keys=keys))

    assert (event.type, event.source, event.about) == ("push", "commits", "TES-1, TES-2, TES-3 and 2 others")


def test_a_refused_request_says_why_and_what_it_was() -> None:
    refused = line("webhooks", "request_refused", run_id="run-1", reason="the signature is wrong", http_status=401)

    event = only(refused, request("webhooks", "/webhooks/commits", 401))

    assert (event.outcome, event.result, event.reason) == (Outcome.REFUSED, "HTTP 401", "the signature is wrong")
    assert (event.type, event.source) == ("push", "commits")


@pytest.mark.parametrize(("status", "outcome"), [(413, Outcome.REFUSED), (500, Outcome.FAILED)])
def test_a_request_that_no_view_saw_is_an_event(status: int, outcome: Outcome) -> None:
    event = only(request("approvals", "/drafts", status))

    assert (event.outcome, event.type, event.result) == (outcome, "draft", f"HTTP {status}")


def test_other_requests_are_not_events() -> None:
    assert events_of([request("shuttle", "/shuttle/shops/a/jobs", 202), line("health", "health_report", run_id="r1")]) == []


def test_a_draft_and_a_click() -> None:
    events = events_of(
        [
            line("approvals", "draft_submitted", run_id="r1", session_id="chat-7", state="PREVIEW",
                 principal="arn:aws:iam::1:role/bot", replaced="abc"),
            line("approvals", "click", seconds=5, run_id="r2", session_id="chat-7", decision="approve", verdict="not_allowed"),
            line("approvals", "interaction_ignored", seconds=9, run_id="r3", reason="of another app"),
        ]
    )  # fmt: skip

    assert [(event.type, event.about, event.outcome, event.result) for event in events] == [
        ("click", "", Outcome.IGNORED, "ignored"),
        ("click approve", "chat-7", Outcome.REFUSED, "not allowed"),
        ("draft", "chat-7", Outcome.DONE, "PREVIEW"),
    ]
    assert (events[2].source, events[2].reason) == ("arn:aws:iam::1:role/bot", "it replaces draft abc")


@pytest.mark.parametrize(
    ("status", "outcome"), [("COMPLETED", Outcome.DONE), ("FAILED", Outcome.FAILED), ("CANCELLED", Outcome.IGNORED)]
)
def test_a_job_ends_as_its_run_does(status: str, outcome: Outcome) -> None:
    event = only(
        line("shuttle", "job_created", run_id="r1", job_id="j1", shop_domain="a.example", file_bytes=12),
        line("shuttle", "http_request", seconds=0.1, run_id="r1", method="POST", path="/shuttle/shops/a/jobs", http_status=202),
        LogLine(at=AT + timedelta(seconds=30), function="imports", level="INFO", message="import_run", event_id="x",
                fields={"run_id": "r2", "job_id": "j1", "shop_domain": "a.example", "status": status, "seconds": 2.5}),
    )  # fmt: skip

    assert (event.id, event.flow, event.type, event.source) == ("j1", Flow.JOBS, "import", "a.example")
    assert (event.outcome, event.result, event.duration_ms, event.attempts) == (outcome, status.lower(), 2500, 1)


def test_a_run_that_broke_is_an_event_of_its_message() -> None:
    event = only(
        line("imports", "import_failed", run_id="r1", messages=["m1"], error="UnavailableError", error_text="S3 is down")
    )

    assert (event.id, event.outcome, event.reason) == ("m1", Outcome.FAILED, "UnavailableError: S3 is down")


def test_events_show_nothing_personal() -> None:
    lines: Sequence[LogLine] = (
        line("notification", "event_failed", event_id="ada@example.com", error="X", error_text="Bearer abcdefghijklmnop"),
        line("notification", "lease_event", event_id="e2", detail_type="of ada@example.com", event_source="ada@example.com"),
    )

    for event in events_of(lines):
        text = str(event.to_json())
        assert "ada@" not in text
        assert "abcdefghijklmnop" not in text
