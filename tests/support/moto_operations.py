"""The operations table in moto, behind a real client, so that requests are checked as AWS checks them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto import mock_aws

TABLE = "operations"


@contextmanager
def operations_client() -> Iterator[Any]:
    """A DynamoDB client with the empty table :data:`TABLE`."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-west-2", aws_access_key_id="test", aws_secret_access_key="test")
        client.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "session_id", "KeyType": "HASH"},
                {"AttributeName": "operation_key", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "session_id", "AttributeType": "S"},
                {"AttributeName": "operation_key", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client
