"""What each request of the AWS API needs. An unknown request is an error."""

import json
from typing import Any

import pytest

from stack.local.iam.call import Call, MalformedRequestError, UnknownOperationError
from stack.local.iam.needs import needs_of
from stack.local.iam.needs_s3 import needs_to_see_absence

ACCOUNT = "123456789012"
TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "sqs": "AmazonSQS",
    "secretsmanager": "secretsmanager",
    "logs": "Logs_20140328",
    "events": "AWSEvents",
}
TABLE = f"arn:aws:dynamodb:us-west-2:{ACCOUNT}:table"


def call(service: str, method: str = "POST", path: str = "/", query: Any = (), headers: Any = (), body: bytes = b"") -> Call:
    return Call(
        service=service,
        region="us-west-2",
        account_id=ACCOUNT,
        method=method,
        path=path,
        query=dict(query),
        headers={"host": "127.0.0.1:4566", **dict(headers)},
        read_body=lambda: body,
    )


def json_call(service: str, operation: str, **parameters: Any) -> Call:
    return call(service, headers={"x-amz-target": f"{TARGETS[service]}.{operation}"}, body=json.dumps(parameters).encode())


def needed(call: Call) -> list[tuple[str, str]]:
    return [(access.action, access.resource) for access in needs_of(call)]


@pytest.mark.parametrize(
    "operation", ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "DescribeTable", "DescribeTimeToLive"]
)
def test_an_operation_on_a_table_needs_its_own_action_on_it(operation: str) -> None:
    assert needed(json_call("dynamodb", operation, TableName="Leases")) == [(f"dynamodb:{operation}", f"{TABLE}/Leases")]


def test_a_table_can_be_named_by_its_arn() -> None:
    arn = "arn:aws:dynamodb:eu-west-1:210987654321:table/Theirs"

    assert needed(json_call("dynamodb", "GetItem", TableName=arn)) == [("dynamodb:GetItem", arn)]


@pytest.mark.parametrize("operation", ["Query", "Scan"])
def test_reading_an_index_needs_the_index_and_not_the_table(operation: str) -> None:
    request = json_call("dynamodb", operation, TableName="Issues", IndexName="ProjectIndex")

    assert needed(request) == [(f"dynamodb:{operation}", f"{TABLE}/Issues/index/ProjectIndex")]


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_a_batch_needs_its_own_action_on_every_table(operation: str) -> None:
    request = json_call("dynamodb", operation, RequestItems={"A": [], "B": []})

    assert needed(request) == [(f"dynamodb:{operation}", f"{TABLE}/A"), (f"dynamodb:{operation}", f"{TABLE}/B")]


def test_a_transaction_needs_the_action_of_each_of_its_items_once() -> None:
    items = [
        {"Put": {"TableName": "A"}},
        {"Put": {"TableName": "A"}},
        {"Update": {"TableName": "A"}},
        {"Delete": {"TableName": "B"}},
        {"ConditionCheck": {"TableName": "B"}},
    ]

    assert needed(json_call("dynamodb", "TransactWriteItems", TransactItems=items)) == [
        ("dynamodb:PutItem", f"{TABLE}/A"),
        ("dynamodb:UpdateItem", f"{TABLE}/A"),
        ("dynamodb:DeleteItem", f"{TABLE}/B"),
        ("dynamodb:ConditionCheckItem", f"{TABLE}/B"),
    ]


def test_a_reading_transaction_needs_get_item() -> None:
    request = json_call("dynamodb", "TransactGetItems", TransactItems=[{"Get": {"TableName": "A"}}])

    assert needed(request) == [("dynamodb:GetItem", f"{TABLE}/A")]


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "expected"),
    [
        (
            "GET",
            "/b/k/1",
            {"uploadId": "u", "max-parts": "1", "x-id": "ListParts"},
            {},
            [("ListMultipartUploadParts", "b/k/1")],
        ),
        ("GET", "/b/k/1", {"x-id": "GetObject"}, {}, [("GetObject", "b/k/1")]),
        ("HEAD", "/b/k", {}, {}, [("GetObject", "b/k")]),
        ("GET", "/b/k", {"versionId": "1"}, {}, [("GetObjectVersion", "b/k")]),
        ("GET", "/b/k", {"X-Amz-Signature": "ab", "X-Amz-Expires": "60", "X-Amz-Credential": "x"}, {}, [("GetObject", "b/k")]),
        ("GET", "/b/k", {"uploadId": "1"}, {}, [("ListMultipartUploadParts", "b/k")]),
        ("PUT", "/b/k", {}, {}, [("PutObject", "b/k")]),
        ("PUT", "/b/k", {"partNumber": "1", "uploadId": "1"}, {}, [("PutObject", "b/k")]),
        ("PUT", "/b/k", {}, {"x-amz-tagging": "a=b"}, [("PutObject", "b/k"), ("PutObjectTagging", "b/k")]),
        ("PUT", "/b/k", {}, {"x-amz-copy-source": "/c/d%20e"}, [("PutObject", "b/k"), ("GetObject", "c/d e")]),
        ("PUT", "/b/k", {"acl": ""}, {}, [("PutObjectAcl", "b/k")]),
        ("POST", "/b/k", {"uploads": ""}, {}, [("PutObject", "b/k")]),
        ("POST", "/b/k", {"uploadId": "1"}, {}, [("PutObject", "b/k")]),
        ("DELETE", "/b/k", {"uploadId": "1"}, {}, [("AbortMultipartUpload", "b/k")]),
        ("DELETE", "/b/k", {}, {}, [("DeleteObject", "b/k")]),
        ("HEAD", "/b", {}, {}, [("ListBucket", "b")]),
        ("GET", "/b/", {"list-type": "2", "prefix": "k"}, {}, [("ListBucket", "b")]),
        ("GET", "/b", {"uploads": ""}, {}, [("ListBucketMultipartUploads", "b")]),
    ],
)
def test_what_a_request_to_s3_needs(
    method: str, path: str, query: dict[str, str], headers: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    wanted = [(f"s3:{action}", f"arn:aws:s3:::{resource}") for action, resource in expected]

    assert needed(call("s3", method, path, query, headers)) == wanted


def test_a_listing_passes_its_prefix_to_conditions() -> None:
    [access] = needs_of(call("s3", "GET", "/b", {"list-type": "2", "prefix": "uploads/", "max-keys": "5"}))

    assert access.context == {"s3:prefix": "uploads/", "s3:max-keys": "5"}


def test_deleting_several_objects_needs_each_of_them() -> None:
    body = b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object><Object><Key>b/c</Key></Object></Delete>'

    assert needed(call("s3", "POST", "/b", {"delete": ""}, body=body)) == [
        ("s3:DeleteObject", "arn:aws:s3:::b/a"),
        ("s3:DeleteObject", "arn:aws:s3:::b/b/c"),
    ]


def test_a_missing_object_is_visible_only_with_permission_to_list() -> None:
    access = needs_to_see_absence(call("s3", "HEAD", "/b/k"))

    assert access is not None
    assert (access.action, access.resource) == ("s3:ListBucket", "arn:aws:s3:::b")
    assert needs_to_see_absence(call("s3", "PUT", "/b/k")) is None
    assert needs_to_see_absence(call("s3", "GET", "/b")) is None


QUEUE_URL = f"http://127.0.0.1:4566/{ACCOUNT}/work"


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("SendMessage", "SendMessage"),
        ("SendMessageBatch", "SendMessage"),
        ("ReceiveMessage", "ReceiveMessage"),
        ("DeleteMessageBatch", "DeleteMessage"),
        ("ChangeMessageVisibility", "ChangeMessageVisibility"),
        ("GetQueueAttributes", "GetQueueAttributes"),
    ],
)
def test_what_a_request_to_sqs_needs(operation: str, action: str) -> None:
    request = json_call("sqs", operation, QueueUrl=QUEUE_URL)

    assert needed(request) == [(f"sqs:{action}", f"arn:aws:sqs:us-west-2:{ACCOUNT}:work")]


def test_finding_a_queue_needs_a_grant_too() -> None:
    request = json_call("sqs", "GetQueueUrl", QueueName="work")

    assert needed(request) == [("sqs:GetQueueUrl", f"arn:aws:sqs:us-west-2:{ACCOUNT}:work")]


def test_publishing_needs_the_topic() -> None:
    topic = f"arn:aws:sns:us-west-2:{ACCOUNT}:news"

    assert needed(call("sns", body=f"Action=Publish&TopicArn={topic}&Message=x".encode())) == [("sns:Publish", topic)]


def test_reading_a_secret_needs_the_secret_by_its_arn() -> None:
    arn = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:token-AbCdEf"

    assert needed(json_call("secretsmanager", "GetSecretValue", SecretId=arn)) == [("secretsmanager:GetSecretValue", arn)]
    [(_, by_name)] = needed(json_call("secretsmanager", "GetSecretValue", SecretId="token"))
    assert by_name != arn


@pytest.mark.parametrize(
    "name", ["worker", f"arn:aws:lambda:us-west-2:{ACCOUNT}:function:worker", f"{ACCOUNT}:function:worker", "worker:$LATEST"]
)
def test_invoking_a_function_needs_it_however_it_is_named(name: str) -> None:
    request = call("lambda", path=f"/2015-03-31/functions/{name}/invocations")

    assert needed(request) == [("lambda:InvokeFunction", f"arn:aws:lambda:us-west-2:{ACCOUNT}:function:worker")]


@pytest.mark.parametrize(("name", "query"), [("worker:live", {}), ("worker", {"Qualifier": "live"})])
def test_invoking_an_alias_needs_the_alias(name: str, query: dict[str, str]) -> None:
    request = call("lambda", path=f"/2015-03-31/functions/{name}/invocations", query=query)

    assert needed(request) == [("lambda:InvokeFunction", f"arn:aws:lambda:us-west-2:{ACCOUNT}:function:worker:live")]


@pytest.mark.parametrize("operation", ["CreateLogStream", "PutLogEvents"])
def test_writing_a_log_needs_the_stream(operation: str) -> None:
    request = json_call("logs", operation, logGroupName="/aws/g", logStreamName="s")

    assert needed(request) == [(f"logs:{operation}", f"arn:aws:logs:us-west-2:{ACCOUNT}:log-group:/aws/g:log-stream:s")]


def test_putting_events_needs_every_bus() -> None:
    request = json_call("events", "PutEvents", Entries=[{"EventBusName": "leases"}, {}, {"EventBusName": "leases"}])

    assert needed(request) == [
        ("events:PutEvents", f"arn:aws:events:us-west-2:{ACCOUNT}:event-bus/default"),
        ("events:PutEvents", f"arn:aws:events:us-west-2:{ACCOUNT}:event-bus/leases"),
    ]


def test_get_caller_identity_needs_nothing_and_assume_role_a_grant() -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/other"

    assert needed(call("sts", body=b"Action=GetCallerIdentity&Version=2011-06-15")) == []
    assert needed(call("sts", body=f"Action=AssumeRole&RoleArn={role}".encode())) == [("sts:AssumeRole", role)]


@pytest.mark.parametrize(
    "request_",
    [
        json_call("dynamodb", "ExecuteStatement", Statement="SELECT * FROM Leases"),
        json_call("dynamodb", "ExportTableToPointInTime", TableArn="arn"),
        json_call("dynamodb", "TransactWriteItems", TransactItems=[{"Replace": {"TableName": "A"}}]),
        call("dynamodb", headers={"x-amz-target": "DynamoDBStreams_20120810.GetRecords"}),
        call("dynamodb", headers={"x-amz-target": "AmazonSQS.SendMessage"}),
        call("dynamodb"),
        json_call("sqs", "SetQueueAttributes", QueueUrl=QUEUE_URL),
        call("sqs", body=b"Action=SendMessage&QueueUrl=x"),
        call("sns", body=b"Action=Publish&PhoneNumber=5550100"),
        call("sns", body=b"Action=CreateTopic&Name=x"),
        call("sns", path="/moto-api/reset"),
        json_call("secretsmanager", "DeleteSecret", SecretId="x"),
        json_call("logs", "DeleteLogGroup", logGroupName="g"),
        json_call("events", "PutRule", Name="x"),
        call("sts", body=b"Action=GetSessionToken"),
        call("lambda", "GET", "/2015-03-31/functions/worker"),
        call("s3", "GET", "/"),
        call("s3", "PUT", "/b"),
        call("s3", "GET", "/b", {"policy": ""}),
        call("s3", "GET", "/b/k", {"torrent": ""}),
        call("s3", "GET", "/k", headers={"host": "bucket.s3.amazonaws.com"}),
        call("iam", body=b"Action=PutRolePolicy"),
        call("kms", headers={"x-amz-target": "TrentService.Decrypt"}),
    ],
    ids=lambda request: f"{request.service} {request.method} {request.path}",
)
def test_an_unknown_request_is_an_error(request_: Call) -> None:
    with pytest.raises(UnknownOperationError):
        needs_of(request_)


@pytest.mark.parametrize(
    "request_",
    [
        json_call("dynamodb", "GetItem"),
        json_call("dynamodb", "GetItem", TableName=["A"]),
        json_call("dynamodb", "BatchGetItem", RequestItems={}),
        json_call("dynamodb", "TransactWriteItems", TransactItems=[]),
        json_call("dynamodb", "TransactWriteItems", TransactItems=[{"Put": {"TableName": "A"}, "Delete": {"TableName": "B"}}]),
        call("dynamodb", headers={"x-amz-target": "DynamoDB_20120810.GetItem"}, body=b"{"),
        json_call("sqs", "SendMessage", QueueUrl="work"),
        json_call("events", "PutEvents", Entries=[]),
        call("s3", "POST", "/b", {"delete": ""}, body=b"<Delete/>"),
        call("s3", "POST", "/b", {"delete": ""}, body=b"<"),
    ],
    ids=lambda request: f"{request.service} {request.path}",
)
def test_a_malformed_request_is_an_error(request_: Call) -> None:
    with pytest.raises(MalformedRequestError):
        needs_of(request_)
