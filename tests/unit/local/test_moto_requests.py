"""The local AWS API refuses malformed requests with the errors of AWS, where moto would fail."""

import json
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from stack.local import moto_patches
from stack.local.aws_endpoint import AwsEndpoint
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
def test_a_body_that_is_not_an_object_is_refused(client: Client, service: str, target: str, body: bytes) -> None:
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


@pytest.mark.parametrize(
    ("service", "target", "body"),
    [
        ("dynamodb", "DynamoDB_20120810.GetItem", {}),
        ("dynamodb", "DynamoDB_20120810.GetItem", {"TableName": "t", "Key": "x"}),
        ("events", "AWSEvents.PutEvents", {}),
        ("events", "AWSEvents.PutEvents", {"Entries": None}),
        ("events", "AWSEvents.PutEvents", {"Entries": ["x"]}),
        ("events", "AWSEvents.PutEvents", {"Entries": [{"Source": "a", "DetailType": "b", "Detail": 1}]}),
    ],
)
def test_parameters_that_make_moto_fail_are_explained(client: Client, service: str, target: str, body: dict[str, Any]) -> None:
    answer = call(client, service, target, json.dumps(body).encode())

    assert answer.status_code == 400
    assert json.loads(answer.data)["__type"].endswith("ValidationException")


def test_an_event_with_a_constant_of_javascript_is_malformed(client: Client) -> None:
    moto_patches.fill_gaps()
    entry = {"Source": "a", "DetailType": "b", "Detail": '{"maxSpend": NaN}'}

    answer = call(client, "events", "AWSEvents.PutEvents", json.dumps({"Entries": [entry]}).encode())

    assert json.loads(answer.data)["Entries"] == [{"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer token"}, {"X-Amz-Target": "AmazonSQS.ListQueues"}])
def test_a_webhook_for_the_http_api_is_sent_there(client: Client, headers: dict[str, str]) -> None:
    answer = client.post("/webhooks/jira", json={}, headers=headers)

    assert answer.status_code == 403
    assert "send webhooks to its HTTP API" in answer.text


def test_a_call_of_aws_is_answered(client: Client) -> None:
    assert b"TableNames" in call(client, "dynamodb", "DynamoDB_20120810.ListTables", b"").data


@pytest.mark.parametrize(
    ("after", "status"), [("0", 200), ("1200.5", 200), ("-1", 400), ("nan", 400), ("1e20", 400), ("x", 400)]
)
def test_the_states_of_alarms_are_foreseen_for_a_year(after: str, status: int) -> None:
    endpoint = AwsEndpoint()
    endpoint.states_after = lambda _: {}

    assert Client(endpoint).get(f"/_local/alarms?after={after}", headers={"Host": "127.0.0.1"}).status_code == status
