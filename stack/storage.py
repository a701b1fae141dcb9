"""The buckets: private, encrypted, by TLS only, and what is in them expires."""

import dataclasses
import json

import pulumi
import pulumi_aws as aws

from stack import iam

RUN_RECORD_DAYS = 400
"""How long a run record is kept: a year and a month, so that one year can be held against the next."""


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

    A snapshot outlives the version row that points at it by a day. With ``protect``, Pulumi refuses to delete the bucket;
    without, what is in it goes with it.
    """
    bucket = aws.s3.Bucket("artifacts", force_destroy=not protect, opts=pulumi.ResourceOptions(protect=protect))
    aws.s3.BucketPublicAccessBlock(
        "artifacts",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        "artifacts",
        bucket=bucket.bucket,
        rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
    )
    aws.s3.BucketLifecycleConfiguration(
        "artifacts",
        bucket=bucket.bucket,
        rules=[_expiry("runs", RUN_RECORD_DAYS), _expiry("snapshots", history_days + 1)],
    )
    aws.s3.BucketPolicy("artifacts", bucket=bucket.bucket, policy=bucket.arn.apply(_tls_only))
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
