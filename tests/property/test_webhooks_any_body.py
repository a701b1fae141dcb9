"""The webhooks function answers every correctly signed body with JSON and never with a 5xx."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from urllib.parse import quote

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings

from lib.platform import aws
from tests.property.test_any_jira_body import anything, encode, events, pushes, text
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.secrets import SecretsManager
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.project.examples import examples
from tests.support.web.events import http_event

SECRET = "shared with the sender"
VARIABLES = {
    "JIRA_ISSUES_TABLE_NAME": "issues",
    "ARTIFACT_BUCKET_NAME": "artifacts",
    "JIRA_QUEUE_URL": "https://sqs.example/queue",
    "HISTORY_DAYS": "90",
    "JIRA_PROJECTS": "OPS",
    "JIRA_WEBHOOK_SECRET_ARN": "arn:jira",
    "COMMIT_WEBHOOK_SECRET_ARN": "arn:commits",
}
MANY = settings(
    max_examples=examples(75, thorough=20_000),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class Queue:
    """Takes what SQS takes."""

    def send_message(self, *, QueueUrl: str, MessageBody: str, DelaySeconds: int) -> None:  # noqa: N803 - AWS's names
        assert 0 < len(MessageBody.encode()) <= 1_048_576


class Bucket:
    """Takes everything."""

    def put_object(self, *, Key: str, **_: Any) -> None:  # noqa: N803
        assert 0 < len(Key.encode()) <= 1024


@pytest.fixture(scope="module")
def webhooks() -> Iterator[ModuleType]:
    """The function on a table, a queue and a bucket in memory that check their input."""
    clients = {"dynamodb": FakeTable(), "sqs": Queue(), "secretsmanager": SecretsManager(SECRET), "s3": Bucket()}
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(aws, "make_client", lambda service, **_: clients[service])
        yield load(monkeypatch, "webhooks", VARIABLES)


def answer(webhooks: ModuleType, path: str, body: bytes, headers: dict[str, Any]) -> dict[str, Any]:
    """The answer to ``body``, correctly signed, with other ``headers``."""
    signed = {"X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}
    others = {name: value for name, value in headers.items() if name.lower() not in {"x-hub-signature-256"}}
    event = http_event("POST", path, base64.b64encode(body).decode(), {**others, **signed}) | {"isBase64Encoded": True}
    result: dict[str, Any] = webhooks.lambda_handler(event, LambdaContext())
    return result


def check(given_answer: dict[str, Any]) -> None:
    """It is an answer to the caller: not that we failed, nothing that a person was not meant to see, and JSON."""
    assert given_answer["statusCode"] in {202, 400}, given_answer
    assert given_answer["headers"]["Content-Type"] == "application/json"
    body = json.loads(given_answer["body"])
    assert "status" in body if given_answer["statusCode"] == 202 else body.keys() == {"error", "message"}
    assert "Traceback" not in given_answer["body"]


identifiers = st.fixed_dictionaries({}, optional={"X-Atlassian-Webhook-Identifier": st.text(max_size=300)})
odd_headers = st.dictionaries(
    st.sampled_from(
        [
            "X-Atlassian-Webhook-Identifier",
            "Content-Type",
            "Content-Length",
            "Content-Encoding",
            "Transfer-Encoding",
            "Host",
            "X-Forwarded-Proto",
            "X-Forwarded-Port",
            "X-Forwarded-For",
            "X-Amzn-Trace-Id",
            "Cookie",
            "Expect",
        ]
    )
    | st.text(max_size=20),
    st.text(max_size=40)
    | st.sampled_from(
        ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "chunked", "gzip", "-1", "0", "9"]
    ),
    max_size=5,
)


@MANY
@given(body=st.binary() | anything.map(encode) | events.map(encode), headers=identifiers)
@example(body=b'{"webhookEvent": "jira:issue_updated", "n": 1e99999999999999999999}', headers={})
@example(body=b'{"webhookEvent": "jira:issue_updated", "n": ' + b"9" * 5000 + b"}", headers={})
@example(body=b'{"a":' * 20_000, headers={})
@example(body=b"\xff\xfe{\x00}\x00", headers={})
def test_any_body_to_jira_is_answered(webhooks: ModuleType, body: bytes, headers: dict[str, str]) -> None:
    check(answer(webhooks, "/webhooks/jira", body, {"Content-Type": "application/json", **headers}))


@MANY
@given(body=st.binary() | anything.map(encode) | pushes.map(encode))
def test_any_body_to_commits_is_answered(webhooks: ModuleType, body: bytes) -> None:
    check(answer(webhooks, "/webhooks/commits", body, {"Content-Type": "application/json"}))


@MANY
@given(
    body=st.binary()
    | pushes.map(encode).map(lambda payload: b"payload=" + quote(payload).encode())
    | st.binary().map(lambda payload: b"payload=" + quote(payload).encode())
    | text.map(lambda payload: b"payload=" + payload.encode("utf-8", "surrogatepass"))
)
def test_any_form_to_commits_is_answered(webhooks: ModuleType, body: bytes) -> None:
    check(answer(webhooks, "/webhooks/commits", body, {"Content-Type": "application/x-www-form-urlencoded"}))


@MANY
@given(
    path=st.sampled_from(["/webhooks/jira", "/webhooks/commits"]), body=st.binary() | events.map(encode), headers=odd_headers
)
def test_whatever_the_headers_the_function_does_not_fail(
    webhooks: ModuleType, path: str, body: bytes, headers: dict[str, str]
) -> None:
    result = answer(webhooks, path, body, headers)

    assert result["statusCode"] < 500, result
    assert json.loads(result["body"]).keys() & {"status", "error"}
    assert "Traceback" not in result["body"]
