"""The function that serves shops, runs their imports, and sweeps."""

from lib.platform.contract import GSI1, GSI3, JOB_LEASE, JOB_STATUS_INDEX
from lib.platform.environment import ShuttleEnvironment
from stack.components.function import Feed, FunctionSpec
from stack.components.iam import Grant
from stack.functions.parts import Parts, objects

TIMEOUT_SECONDS = 900

VISIBILITY_SECONDS = int(JOB_LEASE.total_seconds()) + 60
"""A minute longer than a worker may own a job, so that the next delivery after a lost worker may take the job over. Three times
that is less than the hour after which the sweep gives a job up."""

WORKERS = 20
"""A plan allows up to 10 unfinished jobs per shop, so that two large shops do not delay a small one. Each may run for
15 minutes."""


OF_A_SHOP = ("uploads/", "reports/", "changes/", "catalogue/", "exports/")
"""Where the import bucket has objects of shops."""


def spec(parts: Parts) -> FunctionSpec:
    """The function as data."""
    shuttle, imports = parts.shuttle, parts.imports
    return FunctionSpec(
        entry_point="shuttle",
        timeout_seconds=TIMEOUT_SECONDS,
        asynchronous=True,
        environment=ShuttleEnvironment,
        values={"shuttle_table_name": shuttle.name, "import_bucket_name": imports.name},
        grants=[
            Grant(actions=("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"), resources=(shuttle.arn,)),
            Grant(actions=("dynamodb:DeleteItem", "dynamodb:BatchWriteItem"), resources=(shuttle.arn,)),  # removes shops
            Grant(actions=("dynamodb:ConditionCheckItem",), resources=(shuttle.arn,)),  # in transactions
            Grant(
                actions=("dynamodb:Query",),
                resources=(shuttle.arn, *map(shuttle.index_arn, (GSI1, GSI3, JOB_STATUS_INDEX))),
            ),
            # A presigned link allows what this role may do, on its one object.
            objects("s3:PutObject", imports, "uploads/", "reports/"),
            objects("s3:GetObject", imports, "uploads/", "reports/"),
            # The multipart upload of a job is looked up; one without a job, or of a cancelled job, is aborted.
            objects("s3:ListMultipartUploadParts", imports, "uploads/"),
            # A removal deletes all objects of a shop, and aborts what is incomplete.
            objects("s3:DeleteObject s3:AbortMultipartUpload", imports, *OF_A_SHOP),
            Grant(actions=("s3:ListBucketMultipartUploads",), resources=(imports.arn,)),
            # A removal lists objects. And without this grant, S3 answers 403 for a missing object, and a missing upload would
            # look like a missing grant.
            Grant(actions=("s3:ListBucket",), resources=(imports.arn,)),
        ],
        feeds=[Feed(queue=parts.shuttle_jobs, batch_size=1, window_seconds=0, maximum_concurrency=WORKERS)],
    )
