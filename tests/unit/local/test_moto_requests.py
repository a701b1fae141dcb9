"""The local AWS API refuses malformed requests with the errors of AWS, where moto would fail."""

import json

import pytest
from werkzeug.test import Client, TestResponse

from stack.local.moto_app import Moto


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(Moto())


def call(client: Client, service: str, target: str, body: bytes = b"{}") -> TestResponse:
    scope = f"AKIA1/20261129/us-west-2/{service}/aws4_request"
    signed = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"}
    if target:
        signed["X-Amz-Target"] = target
    return client.post("/", headers=signed, data=body, content_type="application/x-amz-json-1.0")


@pytest.mark.parametrize("body", [b"[]", b"null", b"\xff", b"{", b"[" * 100_000])
@pytest.mark.parametrize(("service", "target"), [("dynamodb", "DynamoDB_20120810.ListTables"), ("sqs", "AmazonSQS.ListQueues")])
def test_a_body_that_is_no_object_is_refused(client: Client, service: str, target: str, body: bytes) -> None:
    answer = call(client, service, target, body)

    assert answer.status_code == 400
    assert json.loads(answer.data)["__type"].endswith("SerializationException")


@pytest.mark.parametrize("target", ["DynamoDB_20120810.Nonsense", "AmazonSQS.ListQueues", "Nonsense", ".", ""])
def test_an_unknown_operation_is_refused(client: Client, target: str) -> None:
    answer = call(client, "dynamodb", target)

    assert answer.status_code == 400
    assert json.loads(answer.data)["__type"].endswith("UnknownOperationException")


def test_an_operation_that_moto_lacks_is_named(client: Client) -> None:
    answer = call(client, "events", "AWSEvents.Nonsense")

    assert answer.status_code == 400
    assert json.loads(answer.data)["Message"] == "The local cloud does not have this operation: AWSEvents.Nonsense"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer token"}, {"X-Amz-Target": "AmazonSQS.ListQueues"}])
def test_a_webhook_for_the_http_api_is_sent_there(client: Client, headers: dict[str, str]) -> None:
    answer = client.post("/webhooks/jira", json={}, headers=headers)

    assert answer.status_code == 403
    assert "webhooks go to its HTTP API" in answer.text


def test_a_call_of_aws_is_answered(client: Client) -> None:
    assert b"TableNames" in call(client, "dynamodb", "DynamoDB_20120810.ListTables", b"").data
