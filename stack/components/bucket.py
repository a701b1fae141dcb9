"""The buckets: private, encrypted and reachable by TLS only. Every object expires, except the catalogues of shops."""

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from lib.platform.contract import EXPORT_KEPT, JOB_KEPT
from stack.components import iam
from stack.components.component import Component
from stack.components.queue import WorkQueue

RUN_RECORD_DAYS = 400
"""A year and a month, so that one year can be compared with the next."""

ARCHIVE_AFTER_DAYS = 90
UPLOAD_DAYS = 365
REPORT_DAYS = JOB_KEPT.days + 1
"""A report is kept as long as the row of its job, and so is the file of changed rows."""

LifecycleRule = aws.s3.BucketLifecycleConfigurationRuleArgsDict


class Bucket(Component):
    """A bucket with its lifecycle rules. Without ``protect``, its objects are deleted with it."""

    def __init__(
        self, name: str, lifecycle: Sequence[LifecycleRule], *, protect: bool, cors_origins: Sequence[str] = ()
    ) -> None:
        """Create the bucket; web pages of ``cors_origins`` may upload and download by presigned links."""
        super().__init__(name)
        bucket = aws.s3.Bucket(name, force_destroy=not protect, opts=self.child())
        self.name, self.arn = bucket.bucket, bucket.arn
        aws.s3.BucketPublicAccessBlock(
            name,
            bucket=self.name,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self.child(),
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=self.name,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=self.child(),
        )
        aws.s3.BucketLifecycleConfiguration(name, bucket=self.name, rules=lifecycle, opts=self.child())
        aws.s3.BucketPolicy(name, bucket=self.name, policy=self.arn.apply(_tls_only), opts=self.child())
        if cors_origins:
            self._allow_pages(cors_origins)
        self.register_outputs({"name": self.name})

    def objects(self, prefix: str) -> pulumi.Output[str]:
        """The ARN of every object below ``prefix``, as policies name it."""
        return self.arn.apply(lambda arn: f"{arn}/{prefix}*")

    def notify(self, queue: WorkQueue, folder: str) -> None:
        """Send a message for every object that is created in ``folder`` to ``queue``, whose policy must allow it."""
        aws.s3.BucketNotification(
            self.logical_name,
            bucket=self.name,
            queues=[{"queue_arn": queue.arn, "events": ["s3:ObjectCreated:*"], "filter_prefix": f"{folder}/"}],
            opts=self.child(),
        )

    def _allow_pages(self, origins: Sequence[str]) -> None:
        aws.s3.BucketCorsConfiguration(
            self.logical_name,
            bucket=self.name,
            cors_rules=[
                {
                    "allowed_methods": ["GET", "PUT"],
                    "allowed_origins": list(origins),
                    "allowed_headers": ["content-type"],
                    "expose_headers": ["ETag"],  # a page needs it to complete a multipart upload
                    "max_age_seconds": 3600,
                }
            ],
            opts=self.child(),
        )


def artifact_bucket(*, history_days: int, protect: bool) -> Bucket:
    """The bucket of run records (``runs/``) and of snapshots that are too large for a row (``snapshots/``).

    A snapshot outlives the version row that points at it by a day.
    """
    return Bucket("artifacts", [_expiry("runs", RUN_RECORD_DAYS), _expiry("snapshots", history_days + 1)], protect=protect)


def import_bucket(*, cors_origins: Sequence[str], protect: bool) -> Bucket:
    """The bucket of Shuttle's files: uploads of shops (``uploads/``), error reports (``reports/``), rows that imports changed
    (``changes/``), the versions of catalogues (``catalogue/``), and exports (``exports/``).

    An upload is archived after 90 days, when the row of its job expires, and deleted after a year. The current version of a
    catalogue is kept as long as its shop, so the code deletes versions, and no rule does.
    """
    uploads = _expiry("uploads", UPLOAD_DAYS)
    uploads["transitions"] = [{"days": ARCHIVE_AFTER_DAYS, "storage_class": "GLACIER"}]
    kept = {"reports": REPORT_DAYS, "changes": REPORT_DAYS, "exports": EXPORT_KEPT.days}
    rules = [uploads, *(_expiry(folder, days) for folder, days in kept.items()), _cleaning("catalogue")]
    return Bucket("imports", rules, protect=protect, cors_origins=cors_origins)


def _expiry(folder: str, days: int) -> LifecycleRule:
    return {**_cleaning(folder), "expiration": {"days": days}}


def _cleaning(folder: str) -> LifecycleRule:
    """Abort uploads of parts that were not completed within a day."""
    return {
        "id": folder,
        "status": "Enabled",
        "filter": {"prefix": f"{folder}/"},
        "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
    }


def _tls_only(arn: str) -> str:
    statement = iam.refuse_plain_http(arn, "s3:*")
    return json.dumps({"Version": iam.POLICY_VERSION, "Statement": [{**statement, "Resource": [arn, f"{arn}/*"]}]})
