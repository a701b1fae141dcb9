"""Events are read from the newest back, page by page, within bounds."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from lib.operations import events
from lib.operations.arrivals import PATTERNS, Outcome
from lib.operations.events import EventReader, Filters, Page
from lib.operations.flows import Flow
from lib.platform import clock, errors
from lib.platform.log import hash_email
from stack.local import filter_patterns
from tests.support.operations.deployment import FUNCTIONS, Deployment

DAY = timedelta(days=1)


def page(deployment: Deployment, until: datetime | None = None, limit: int = 50, filters: Filters | None = None) -> Page:
    now = clock.utc_now()
    return EventReader(deployment.client("logs"), FUNCTIONS).page(filters or Filters(), now - DAY, until or now, limit)


def deliver(deployment: Deployment, number: int, ago: timedelta, status: str = "stored") -> None:
    about: dict[str, Any] = {"source": "jira", "event_type": "jira:issue_updated", "issue_key": f"TES-{number}"}
    deployment.log("webhooks", "webhook_delivery", run_id=f"run-{number}", status=status, **about, ago=ago)


def test_pages_go_back_in_time_and_repeat_nothing(deployment: Deployment) -> None:
    for number in range(7):
        deliver(deployment, number, timedelta(minutes=1 + 3 * number))

    first = page(deployment, limit=3)
    second = page(deployment, first.until, limit=3)
    third = page(deployment, second.until, limit=3)

    assert [[event.about for event in each.events] for each in (first, second, third)] == [
        ["TES-0", "TES-1", "TES-2"],
        ["TES-3", "TES-4", "TES-5"],
        ["TES-6"],
    ]
    assert third.until is None
    assert first.problems == ()


def test_an_old_event_is_found_without_a_page_of_newer_ones(deployment: Deployment) -> None:
    deliver(deployment, 1, timedelta(hours=20))

    assert [event.about for event in page(deployment).events] == ["TES-1"]


def test_an_event_before_the_time_is_not_shown(deployment: Deployment) -> None:
    deliver(deployment, 1, timedelta(hours=25))

    found = page(deployment)

    assert (found.events, found.until) == ((), None)


def test_a_job_that_ran_long_after_its_order_is_one_row(deployment: Deployment) -> None:
    about: dict[str, Any] = {"job_id": "job-1", "shop_domain": "a.example"}
    deployment.log("shuttle", "job_created", run_id="r1", **about, ago=timedelta(hours=3))
    deployment.log("imports", "import_run", run_id="r2", **about, kind="EXPORT", status="COMPLETED")

    assert [(event.id, event.type, event.result) for event in page(deployment).events] == [("job-1", "export", "completed")]


def test_an_attempt_whose_retry_is_on_the_page_before_is_not_repeated(deployment: Deployment) -> None:
    deployment.log("notification", "event_failed", event_id="e1", run_id="r1", error="X", ago=timedelta(minutes=5))
    deployment.log(
        "notification", "lease_event", event_id="e1", run_id="r1", channels={"sns": "sent"}, ago=timedelta(minutes=3)
    )

    first = page(deployment)
    second = page(deployment, clock.utc_now() - timedelta(minutes=4))

    assert [(event.attempts, event.outcome) for event in first.events] == [(2, Outcome.DONE)]
    assert second.events == ()


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"flow": Flow.LEASES}, ["u1"]),
        ({"flow": Flow.JIRA}, ["TES-1", "TES-2"]),
        ({"outcome": Outcome.IGNORED}, ["TES-2"]),
        ({"type": "ISSUE_updated"}, ["TES-1", "TES-2"]),
        ({"text": "tes-2"}, ["TES-2"]),
        ({"text": "ada@example.com"}, ["u1"]),
        ({"text": "nothing of that"}, []),
    ],
)
def test_filters(deployment: Deployment, filters: dict[str, Any], found: list[str]) -> None:
    about: dict[str, Any] = {"lease_uuid": "u1", "detail_type": "LeaseFrozen", "who": hash_email("ada@example.com")}
    deployment.log("notification", "lease_event", event_id="e1", channels={"sns": "sent"}, **about)
    deliver(deployment, 1, timedelta(seconds=5))
    deliver(deployment, 2, timedelta(seconds=9), status="duplicate")

    assert [event.about for event in page(deployment, filters=Filters(**filters)).events] == found


def test_a_busy_time_is_read_in_shorter_slices(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_LINES", 5)
    monkeypatch.setattr(events, "_MARGIN", timedelta(0))
    for number in range(20):
        deliver(deployment, number, timedelta(seconds=20 + 30 * number))

    first = page(deployment, limit=2)

    assert [event.about for event in first.events] == ["TES-0", "TES-1"]


def test_a_page_of_a_rare_kind_stops_and_the_next_continues(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_READ", 5)
    for number in range(10):
        deliver(deployment, number, timedelta(minutes=1 + number))
    deliver(deployment, 99, timedelta(hours=2), status="ignored")
    rare = Filters(outcome=Outcome.IGNORED)

    first = page(deployment, filters=rare)
    second = page(deployment, first.until, filters=rare)

    assert (first.events, first.until is None) == ((), False)
    assert [event.about for event in second.events] == ["TES-99"]


@pytest.mark.parametrize(
    ("function", "line", "is_read"),
    [
        ("webhooks", {"message": "http_request", "method": "POST", "path": "/webhooks/jira"}, True),
        ("webhooks", {"message": "http_request", "method": "GET", "path": "/health"}, False),
        ("shuttle", {"message": "http_request", "method": "POST", "path": "/shuttle/shops/a/jobs"}, True),
        ("shuttle", {"message": "http_request", "method": "GET", "path": "/shuttle/shops/a/jobs"}, False),
        ("notification", {"message": "lease_event"}, True),
        ("notification", {"message": "notification_sent"}, False),
        ("approvals", {"message": "request_refused"}, True),
    ],
)
def test_only_lines_of_arrivals_are_read_from_cloudwatch(function: str, line: dict[str, str], is_read: bool) -> None:
    assert filter_patterns.compiled(PATTERNS[function])(json.dumps(line)) is is_read
    assert len(PATTERNS[function]) <= 1024, "CloudWatch's limit"


def test_a_time_that_ends_before_it_begins_has_no_events(deployment: Deployment) -> None:
    now = clock.utc_now()

    found = EventReader(deployment.client("logs"), FUNCTIONS).page(Filters(), now, now - DAY, 50)

    assert (found.events, found.until) == ((), None)


def test_a_log_that_can_not_be_read_is_a_problem(deployment: Deployment) -> None:
    deployment.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{FUNCTIONS['shuttle']}")
    deliver(deployment, 1, timedelta(seconds=5))

    found = page(deployment)

    assert [event.about for event in found.events] == ["TES-1"]
    assert found.problems == (), "a function that has logged nothing has no log group"


def test_one_event_is_found_by_its_id(deployment: Deployment) -> None:
    deliver(deployment, 1, timedelta(seconds=5))
    deliver(deployment, 2, timedelta(seconds=5))
    reader = EventReader(deployment.client("logs"), FUNCTIONS)

    assert reader.find("run-2", clock.utc_now() - DAY).about == "TES-2"
    with pytest.raises(errors.NotFoundError, match="no event 'run-3'"):
        reader.find("run-3", clock.utc_now() - DAY)
