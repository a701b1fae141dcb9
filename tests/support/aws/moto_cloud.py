"""The AWS services that the functions use, by moto at a URL, and what tests read from them."""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import botocore.httpsession
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import BackendDict
from moto.dynamodb.models import dynamodb_backends
from moto.server import ThreadedMotoServer

from stack.local.moto_app import Moto
from tests.support.aws.environment import REGION
from tests.support.aws.moto_state import ACCOUNT, put_back
from tests.support.web.wsgi import call_wsgi

LEASES, OPERATIONS = "leases-4f2a", "operations-77c0"

application = functools.cache(Moto)
"""The WSGI application of a moto server: it answers from what moto holds in this process."""


@contextmanager
def moto_server() -> Iterator[str]:
    """A server that runs, by its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@dataclasses.dataclass(frozen=True, slots=True)
class MotoCloud:
    """Tables, a topic with a queue behind it, and a secret, as the stack makes them."""

    url: str
    lease_table_arn: str
    operations_table_name: str
    topic_arn: str
    queue_url: str
    secret_arn: str

    def client(self, service: str) -> Any:
        """A client for the test's own use."""
        return _client(self.url, service)

    def put_lease(self, item: dict[str, Any]) -> None:
        """Put a record into LeaseTable."""
        self.client("dynamodb").put_item(TableName=self.lease_table_arn, Item=item)

    def published(self) -> list[dict[str, Any]]:
        """The structured messages published on the topic since last asked."""
        messages: list[dict[str, Any]] = []
        while True:
            batch = self.client("sqs").receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages", [])
            if not batch:
                return messages
            for message in batch:
                messages.append(json.loads(message["Body"]))
                self.client("sqs").delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])

    def claims(self) -> dict[tuple[str, str], str]:
        """The status of each claim in the operations table by its key."""
        items = self.client("dynamodb").scan(TableName=self.operations_table_name)["Items"]
        return {(item["session_id"]["S"], item["operation_key"]["S"]): item["status"]["S"] for item in items}

    def variables(self, **changes: str) -> dict[str, str]:
        """The environment of the notification function, with SNS as its channel."""
        return {
            "LEASE_TABLE_ARN": self.lease_table_arn,
            "OPERATIONS_TABLE_NAME": self.operations_table_name,
            "NOTIFY_CHANNELS": "sns",
            "NOTIFICATION_TOPIC_ARN": self.topic_arn,
            "EVENT_WEBHOOK_SECRET_ARN": self.secret_arn,
            **changes,
        }


Request = tuple[str, str, dict[str, str], bytes]
"""The method, the path, the headers and the body of a call."""


def answer_directly(patch: pytest.MonkeyPatch, url: str, is_direct: Callable[[Request], bool] = lambda request: True) -> None:
    """Have moto answer the AWS clients' calls to ``url`` in this process: a connection less for each that ``is_direct``."""
    send_over_http = botocore.httpsession.URLLib3Session.send

    def send(session: Any, request: AWSPreparedRequest) -> AWSResponse:
        if not request.url.startswith(url):
            return send_over_http(session, request)
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        content = _content(request.body)
        if not is_direct((request.method, request.url.removeprefix(url), headers, content)):
            return send_over_http(session, request)
        status, answered, answer = call_wsgi(application(), request.method, request.url, headers, content)
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(answered), MockRawResponse(answer))

    patch.setattr(botocore.httpsession.URLLib3Session, "send", send)


def _content(body: Any) -> bytes:
    """A body as bytes. One that is read is put back to where it was."""
    if hasattr(body, "read"):
        begin = body.tell()
        content: bytes = body.read()
        body.seek(begin)
        return content
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


_clouds: dict[str, MotoCloud] = {}


def empty_cloud(url: str, webhook_secret: str) -> MotoCloud:
    """The tables, the topic and its queue, without content. They are created again only if somebody reset moto meanwhile."""
    if dynamodb_backends[ACCOUNT][REGION].tables.keys() != {LEASES, OPERATIONS}:
        BackendDict.reset()
        _clouds[url] = _create(url, webhook_secret)
    put_back({})
    return _clouds[url]


def _create(url: str, webhook_secret: str) -> MotoCloud:
    leases = _table(url, LEASES, "userEmail", "uuid")
    operations = _table(url, OPERATIONS, "session_id", "operation_key")
    topic_arn = _client(url, "sns").create_topic(Name="notifications")["TopicArn"]
    sqs = _client(url, "sqs")
    queue_url = sqs.create_queue(QueueName="reader")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    _client(url, "sns").subscribe(
        TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"}
    )
    secret = _client(url, "secretsmanager").create_secret(Name="event-webhook", SecretString=webhook_secret)
    return MotoCloud(
        url=url,
        lease_table_arn=leases["TableArn"],
        operations_table_name=operations["TableName"],
        topic_arn=topic_arn,
        queue_url=queue_url,
        secret_arn=secret["ARN"],
    )


def _table(url: str, name: str, hash_key: str, range_key: str) -> dict[str, Any]:
    table: dict[str, Any] = _client(url, "dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": hash_key, "AttributeType": "S"},
            {"AttributeName": range_key, "AttributeType": "S"},
        ],
    )["TableDescription"]
    return table


@functools.cache
def _client(url: str, service: str) -> Any:
    return boto3.client(service, endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")
