"""A delivery is stored under its key and time even if its optional members are malformed."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from lib.jira.webhooks import Delivery, normalise, normalise_automation
from tests.property.test_any_jira_body import anything, text
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.bodies import UPDATED_AT, issue_event
from tests.support.jira.builders import make_store
from tests.support.project.examples import examples

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MANY = settings(max_examples=examples(80, thorough=20_000), deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOT_NEEDED = (
    ("timestamp",),
    ("changelog",),
    ("changelog", "items"),
    ("user",),
    ("comment",),
    ("worklog",),
    ("issueLink",),
    ("issue_event_type_name",),
    ("issue", "id"),
    ("issue", "self"),
    ("issue", "fields", "summary"),
    ("issue", "fields", "status"),
    ("issue", "fields", "status", "name"),
    ("issue", "fields", "assignee"),
    ("issue", "fields", "assignee", "accountId"),
    ("issue", "fields", "assignee", "displayName"),
    ("issue", "fields", "fixVersions"),
)
NEEDED = {"timestamp", "webhookEvent", "transition", "issue", "changelog", "id", "key", "fields", "updated"}


def whole() -> dict[str, Any]:
    event = issue_event(assignee={"accountId": "5b1", "displayName": "Ada"}, fixVersions=[{"name": "1.0"}])
    return {**event, "changelog": {"id": "1", "items": [{"field": "status", "fromString": "To Do", "toString": "Done"}]}}


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A whole event of which any members that are not needed are anything else, absent, or new."""
    event = copy.deepcopy(whole())
    for path in draw(st.lists(st.sampled_from(NOT_NEEDED), min_size=1, max_size=4)):
        parent: Any = event
        for name in path[:-1]:
            parent = parent.get(name) if isinstance(parent, dict) else None
        if isinstance(parent, dict):
            if draw(st.booleans()):
                parent[path[-1]] = draw(anything)
            else:
                parent.pop(path[-1], None)
    for place in (event, event["issue"], event["issue"]["fields"]):
        added = draw(st.dictionaries(text, anything, max_size=2))
        place.update({name: value for name, value in added.items() if name not in NEEDED})
    return event


def encode(value: object) -> bytes:
    """JSON: NaN and Infinity, which Python writes, are not."""
    return json.dumps(value).replace("NaN", "0.5").replace("Infinity", "1e999").encode()


def stored(delivery: object) -> tuple[str, str]:
    """Key and time of the HEAD row that the delivery leaves."""
    assert isinstance(delivery, Delivery)
    table = FakeTable()
    make_store(table).record(delivery)
    head = table.items[delivery.issue_key, "HEAD"]
    return head["issue_key"]["S"], head["version_at"]["S"]


@MANY
@given(mutated(), st.sampled_from(["jira:issue_created", "jira:issue_updated", None]))
def test_a_change_is_stored_whatever_its_other_members_are(event: dict[str, Any], name: str | None) -> None:
    event["webhookEvent"] = name
    if name is None:
        event["transition"] = {}

    assert stored(normalise(encode(event), RECEIVED)) == ("OPS-7", UPDATED_AT)


@MANY
@given(mutated())
def test_a_deletion_is_a_tombstone_whatever_its_other_members_are(event: dict[str, Any]) -> None:
    delivery = normalise(encode({**event, "webhookEvent": "jira:issue_deleted"}), RECEIVED)

    assert isinstance(delivery, Delivery)
    assert delivery.deleted
    key, version_at = stored(delivery)
    assert key == "OPS-7"
    assert version_at > UPDATED_AT


@MANY
@given(mutated(), st.booleans())
def test_issue_data_is_stored_whatever_its_other_members_are(event: dict[str, Any], wrapped: bool) -> None:
    body = {"issue": event["issue"]} if wrapped else event["issue"]

    assert stored(normalise_automation(encode(body), RECEIVED)) == ("OPS-7", UPDATED_AT)
