"""Events of Shuttle on the event bus, as docs/how-to/consume-import-events.md says, and what they lead to."""

import gzip
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from lib.platform.contract import SHUTTLE_EVENT_SOURCE
from tests.support.cloud import Cloud, until
from tests.support.shuttle.api import ShuttleApi

FIRST = b"sku,price,stock\nA1,9.50,3\nA2,,\n"
SECOND = b"sku,price,stock\nA1,8.00,3\nA2,,\nA3,1,1\n"

Receive = Callable[[str], dict[str, Any]]


@pytest.fixture
def receive(cloud: Cloud) -> Iterator[Receive]:
    """A subscriber by a rule of its own: waits for a shop's next event."""
    sqs, events, bus = cloud.client("sqs"), cloud.client("events"), cloud.outputs["event_bus_name"]
    name = f"loader-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": [SHUTTLE_EVENT_SOURCE]}))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "loader", "Arn": arn}])

    def look(domain: str) -> dict[str, Any] | None:
        for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            event = json.loads(message["Body"])
            if event["detail"]["shop_domain"] == domain:
                return dict(event)
        return None

    yield lambda domain: until(lambda: look(domain))
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["loader"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=url)


def test_a_subscriber_gets_an_event_per_version_and_nobody_is_notified(api: ShuttleApi, receive: Receive) -> None:
    cloud, shop = api.cloud, api.shop()

    assert shop.run(FIRST, mode="OVERWRITE_EXISTING")["status"] == "COMPLETED"
    first = receive(shop.domain)
    assert shop.run(SECOND, mode="OVERWRITE_EXISTING")["status"] == "COMPLETED"
    second = receive(shop.domain)
    assert shop.run(b"name\nA1\n")["failure"] == "WRONG_SCHEMA"
    failed = receive(shop.domain)
    assert shop.call("POST", "catalogue/rollback", {"version": 1}).status_code == 200
    rolled_back = receive(shop.domain)

    kinds = [event["detail-type"] for event in (first, second, failed, rolled_back)]
    assert kinds == ["ImportCompleted", "ImportCompleted", "ImportFailed", "CatalogueRolledBack"]
    assert [event["detail"].get("catalogue_version") for event in (first, second, rolled_back)] == [1, 2, 3]
    assert [second["detail"][count] for count in ("added", "replaced", "unchanged")] == [1, 1, 1]
    changes = cloud.client("s3").get_object(
        Bucket=second["detail"]["changes"]["bucket"], Key=second["detail"]["changes"]["key"]
    )["Body"]
    assert sorted(json.loads(line)["key"]["sku"] for line in gzip.decompress(changes.read()).splitlines()) == ["A1", "A3"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["time"])
    assert not [line for line in cloud.log_lines("notification") if first["id"] in line]


def test_changes_and_exports_are_downloaded_by_links(api: ShuttleApi) -> None:
    shop = api.shop()
    job = shop.run(FIRST)
    made = shop.call("POST", "jobs", {"kind": "EXPORT", "columns": ["sku", "price"]})
    assert made.status_code == 202, made.text
    export = shop.ended(made.json()["job"]["job_id"])

    changes = requests.get(shop.call("GET", f"jobs/{job['job_id']}/changes").json()["url"], timeout=10)
    result = requests.get(shop.call("GET", f"jobs/{export['job_id']}/result").json()["url"], timeout=10)

    assert (export["status"], changes.status_code, result.status_code) == ("COMPLETED", 200, 200)
    assert result.text.splitlines() == ["sku,price", "A1,9.50", "A2,"]
