"""An AWS inside this process, for functions loaded by :mod:`tests.support.aws.functions`: moto answers
every client that ``lib.platform.aws`` makes, without a server between them. And the tables as the stack makes them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lib.platform import aws
from lib.platform.contract import JIRA_ISSUES, JIRA_OPERATIONS, LEASE_TABLE, SHUTTLE, TableLayout
from tests.support.aws.environment import REGION, set_all
from tests.support.aws.moto_clients import mocked, patched_client
from tests.support.aws.moto_state import made_once
from tests.support.dynamodb import tables

ISSUES, OPERATIONS, LEASES, BUCKET = "issues-1f3a", "operations-77c0", "leases-4f2a", "artifacts-09bd"
SHOPS = "shuttle-5e6d"
SHUTTLE_VARIABLES = {
    "SHUTTLE_TABLE_NAME": SHOPS,
    "IMPORT_BUCKET_NAME": "imports",
    "JOB_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/123456789012/shuttle-jobs",
    "EVENT_BUS_NAME": "switchboard",
}
"""The environment of the functions shuttle and imports."""
LEASES_ARN = f"arn:aws:dynamodb:{REGION}:123456789012:table/{LEASES}"


@contextmanager
def moto_inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have moto answer every client made meanwhile. AWS is empty at first. There is one client per service and options."""
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    set_all(monkeypatch, {"AWS_DEFAULT_REGION": REGION, **credentials})
    monkeypatch.setattr(aws, "make_client", patched_client)
    with mocked():
        yield


@made_once
def create_tables() -> None:
    """The lease, the issues, the operations and the Shuttle table."""
    create_table(LEASES, LEASE_TABLE)
    create_table(ISSUES, JIRA_ISSUES)
    create_table(OPERATIONS, JIRA_OPERATIONS)
    create_table(SHOPS, SHUTTLE)


def create_table(name: str, layout: TableLayout) -> None:
    """A table keyed and indexed as ``layout`` says."""
    tables.create_table(aws.make_client("dynamodb"), name, layout)


def create_bucket() -> None:
    """The artifact bucket."""
    aws.make_client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})


def create_secret(name: str, value: str) -> str:
    """A secret; its ARN."""
    return str(aws.make_client("secretsmanager").create_secret(Name=name, SecretString=value)["ARN"])


def rotate_secret(name: str, value: str) -> None:
    """Put a new value: the one before it becomes AWSPREVIOUS."""
    aws.make_client("secretsmanager").put_secret_value(SecretId=name, SecretString=value)
