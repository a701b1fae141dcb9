"""The function that serves the HTTP API of shops and their jobs.

It is invoked over HTTP only: a caller repeats what failed, so it needs no failure queue. Jobs run in the function ``imports``.
"""

from lib.platform.contract import GSI3, JOB_STATUS_INDEX
from lib.platform.environment.shuttle import ShuttleEnvironment
from stack.components import iam
from stack.components.function import FunctionSpec
from stack.components.iam import Grant
from stack.functions.parts import OF_A_SHOP, Parts, objects


def spec(parts: Parts) -> FunctionSpec:
    """The function as data."""
    shuttle, bucket = parts.shuttle, parts.import_bucket
    return FunctionSpec(
        entry_point="shuttle",
        timeout_seconds=29,  # API Gateway answers 503 after 30 s
        environment=ShuttleEnvironment,
        values={
            "shuttle_table_name": shuttle.name,
            "import_bucket_name": bucket.name,
            "job_queue_url": parts.shuttle_jobs.url,
            "event_bus_name": parts.events.bus_name,
        },
        grants=[
            Grant(actions=("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"), resources=(shuttle.arn,)),
            Grant(actions=("dynamodb:DeleteItem", "dynamodb:BatchWriteItem"), resources=(shuttle.arn,)),
            Grant(actions=("dynamodb:ConditionCheckItem",), resources=(shuttle.arn,)),  # in transactions
            Grant(actions=("dynamodb:Query",), resources=(shuttle.arn, *map(shuttle.index_arn, (GSI3, JOB_STATUS_INDEX)))),
            # A presigned link allows what this role may do, on its one object.
            objects("s3:PutObject", bucket, "uploads/"),
            objects("s3:GetObject", bucket, "uploads/", "reports/", "changes/", "exports/"),
            # The multipart upload of a job is looked up; one without a job, or of a cancelled job, is aborted.
            objects("s3:ListMultipartUploadParts", bucket, "uploads/"),
            # A removal deletes all objects of a shop, and aborts what is incomplete.
            objects("s3:DeleteObject s3:AbortMultipartUpload", bucket, *OF_A_SHOP),
            Grant(actions=("s3:ListBucketMultipartUploads",), resources=(bucket.arn,)),
            # For removals. Also, without this grant S3 answers 403 for a missing object, so a missing upload would look like a
            # missing grant.
            Grant(actions=("s3:ListBucket",), resources=(bucket.arn,)),
            iam.sending(parts.shuttle_jobs.arn),
            iam.putting_events(parts.events.bus_arn),
        ],
    )
