"""What every peer does alike and no library does for it: the rows of an issue, their conditions, the text of a notice."""

import hashlib
import hmac
import json
import os
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import perf_counter

import output

NO_NEWER_EVENT = "attribute_not_exists(issue_key) OR event_at < :event_at OR (event_at = :event_at AND idempotency_key < :key)"
NO_NEWER_STAMP = (
    "attribute_not_exists(issue_key) OR version_at < :version_at OR (version_at = :version_at AND "
    "(event_at < :event_at OR (event_at = :event_at AND idempotency_key < :key)))"
)


class BadSignatureError(Exception):
    """The signature is missing or wrong."""


def check(body: bytes, signature: str | None, secret: str) -> None:
    """Check an ``X-Hub-Signature``."""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature or ""):
        raise BadSignatureError


def store(client, table: str, body: bytes, delivery: str) -> str:
    """Store the version and HEAD of the issue in a webhook, unless something newer is stored. Returns the issue's key."""
    event = json.loads(body, parse_float=Decimal)
    issue, fields = event["issue"], event["issue"]["fields"]
    updated = datetime.strptime(fields["updated"], "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(UTC)
    version_at = updated.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    now = datetime.now(UTC)
    project, number = issue["key"].rsplit("-", 1)
    names = [version["name"] for version in fields.get("fixVersions", [])]
    shown = {
        "summary": {"S": fields["summary"]},
        "status": {"S": fields["status"]["name"]},
        "fix_versions": {"L": [{"S": name} for name in names]},
    }
    if fields.get("assignee"):
        shown["assignee"] = {"S": fields["assignee"]["accountId"]}
        shown["assignee_name"] = {"S": fields["assignee"]["displayName"]}
    stamp = {"event_at": {"N": str(event["timestamp"])}, "idempotency_key": {"S": delivery}}
    version = {
        "issue_key": {"S": issue["key"]},
        "updated_at": {"S": version_at},
        **stamp,
        "event_type": {"S": event["webhookEvent"]},
        "received_at": {"S": now.isoformat()},
        "expires_at": {"N": str(int((now + timedelta(days=365)).timestamp()))},
        "deleted": {"BOOL": False},
        "issue_id": {"S": issue["id"]},
        "fields": {"M": shown},
        "raw": {"S": body.decode()},
    }
    head = {
        "issue_key": {"S": issue["key"]},
        "updated_at": {"S": "HEAD"},
        "version_at": {"S": version_at},
        **stamp,
        "deleted": {"BOOL": False},
        "issue_id": {"S": issue["id"]},
        "project_key": {"S": project},
        "issue_number": {"N": number},
        **shown,
        **_index_keys(issue["key"], version_at, shown, names),
    }
    values = {":event_at": stamp["event_at"], ":key": stamp["idempotency_key"]}
    put(client, table, version, NO_NEWER_EVENT, values)
    put(client, table, head, NO_NEWER_STAMP, values | {":version_at": {"S": version_at}})
    return issue["key"]


def _index_keys(key: str, version_at: str, shown: dict, names: list) -> dict:
    """The attributes by which the table's indexes find the issue."""
    shard = zlib.crc32(key.encode()) % 32
    texts = {name: shown[name]["S"] for name in ("status", "assignee") if name in shown}
    if names:
        texts["fix_version"] = names[0]
    return {
        "changed_hour": {"S": version_at[:13]},
        **{f"{name}_shard": {"S": f"{text}#{shard}"} for name, text in texts.items()},
    }


def put(client, table: str, item: dict, condition: str, values: dict) -> bool:
    """Put an item under a condition; False if something newer is stored."""
    try:
        client.put_item(TableName=table, Item=item, ConditionExpression=condition, ExpressionAttributeValues=values)
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def lease_of(client, table: str, event: dict) -> dict:
    """The lease that an event is about."""
    from boto3.dynamodb.types import TypeDeserializer

    lease_id = event["detail"]["leaseId"]
    key = {"userEmail": {"S": lease_id["userEmail"]}, "uuid": {"S": lease_id["uuid"]}}
    item = client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
    read = TypeDeserializer().deserialize
    return {name: read(value) for name, value in item.items()}


def enrich(client, event: dict, log) -> dict:
    """Read the lease, and say so."""
    started = perf_counter()
    lease = lease_of(client, os.environ["LEASE_TABLE_ARN"], event)
    output.lease(log, lease, started, event["detail"]["leaseId"]["uuid"])
    return lease


def notify(client, messages, event: dict, log) -> dict:
    """Notify of one event, once."""
    lease = enrich(client, event, log)
    table = os.environ["OPERATIONS_TABLE_NAME"]
    if not claim(client, table, event["id"]):
        return {"status": "duplicate"}
    messages.publish(TopicArn=os.environ["NOTIFICATION_TOPIC_ARN"], **notice(event, lease))
    complete(client, table, event["id"])
    output.sent(event)
    return {"status": "sent"}


def claim(client, table: str, event_id: str) -> bool:
    """Claim an event; False if another attempt has it."""
    now = datetime.now(UTC)
    try:
        client.put_item(
            TableName=table,
            Item={
                "session_id": {"S": f"event#{event_id}"},
                "operation_key": {"S": "sns"},
                "status": {"S": "pending"},
                "claim_expires_at": {"S": (now + timedelta(seconds=50)).isoformat()},
                "expires_at": {"N": str(int((now + timedelta(days=14)).timestamp()))},
            },
            ConditionExpression="attribute_not_exists(session_id) OR (#status = :pending AND claim_expires_at <= :now)",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":pending": {"S": "pending"}, ":now": {"S": now.isoformat()}},
        )
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def complete(client, table: str, event_id: str) -> None:
    """Record that the event was announced."""
    client.update_item(
        TableName=table,
        Key={"session_id": {"S": f"event#{event_id}"}, "operation_key": {"S": "sns"}},
        UpdateExpression="SET #status = :done, updated_at = :now",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":done": {"S": "done"}, ":now": {"S": datetime.now(UTC).isoformat()}},
    )


def notice(event: dict, lease: dict) -> dict:
    """What to publish, without the topic."""
    lines = [f"{event['detail-type']}: {lease.get('originalLeaseTemplateName', 'a sandbox')}"]
    lines += [f"{name}: {value}" for name, value in sorted(lease.items())]
    text = "\n".join(lines)
    structured = json.dumps({"event": event, "lease": lease}, default=str)
    return {
        "Subject": lines[0][:99],
        "MessageStructure": "json",
        "Message": json.dumps({"default": text, "sqs": structured, "lambda": structured}),
        "MessageAttributes": {"event_type": {"DataType": "String", "StringValue": event["detail-type"]}},
    }
