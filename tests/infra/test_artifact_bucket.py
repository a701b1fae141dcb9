"""The artifact bucket: private, encrypted, by TLS only; what is in it expires, and it is as protected as the tables."""

import json
from typing import Any

import pytest

from lib.jira.issue_writer import MAX_SNAPSHOT_BYTES
from lib.jira.issues import IssueFields, Stamp
from lib.jira.run_records import run_record_name
from lib.jira.webhooks import Delivery
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import NOW, Snapshots, make_store
from tests.support.project.pulumi_graph import EVERYTHING, JIRA_CONFIG, JIRA_SECRETS, Graph, declare, statements

BUCKET = "aws:s3/bucket:Bucket"


def of_the_bucket(graph: Graph, type_: str) -> dict[str, Any]:
    """The inputs of the one resource of this type, which belongs to the bucket."""
    inputs = dict(graph.one(type_, "artifacts").inputs)
    assert inputs.pop("bucket") == graph.one(BUCKET, "artifacts").outputs["bucket"]
    return inputs


def test_nothing_in_the_bucket_can_be_made_public() -> None:
    assert of_the_bucket(declare(), "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock") == {
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }


def test_what_is_in_the_bucket_is_encrypted() -> None:
    type_ = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"

    assert of_the_bucket(declare(), type_)["rules"] == [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]


def test_the_bucket_refuses_plain_http_and_grants_no_access() -> None:
    graph = declare()
    arn = graph.arn(BUCKET, "artifacts")

    [statement] = json.loads(of_the_bucket(graph, "aws:s3/bucketPolicy:BucketPolicy")["policy"])["Statement"]

    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [arn, f"{arn}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(("folder", "days"), [("runs", 400), ("snapshots", 91)])
def test_run_records_and_snapshots_expire_on_schedule(folder: str, days: int) -> None:
    """Run records expire after 400 days, and a snapshot one day after the version that points at it."""
    graph = declare(*EVERYTHING)
    rules = of_the_bucket(graph, "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")["rules"]

    assert [rule for rule in rules if rule["id"] == folder] == [
        {
            "id": folder,
            "status": "Enabled",
            "filter": {"prefix": f"{folder}/"},
            "expiration": {"days": days},
            "abortIncompleteMultipartUpload": {"daysAfterInitiation": 1},
        }
    ]
    assert len(rules) == 2


@pytest.mark.parametrize(("stack", "protected"), [("prod", True), ("local", False)])
def test_only_a_protected_stack_keeps_its_bucket(stack: str, protected: bool) -> None:
    """An unprotected stack deletes the bucket and everything in it."""
    graph = declare(stack=stack)

    assert bool(graph.options[BUCKET, "artifacts"].protect) is protected
    assert graph.one(BUCKET, "artifacts").inputs["forceDestroy"] is not protected


def test_the_bucket_is_not_named_by_the_program() -> None:
    assert "bucket" not in declare().one(BUCKET, "artifacts").inputs


def test_the_code_writes_only_to_expiring_folders_that_its_roles_may_write() -> None:
    graph = declare(JIRA_CONFIG, JIRA_SECRETS)
    rules = of_the_bucket(graph, "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")["rules"]
    granted = {
        resource.removeprefix(graph.arn(BUCKET, "artifacts") + "/").removesuffix("*")
        for policy in graph.all("aws:iam/rolePolicy:RolePolicy")
        for each in statements(policy.inputs["policy"])
        if each["Action"] == ["s3:PutObject"]
        for resource in each["Resource"]
        if resource.startswith(graph.arn(BUCKET, "artifacts"))
    }

    snapshots = Snapshots()
    stamp = Stamp("2026-03-01T12:00:00.000000Z", 1, "delivery")
    fields = IssueFields("summary", "Done", "ada", "Ada", ())
    large = Delivery("OPS-7", "10007", stamp, "jira:issue_updated", fields, snapshot="x" * (MAX_SNAPSHOT_BYTES + 1))
    make_store(FakeTable(), snapshots=snapshots).record(large)
    written = [*snapshots.written, run_record_name("correlation", NOW, "run", "token")]

    folders = {f"{name.partition('/')[0]}/" for name in written}
    assert folders == granted == {rule["filter"]["prefix"] for rule in rules}
