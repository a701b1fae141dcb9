"""Every event, with any content, has a message that every channel can send."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.leases.enrichment import Enrichment, Reason, Status
from lib.leases.events import EventType, LeaseEvent
from lib.leases.records import read_lease
from lib.notifications.channels import slack, sns, teams
from lib.notifications.channels.govuk_notify import personalisation
from lib.notifications.links import Console
from lib.notifications.message import Message, compose
from stack.local.standins.slack_blocks import block_errors
from tests.support.leases.builders import lease_item
from tests.support.project.examples import examples

SNS_BYTES = 256 * 1024
"""Message and attributes together."""

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        [
            10**400,
            "x" * 5000,
            "☎" * 5000,
            '"' * 5000,
            "&" * 5000,
            "\x00\ud800\u202e",
            "<!channel>",
            "0001-01-01T00:00:00Z",
            "a@b.org",
        ]
    )
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6
)
CAUSE = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["BudgetExceeded", "Expired", "ManuallyFrozen", "New"]) | VALUES,
        "triggeredBudgetThreshold": VALUES,
        "triggeredDurationThreshold": VALUES,
        "leaseDurationInHours": VALUES,
        "budget": VALUES,
        "totalSpend": VALUES,
        "comment": VALUES,
    },
)
FIELDS = [
    "userEmail",
    "uuid",
    "accountId",
    "awsAccountId",
    "budget",
    "maxBudget",
    "totalSpend",
    "budgetThresholdTriggered",
    "triggeredDurationThreshold",
    "leaseDurationInHours",
    "leaseExpirationDate",
    "actionRequested",
    "comments",
    "requiresManualApproval",
    "approvedBy",
    "regions",
    "errorType",
    "errorMessage",
]
DETAIL = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(FIELDS, VALUES),
        "leaseId": st.fixed_dictionaries({}, optional={"userEmail": VALUES, "uuid": VALUES}) | VALUES,
        "reason": CAUSE | VALUES,
    },
) | st.dictionaries(st.text(), VALUES, max_size=12)
TIMES = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - the zone comes with timezones=
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
)
EVENTS = st.builds(
    LeaseEvent,
    id=st.just("0b6c6f0e-3a1f-4f5e-8d7d-9a4e7a2f1c01"),
    detail_type=st.sampled_from(list(EventType)) | st.text(max_size=128),
    source=st.text(),
    time=TIMES,
    detail=DETAIL,
)


@st.composite
def records(draw: st.DrawFn) -> Enrichment:
    """An enrichment with a record that holds anything DynamoDB can hold, or with none."""
    if draw(st.booleans()):
        return Enrichment(draw(st.sampled_from(Status)), draw(st.none() | st.sampled_from(Reason)))
    number = st.builds(lambda value: {"N": str(value)}, st.decimals(allow_nan=False, allow_infinity=False, places=3))
    text = st.builds(lambda value: {"S": value}, st.text() | st.just("x" * 5000) | TIMES.map(datetime.isoformat))
    names = sorted(lease_item("Expired", expirationDate={"S": ""}))
    changes = draw(st.dictionaries(st.sampled_from(names), number | text, max_size=6))
    return Enrichment(Status.ENRICHED, lease=read_lease({**lease_item("Active"), **changes}))


def composed(event: LeaseEvent, enrichment: Enrichment, now: datetime, url: str = "https://sandbox.example.org") -> Message:
    return compose(event, enrichment, Console(url, "/leases/{leaseId}/{uuid}"), now)


@settings(max_examples=examples(60, thorough=1_500), deadline=None)
@given(event=EVENTS, enrichment=records(), now=TIMES, url=st.text())
def test_every_event_has_a_message(event: LeaseEvent, enrichment: Enrichment, now: datetime, url: str) -> None:
    message = composed(event, enrichment, now, url)

    assert message.title
    assert "\n" not in message.title
    assert message.title in message.text
    assert len(message.title) <= 150
    assert len(message.text) <= 8000
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e\ud800-\udfff]", message.text)
    assert json.loads(json.dumps(message.structured, allow_nan=False)) == message.structured


@settings(max_examples=examples(60, thorough=1_500), deadline=None)
@given(event=EVENTS, enrichment=records(), now=TIMES)
def test_every_channel_can_carry_it(event: LeaseEvent, enrichment: Enrichment, now: datetime) -> None:
    message = composed(event, enrichment, now)

    rendered = slack.render(message)
    assert block_errors(list(rendered.blocks)) == ([], False)
    shown = json.dumps(rendered.blocks) + rendered.text
    assert set(re.findall("<[^|>]*", shown)) == {f"<{message.link}"}, "the only markup for Slack"

    card = json.dumps(teams.render(message), ensure_ascii=False, allow_nan=False)
    assert len(card.encode(errors="replace")) <= teams.MAX_BYTES

    subject = sns.subject(message.title)
    assert re.fullmatch(r"[!-~][ -~]{0,98}", subject)
    assert len(sns.body(message).encode()) + len(message.event_type.encode()) < SNS_BYTES
    assert json.loads(json.loads(sns.body(message))["sqs"]) == message.structured

    assert all(isinstance(value, str) for value in personalisation(message).values())


@settings(max_examples=examples(50, thorough=1_000), deadline=None)
@given(amount=st.decimals(allow_nan=False, allow_infinity=False))
def test_any_amount_on_record_can_be_shown(amount: Decimal) -> None:
    lease = read_lease({**lease_item("Active"), "maxSpend": {"N": f"{amount:f}"}, "totalCostAccrued": {"N": f"{amount:f}"}})
    event = LeaseEvent("1", "LeaseFrozen", "s", datetime(2026, 1, 1, tzinfo=UTC), {})
    assert composed(event, Enrichment(Status.ENRICHED, lease=lease), datetime(2026, 1, 1, tzinfo=UTC)).text


@pytest.mark.parametrize("costly", ['"', "\\", "😀"])
def test_the_largest_message_fits_into_sns(costly: str) -> None:
    """Each of these takes four bytes in JSON within JSON; no character takes more."""
    huge: dict[str, Any] = dict.fromkeys([*FIELDS, "reason", *"abcdefghij"], costly * 5000)
    event = LeaseEvent("1" * 128, costly * 128, costly * 5000, datetime(2026, 1, 1, tzinfo=UTC), huge)
    lease = read_lease(
        {**lease_item("Active"), "originalLeaseTemplateName": {"S": costly * 5000}, "status": {"S": costly * 5000}}
    )
    message = composed(event, Enrichment(Status.ENRICHED, lease=lease), datetime(2026, 1, 1, tzinfo=UTC))
    assert SNS_BYTES / 10 < len(sns.body(message).encode()) < SNS_BYTES * 3 / 4
