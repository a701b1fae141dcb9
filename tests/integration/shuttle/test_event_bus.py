"""Events of Shuttle on the event bus, as docs/how-to/consume-import-events.md says: a rule of the subscriber's own."""

import json
import re
import uuid
from collections.abc import Iterator

import pytest

from lib.platform.contract import SHUTTLE_EVENT_SOURCE
from tests.support.aws.role_session import RoleSession
from tests.support.cloud import Cloud, until


@pytest.fixture
def queue(cloud: Cloud) -> Iterator[str]:
    """The URL of a queue that a rule sends the events to."""
    sqs, events, bus = cloud.client("sqs"), cloud.client("events"), cloud.outputs["event_bus_name"]
    name = f"loader-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": [SHUTTLE_EVENT_SOURCE], "detail-type": ["ImportCompleted"]}
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "loader", "Arn": arn}])
    yield url
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["loader"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=url)


@pytest.mark.parametrize("function", ["imports", "shuttle"])
def test_a_rule_of_a_subscriber_receives_events_and_nobody_is_notified(cloud: Cloud, queue: str, function: str) -> None:
    detail = {"event_id": "01KB6PDC0ZJ3T4X4W6V5M8J9QK", "shop_domain": "teapots.example.com", "catalogue_version": 8}
    entry = {"Source": SHUTTLE_EVENT_SOURCE, "EventBusName": cloud.outputs["event_bus_name"]}
    entries = [{**entry, "DetailType": kind, "Detail": json.dumps(detail)} for kind in ("ImportFailed", "ImportCompleted")]

    put = RoleSession.of_function(cloud, function).client("events").put_events(Entries=entries)

    assert put["FailedEntryCount"] == 0
    [message] = until(lambda: cloud.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"))
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"], event["detail"]) == (SHUTTLE_EVENT_SOURCE, "ImportCompleted", detail)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])
    assert not [line for line in cloud.log_lines("notification") if event["id"] in line]
