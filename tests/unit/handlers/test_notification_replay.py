"""No event is sent twice, however late it is repeated: claims are kept for 400 days, and older events are not sent."""

import json
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from lib.leases.events import MAX_CLOCK_SKEW
from lib.notifications.delivery import CLAIMS_KEPT
from lib.platform import clock
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_cloud import MotoCloud
from tests.support.leases.builders import ABSENT, lease_event
from tests.support.observability.emf import names_in
from tests.support.observability.log_lines import LogLines
from tests.support.web.events import http_event, signature, status_and_body
from tests.unit.handlers.conftest import NOW, WEBHOOK_SECRET

JUST_YOUNG_ENOUGH = CLAIMS_KEPT - MAX_CLOCK_SKEW - timedelta(seconds=1)
TOO_OLD = CLAIMS_KEPT - MAX_CLOCK_SKEW
REASON = "the event is older than 399 days"


def event_of_age(age: timedelta) -> dict[str, Any]:
    return lease_event(time=clock.canonical(NOW - age))


def post(notification: ModuleType, event: dict[str, Any]) -> tuple[int, Any]:
    body = json.dumps(event)
    request = http_event("POST", "/events", body, signature(WEBHOOK_SECRET, body))
    return status_and_body(notification.lambda_handler(request, LambdaContext()))


@pytest.mark.parametrize("age", [timedelta(days=15), timedelta(days=28), JUST_YOUNG_ENOUGH], ids=str)
def test_a_late_event_is_sent_once(notification: ModuleType, cloud: MotoCloud, age: timedelta) -> None:
    answers = [notification.lambda_handler(event_of_age(age), LambdaContext())["channels"] for _ in range(2)]

    assert answers == [{"sns": "sent"}, {"sns": "duplicate"}]
    assert len(cloud.published()) == 1


@pytest.mark.parametrize("age", [TOO_OLD, timedelta(days=20_000)], ids=str)
def test_an_event_older_than_its_claims_is_not_sent(
    notification: ModuleType, cloud: MotoCloud, lines: LogLines, capsys: pytest.CaptureFixture[str], age: timedelta
) -> None:
    answer = notification.lambda_handler(event_of_age(age), LambdaContext())

    assert answer == {"event_id": lease_event()["id"], "detail_type": "LeaseExpired", "reason": REASON}
    assert (cloud.published(), cloud.claims()) == ([], {})
    assert lines.only("event_too_old")["event_time"] == clock.canonical(NOW - age)
    assert names_in(capsys.readouterr().out) == ["NotificationTooOld"]


def test_an_event_older_than_its_claims_is_ignored_over_http(notification: ModuleType, cloud: MotoCloud) -> None:
    status, answer = post(notification, event_of_age(TOO_OLD))

    assert (status, answer["status"], answer["reason"]) == (202, "ignored", REASON)
    assert cloud.published() == []


def test_the_claim_on_a_dated_event_expires_after_400_days(notification: ModuleType, cloud: MotoCloud) -> None:
    notification.lambda_handler(lease_event(), LambdaContext())

    assert expiries(cloud) == [400]


@pytest.mark.parametrize(
    "time",
    [ABSENT, "yesterday", clock.canonical(NOW + MAX_CLOCK_SKEW + timedelta(seconds=1)), "9999-12-30T00:00:00Z"],
    ids=repr,
)
def test_an_undated_event_is_sent_once(notification: ModuleType, cloud: MotoCloud, time: Any) -> None:
    answers = [post(notification, lease_event(time=time))[1]["status"] for _ in range(2)]

    assert answers == ["accepted", "duplicate"]
    assert expiries(cloud) == [None]


def expiries(cloud: MotoCloud) -> list[int | None]:
    """After how many days each claim expires; None for never."""
    items = cloud.client("dynamodb").scan(TableName=cloud.operations_table_name)["Items"]
    created = [clock.epoch_s(clock.parse(item["created_at"]["S"])) for item in items]
    ends = [int(item["expires_at"]["N"]) if "expires_at" in item else None for item in items]
    return [None if end is None else (end - begin) // 86_400 for begin, end in zip(created, ends, strict=True)]
