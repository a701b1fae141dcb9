"""A role may do what its function does and nothing else; without one of its grants, the function fails."""

import json
import uuid
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from lib.platform.contract import ALL_ENTRY_POINTS
from tests.integration.conftest import JIRA_SECRET
from tests.support.aws.role_session import RoleSession
from tests.support.cloud import Cloud, until
from tests.support.jira.bodies import issue_event

pytestmark = pytest.mark.rights_by_hand

TABLES = {
    "lease_table_name": ("userEmail", "uuid"),
    "jira_issues_table_name": ("issue_key", "updated_at"),
    "jira_operations_table_name": ("session_id", "operation_key"),
    "shuttle_table_name": ("PK", "SK"),
}
PARTITIONS = {
    "lease_table_name": ("ada@sandbox.example", "health#1"),
    "jira_issues_table_name": ("LEAST-1", "health#1"),
    "jira_operations_table_name": ("a-session", "event#1", "reconciliation", "health#1", "backfill#1"),
    "shuttle_table_name": ("SHOP#least.example", "health#1"),
}
"""A partition of each kind that a table has."""

SENTINELS = {"GetItem", "PutItem", "DeleteItem"}
GRANTED = {
    ("notification", "lease_table_name", "*"): {"GetItem"},
    ("notification", "jira_operations_table_name", "event#1"): {"UpdateItem"},
    ("webhooks", "jira_issues_table_name", "*"): {"PutItem", "DeleteItem", "BatchWriteItem", "Query ProjectIndex"},
    ("approvals", "jira_operations_table_name", "a-session"): {"BatchGetItem", "PutItem", "UpdateItem"},
    ("jira_worker", "jira_issues_table_name", "*"): {
        *("PutItem", "DeleteItem", "BatchWriteItem"),
        *("Query", "Query ProjectIndex"),
    },
    ("jira_worker", "jira_operations_table_name", "a-session"): {"BatchGetItem", "UpdateItem"},
    ("reconciliation", "jira_issues_table_name", "*"): {"PutItem", "DeleteItem", "BatchGetItem", "Query ProjectIndex"},
    ("reconciliation", "jira_operations_table_name", "reconciliation"): {"GetItem", "PutItem", "UpdateItem"},
    ("backfill", "jira_issues_table_name", "*"): {"PutItem", "DeleteItem", "BatchGetItem"},
    ("backfill", "jira_operations_table_name", "backfill#1"): {"Query", "UpdateItem"},
    ("shuttle", "shuttle_table_name", "*"): {
        *("GetItem", "PutItem", "UpdateItem", "ConditionCheckItem", "DeleteItem", "BatchWriteItem"),
        *("Query", "Query GSI3", "Query StatusIndex"),
    },
    ("imports", "shuttle_table_name", "*"): {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Query GSI1"},
    ("health", "lease_table_name", "*"): {"DescribeTable"},
    ("health", "lease_table_name", "health#1"): {"GetItem"},
    ("health", "jira_issues_table_name", "*"): {"DescribeTable"},
    ("health", "jira_issues_table_name", "health#1"): SENTINELS,
    ("health", "jira_operations_table_name", "*"): {"DescribeTable"},
    ("health", "jira_operations_table_name", "health#1"): SENTINELS,
    ("health", "shuttle_table_name", "*"): {"DescribeTable"},
    ("health", "shuttle_table_name", "health#1"): SENTINELS,
}
"""Written by hand: what each function needs of each table, in each partition or in all (``*``). All else is refused."""


def attempts(client: Any, table: str, keys: tuple[str, str], partition: str) -> dict[str, Any]:
    """Every way to touch a partition of a table, by the action that it needs."""
    key = {keys[0]: {"S": partition}, keys[1]: {"S": f"least-privilege-{uuid.uuid4()}"}}
    values = {"ExpressionAttributeValues": {":hash": {"S": partition}}}
    by_hash = {"KeyConditionExpression": "#hash = :hash", "ExpressionAttributeNames": {"#hash": keys[0]}, **values}
    exists = {"ConditionExpression": "attribute_exists(#hash)", "ExpressionAttributeNames": {"#hash": keys[0]}}
    check = {"ConditionCheck": {"TableName": table, "Key": key, **exists}}
    return {
        "GetItem": lambda: client.get_item(TableName=table, Key=key),
        "PutItem": lambda: client.put_item(TableName=table, Item=key, **exists),
        "UpdateItem": lambda: client.update_item(TableName=table, Key=key, **exists),
        "DeleteItem": lambda: client.delete_item(TableName=table, Key=key),
        "Query": lambda: client.query(TableName=table, **by_hash),
        "Query ProjectIndex": lambda: client.query(TableName=table, IndexName="ProjectIndex", **by_hash),
        "Query GSI1": lambda: client.query(TableName=table, IndexName="GSI1", **by_hash),
        "Query GSI3": lambda: client.query(TableName=table, IndexName="GSI3", **by_hash),
        "Query StatusIndex": lambda: client.query(TableName=table, IndexName="StatusIndex", **by_hash),
        "Scan": lambda: client.scan(TableName=table, Limit=1),
        "BatchGetItem": lambda: client.batch_get_item(RequestItems={table: {"Keys": [key]}}),
        "BatchWriteItem": lambda: client.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": key}}]}),
        "ConditionCheckItem": lambda: client.transact_write_items(TransactItems=[check]),
        "DescribeTable": lambda: client.describe_table(TableName=table),
        "DeleteTable": lambda: client.delete_table(TableName=table),
    }


def is_refused(attempt: Any) -> bool:
    try:
        attempt()
    except ClientError as error:
        return error.response["Error"]["Code"] in {"AccessDeniedException", "AccessDenied", "AuthorizationError"}
    return False


@pytest.mark.parametrize("function", ALL_ENTRY_POINTS)
def test_a_function_touches_its_own_partitions_of_its_own_tables_only(cloud: Cloud, function: str) -> None:
    client = RoleSession.of_function(cloud, function).client("dynamodb")

    for output, partitions in PARTITIONS.items():
        for partition in partitions:
            possible = attempts(client, cloud.outputs[output], TABLES[output], partition)
            allowed = {name for name, attempt in possible.items() if not is_refused(attempt)}
            granted = (GRANTED.get((function, output, each), set()) for each in ("*", partition))
            assert allowed == set().union(*granted), (output, partition)


WRITERS = {
    ("jira_operations_table_name", "APPROVAL#1"): {"approvals", "jira_worker"},
    ("jira_operations_table_name", "SESSION"): {"approvals", "jira_worker"},
    ("shuttle_table_name", "SHOP"): {"shuttle", "imports"},
}
"""Which functions may change a row of the kind that a sort key names: the worker settles sessions, and puts no row."""


@pytest.mark.parametrize(("output", "sort_key"), WRITERS)
def test_no_other_role_writes_an_approval_a_session_or_a_shop(cloud: Cloud, output: str, sort_key: str) -> None:
    table, (hash_key, range_key) = cloud.outputs[output], TABLES[output]
    key = {hash_key: {"S": PARTITIONS[output][0]}, range_key: {"S": sort_key}}
    exists = {"ConditionExpression": "attribute_exists(#key)", "ExpressionAttributeNames": {"#key": hash_key}}
    writes = [
        ("put_item", {"TableName": table, "Item": key, **exists}),
        ("update_item", {"TableName": table, "Key": key, **exists}),
        ("delete_item", {"TableName": table, "Key": key, **exists}),
        ("batch_write_item", {"RequestItems": {table: [{"PutRequest": {"Item": key}}]}}),
        ("transact_write_items", {"TransactItems": [{"Put": {"TableName": table, "Item": key, **exists}}]}),
        ("transact_write_items", {"TransactItems": [{"Delete": {"TableName": table, "Key": key, **exists}}]}),
    ]

    writers = set()
    for function in ALL_ENTRY_POINTS:
        client = RoleSession.of_function(cloud, function).client("dynamodb")
        if not all(is_refused(lambda c=client, n=name, p=parameters: getattr(c, n)(**p)) for name, parameters in writes):
            writers.add(function)

    assert writers == WRITERS[output, sort_key]


def test_a_batch_with_one_row_of_another_partition_is_refused_whole(cloud: Cloud) -> None:
    table = cloud.outputs["jira_operations_table_name"]
    approvals = RoleSession.of_function(cloud, "approvals").client("dynamodb")
    own, foreign = ({"session_id": {"S": name}, "operation_key": {"S": "least"}} for name in ("a-session", "event#1"))
    puts = [{"Put": {"TableName": table, "Item": item}} for item in (own, foreign)]

    assert is_refused(lambda: approvals.batch_get_item(RequestItems={table: {"Keys": [own, foreign]}}))
    assert is_refused(lambda: approvals.transact_write_items(TransactItems=puts))
    assert not is_refused(lambda: approvals.batch_get_item(RequestItems={table: {"Keys": [own]}}))


@pytest.mark.parametrize("by", ["lease_table_name", "lease_table_arn"])
def test_a_table_named_by_its_arn_is_the_table(cloud: Cloud, by: str) -> None:
    client = RoleSession.of_function(cloud, "health").client("dynamodb")
    sentinel, lease = ({"userEmail": {"S": email}, "uuid": {"S": "1"}} for email in ("health#1", "ada@sandbox.example"))

    assert not is_refused(lambda: client.get_item(TableName=cloud.outputs[by], Key=sentinel))
    assert is_refused(lambda: client.get_item(TableName=cloud.outputs[by], Key=lease))


def test_a_transaction_may_not_reach_into_a_table_of_the_neighbours(cloud: Cloud) -> None:
    own, neighbours = cloud.outputs["shuttle_table_name"], cloud.outputs["jira_issues_table_name"]
    client = RoleSession.of_function(cloud, "shuttle").client("dynamodb")
    key = {"PK": {"S": "least"}, "SK": {"S": "privilege"}}
    put = {"Put": {"TableName": own, "Item": key}}
    delete = {"Delete": {"TableName": neighbours, "Key": {"issue_key": {"S": "A-1"}, "updated_at": {"S": "HEAD"}}}}

    with pytest.raises(ClientError) as refused:
        client.transact_write_items(TransactItems=[put, delete])

    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "dynamodb:DeleteItem" in refused.value.response["Error"]["Message"]
    left = cloud.client("dynamodb").get_item(TableName=own, Key=key)
    assert "Item" not in left


def test_a_refusal_reads_as_aws_words_it(cloud: Cloud) -> None:
    session = RoleSession.of_function(cloud, "notification")
    arn = cloud.outputs["jira_issues_table_arn"]

    with pytest.raises(ClientError) as refused:
        session.client("dynamodb").scan(TableName=cloud.outputs["jira_issues_table_name"])

    account = arn.split(":")[4]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused.value.response["Error"] == {
        "Code": "AccessDeniedException",
        "Message": f"User: arn:aws:sts::{account}:assumed-role/{session.role}/tests is not authorized to perform: "
        f"dynamodb:Scan on resource: {arn} because no identity-based policy allows the dynamodb:Scan action",
    }


def test_no_function_may_read_a_secret_that_is_not_its_own(cloud: Cloud) -> None:
    arns = [each["ARN"] for each in cloud.client("secretsmanager").list_secrets()["SecretList"]]
    readable = {}
    for function in ALL_ENTRY_POINTS:
        client = RoleSession.of_function(cloud, function).client("secretsmanager")
        granted = [arn for arn in arns if not is_refused(lambda c=client, a=arn: c.get_secret_value(SecretId=a))]
        readable[function] = {arn.rpartition(":")[2].rsplit("-", 2)[0] for arn in granted}

    assert readable == {
        "notification": {"event-webhook-secret"},
        "webhooks": {"jira-webhook-secret", "jira-automation-token", "commit-webhook-secret"},
        "approvals": {"slack-signing-secret"},
        "jira_worker": {"jira-api-token", "slack-bot-token"},
        "reconciliation": {"jira-api-token"},
        "shuttle": set(),
        "imports": set(),
        "backfill": set(),
        "health": {arn.rpartition(":")[2].rsplit("-", 2)[0] for arn in arns},
    }


@pytest.mark.parametrize("function", ALL_ENTRY_POINTS)
def test_no_function_may_invoke_another(cloud: Cloud, function: str) -> None:
    client = RoleSession.of_function(cloud, function).client("lambda")
    others = {other: name for other, name in cloud.outputs["functions"].items() if other != function}

    allowed = [
        other
        for other, name in others.items()
        if not is_refused(lambda n=name: client.invoke(FunctionName=n, InvocationType="DryRun"))
    ]

    assert allowed == []


def test_functions_send_to_their_own_queues_and_topic_and_no_neighbours(cloud: Cloud) -> None:
    queues = {url.rsplit("/", 1)[-1].rsplit("-", 1)[0]: url for url in cloud.client("sqs").list_queues()["QueueUrls"]}
    topic = cloud.outputs["notification_topic_arn"]
    sends: dict[str, set[str]] = {}
    for function in ALL_ENTRY_POINTS:
        session = RoleSession.of_function(cloud, function)
        sqs, sns = session.client("sqs"), session.client("sns")
        sends[function] = {
            name
            for name, url in queues.items()
            # Held back for longer than the tests take: no worker is to meet it.
            if not is_refused(lambda s=sqs, u=url: s.send_message(QueueUrl=u, MessageBody="{}", DelaySeconds=900))
        }
        if not is_refused(lambda s=sns: s.publish(TopicArn=topic, Message='{"event_id": "least-privilege"}')):
            sends[function].add("topic")

    assert sends == {
        "notification": {"topic", "notification-failures"},
        "webhooks": {"jira-work"},
        "approvals": {"approval-work"},
        "jira_worker": {"approval-work"},
        "reconciliation": {"jira-work", "reconciliation-failures"},
        "shuttle": {"shuttle-jobs"},
        "imports": {"imports-failures", "shuttle-jobs"},
        "backfill": {"backfill-work"},
        "health": {"health-failures"},
    }


def test_a_function_may_not_give_itself_more(cloud: Cloud) -> None:
    session = RoleSession.of_function(cloud, "webhooks")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

    with pytest.raises(ClientError, match="AccessDenied"):
        session.client("iam").put_role_policy(RoleName=session.role, PolicyName="more", PolicyDocument=json.dumps(everything))


def test_a_link_is_worth_no_more_than_the_role_that_signed_it(cloud: Cloud) -> None:
    client = RoleSession.of_function(cloud, "webhooks").client("s3")
    bucket = cloud.outputs["artifact_bucket_name"]

    def put(key: str) -> int:
        link = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key})
        return requests.put(link, data=b"{}", timeout=30).status_code

    assert (put("snapshots/least-privilege.json"), put("runs/least-privilege.json")) == (200, 403)


def test_without_list_permission_a_missing_object_is_not_revealed(cloud: Cloud) -> None:
    session = RoleSession.of_function(cloud, "imports")
    bucket = cloud.outputs["import_bucket_name"]

    def code() -> str:
        with pytest.raises(ClientError) as raised:
            session.client("s3").get_object(Bucket=bucket, Key="uploads/nobody/nothing")
        return str(raised.value.response["Error"]["Code"])

    assert code() == "NoSuchKey"
    with session.without("s3:ListBucket"):
        assert code() == "AccessDenied"


def test_a_request_without_credentials_is_refused(cloud: Cloud) -> None:
    answer = requests.get(f"{cloud.aws_url}/{cloud.outputs['artifact_bucket_name']}", timeout=30)

    assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)


def deliver(cloud: Cloud, key: str) -> requests.Response:
    return cloud.post_signed("/webhooks/jira", issue_event(key), JIRA_SECRET, str(uuid.uuid4()))


def test_a_webhook_is_acknowledged_only_with_the_grant_to_write(cloud: Cloud) -> None:
    with RoleSession.of_function(cloud, "webhooks").without("dynamodb:PutItem"):
        assert deliver(cloud, "LEAST-1").status_code >= 500

    answer = deliver(cloud, "LEAST-1")
    assert (answer.status_code, answer.json()["status"]) == (202, "stored")


def test_without_the_grant_to_publish_no_notification_is_sent(cloud: Cloud) -> None:
    event = {"detail-type": "LeaseExpired", "source": "x", "detail": {}}

    with RoleSession.of_function(cloud, "notification").without("sns:Publish"):
        refused = cloud.invoke("notification", {**event, "id": str(uuid.uuid4())})
    sent = cloud.invoke("notification", {**event, "id": str(uuid.uuid4())})

    assert refused["error"] is not None
    assert sent["payload"]["channels"] == {"sns": "sent"}


def test_without_the_grant_to_receive_lambda_feeds_the_function_nothing(cloud: Cloud) -> None:
    """The pollers of an event source use the function's role."""
    sqs = cloud.client("sqs")
    queue = next(url for url in sqs.list_queues()["QueueUrls"] if "shuttle-jobs-" in url and "dead" not in url)
    name = "ApproximateNumberOfMessages"

    def backlog() -> int:
        return int(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])

    with RoleSession.of_function(cloud, "imports").without("sqs:ReceiveMessage"):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}))
        until(lambda: "imports" in "".join(cloud.errors) and "sqs:receivemessage" in "".join(cloud.errors))
        assert backlog() == 1

    until(lambda: backlog() == 0)
