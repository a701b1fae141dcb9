"""What moto holds in this process of DynamoDB, SQS and S3: copied, and put back as it was."""

import copy
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from tests.support.aws.environment import REGION

ACCOUNT = "123456789012"

State = dict[str, dict[str, Any]]


def moto_state() -> State:
    """The rows, messages, objects and unfinished uploads. They are moto's own until they are copied."""
    buckets = s3_backends[ACCOUNT]["aws"].buckets
    return {
        "rows": {name: table.items for name, table in dynamodb_backends[ACCOUNT][REGION].tables.items()},
        "messages": {name: queue._messages for name, queue in sqs_backends[ACCOUNT][REGION].queues.items()},
        "objects": {name: dict(bucket.keys) for name, bucket in buckets.items()},
        "uploads": {name: bucket.multiparts for name, bucket in buckets.items()},
    }


def put_back(state: State) -> None:
    """Replace what the tables, queues and buckets hold. They must be there; those that ``state`` does not name are emptied."""
    for name, table in dynamodb_backends[ACCOUNT][REGION].tables.items():
        table.items.clear()
        table.items.update(copy.deepcopy(state.get("rows", {}).get(name, {})))
    for name, queue in sqs_backends[ACCOUNT][REGION].queues.items():
        queue._messages[:] = copy.deepcopy(state.get("messages", {}).get(name, []))
    for name, bucket in s3_backends[ACCOUNT]["aws"].buckets.items():
        bucket.keys.clear()
        bucket.keys.update(copy.deepcopy(state.get("objects", {}).get(name, {})))
        bucket.multiparts.clear()
        bucket.multiparts.update(copy.deepcopy(state.get("uploads", {}).get(name, {})))
