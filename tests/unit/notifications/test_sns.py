"""The SNS channel: people get the text, machines the structure, and SNS what it takes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from lib.notifications.channels import sns
from lib.notifications.channels.sns import Sns
from lib.platform import errors
from tests.support.aws.moto_clients import Unreliable, moto_client
from tests.support.leases.messages import enriched, message


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    with moto_client("sns") as client:
        yield client


def subscribed_queue(client: Any) -> tuple[str, Any]:
    """A topic with a queue subscribed to it, and a function that gives what arrived there."""
    topic = client.create_topic(Name="notifications")["TopicArn"]
    with moto_client("sqs") as queues:
        queue = queues.create_queue(QueueName="machine")["QueueUrl"]
        arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        client.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

        def arrived() -> list[dict[str, Any]]:
            answer = queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            return [json.loads(each["Body"]) for each in answer.get("Messages", [])]

        return topic, arrived


def test_a_queue_gets_the_structure_with_the_text_in_it(client: Any) -> None:
    topic, arrived = subscribed_queue(client)
    sent = message("LeaseFrozen", enrichment=enriched())

    Sns(client, topic).send(sent)

    [notification] = arrived()
    assert json.loads(notification["Message"]) == sent.structured
    assert json.loads(notification["Message"])["text"] == sent.text
    assert notification["Subject"] == "Sandbox lease frozen: rosa.field@example.gov.uk"
    assert notification["MessageAttributes"] == {
        "event_type": {"Type": "String", "Value": "LeaseFrozen"},
        "severity": {"Type": "String", "Value": "warning"},
        "account": {"Type": "String", "Value": "444455556666"},
        "template": {"Type": "String", "Value": "Data science, small"},
        "enriched": {"Type": "String", "Value": "true"},
    }


def test_people_get_the_text_and_machines_the_structure() -> None:
    sent = message("LeaseFrozen")
    by_protocol = json.loads(sns.body(sent))

    assert by_protocol["default"] == by_protocol["email"] == sent.text
    for protocol in ("sqs", "lambda", "http", "https"):
        assert json.loads(by_protocol[protocol]) == sent.structured


@pytest.mark.parametrize(
    ("title", "subject"),
    [
        ("Sandbox lease frozen: rosa@example.org", "Sandbox lease frozen: rosa@example.org"),
        ("Café Zürich", "Cafe Zurich"),
        ("☎ 用户", "? ??"),
        ("two\nlines", "two lines"),
        ("x" * 200, "x" * 99),
        (" \n ", "Sandbox notification"),
        ("", "Sandbox notification"),
    ],
)
def test_a_subject_is_one_line_of_ascii(title: str, subject: str) -> None:
    assert sns.subject(title) == subject


def test_a_missing_topic_is_a_missing_resource(client: Any) -> None:
    with pytest.raises(errors.ResourceMissingError):
        Sns(client, "arn:aws:sns:us-west-2:123456789012:nowhere").send(message())


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        (ReadTimeoutError(endpoint_url="sns"), errors.DeadlineExceededError),
        (ConnectTimeoutError(endpoint_url="sns"), errors.UnavailableError),
        (ClientError({"Error": {"Code": "Throttling"}}, "Publish"), errors.ThrottledError),
        (ClientError({"Error": {"Code": "AuthorizationError"}}, "Publish"), errors.AccessDeniedError),
        (ClientError({"Error": {"Code": "InvalidParameter", "Message": "rosa@example.org"}}, "Publish"), errors.PermanentError),
    ],
    ids=repr,
)
def test_each_failure_has_its_meaning(client: Any, fault: Exception, meaning: type[Exception]) -> None:
    unreliable = Unreliable(client, fault)
    with pytest.raises(meaning) as raised:
        Sns(unreliable, "arn").send(message())
    assert type(raised.value) is meaning
    assert "rosa" not in str(raised.value)
    assert unreliable.calls == ["publish"]
