"""The buckets: private, encrypted, by TLS only, and what is in them expires."""

import dataclasses
import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from lib.platform.contract import JOB_KEPT
from stack.components import iam
from stack.components.queue import WorkQueue

RUN_RECORD_DAYS = 400
"""How long a run record is kept: a year and a month, so that one year can be held against the next."""

ARCHIVE_AFTER_DAYS = 90
UPLOAD_DAYS = 365
REPORT_DAYS = JOB_KEPT.days + 1
"""A report is kept as long as the row of its job."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket as its users need it."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]

    def objects(self, prefix: str) -> pulumi.Output[str]:
        """The ARN of every object below ``prefix``, as policies name them."""
        return self.arn.apply(lambda arn: f"{arn}/{prefix}*")


def create_artifact_bucket(*, history_days: int, protect: bool) -> Bucket:
    """The bucket of run records (``runs/``) and of snapshots that no row can hold (``snapshots/``).

    A snapshot outlives the version row that points at it by a day. Without ``protect``, what is in it is deleted with it.
    """
    return _create("artifacts", [_expiry("runs", RUN_RECORD_DAYS), _expiry("snapshots", history_days + 1)], protect=protect)


def create_import_bucket(*, cors_origins: Sequence[str], protect: bool) -> Bucket:
    """The bucket of the files that shops import (``uploads/``) and of the error reports on them (``reports/``).

    An upload is in the archive after 90 days, when its job's row goes, and is deleted after a year; a report goes with the row.
    Pages of ``cors_origins`` may send and fetch by link.
    """
    uploads = _expiry("uploads", UPLOAD_DAYS)
    uploads["transitions"] = [{"days": ARCHIVE_AFTER_DAYS, "storage_class": "GLACIER"}]
    bucket = _create("imports", [uploads, _expiry("reports", REPORT_DAYS)], protect=protect)
    if cors_origins:
        aws.s3.BucketCorsConfiguration(
            "imports",
            bucket=bucket.name,
            cors_rules=[
                {
                    "allowed_methods": ["GET", "PUT"],
                    "allowed_origins": list(cors_origins),
                    "allowed_headers": ["content-type"],
                    "expose_headers": ["ETag"],  # a page needs it to complete a multipart upload
                    "max_age_seconds": 3600,
                }
            ],
        )
    return bucket


def tell_queue(bucket: Bucket, queue: WorkQueue, folder: str) -> None:
    """Have ``bucket`` tell ``queue`` of every object that comes to be in ``folder``, which the queue must allow."""
    aws.s3.BucketNotification(
        "imports",
        bucket=bucket.name,
        queues=[{"queue_arn": queue.arn, "events": ["s3:ObjectCreated:*"], "filter_prefix": f"{folder}/"}],
    )


def _create(name: str, lifecycle: Sequence[aws.s3.BucketLifecycleConfigurationRuleArgsDict], *, protect: bool) -> Bucket:
    bucket = aws.s3.Bucket(name, force_destroy=not protect)
    aws.s3.BucketPublicAccessBlock(
        name,
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        name,
        bucket=bucket.bucket,
        rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
    )
    aws.s3.BucketLifecycleConfiguration(name, bucket=bucket.bucket, rules=lifecycle)
    aws.s3.BucketPolicy(name, bucket=bucket.bucket, policy=bucket.arn.apply(_tls_only))
    return Bucket(name=bucket.bucket, arn=bucket.arn)


def _expiry(folder: str, days: int) -> aws.s3.BucketLifecycleConfigurationRuleArgsDict:
    return {
        "id": folder,
        "status": "Enabled",
        "filter": {"prefix": f"{folder}/"},
        "expiration": {"days": days},
        "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
    }


def _tls_only(arn: str) -> str:
    statement = iam.refuse_plain_http(arn, "s3:*")
    return json.dumps({"Version": iam.POLICY_VERSION, "Statement": [{**statement, "Resource": [arn, f"{arn}/*"]}]})
