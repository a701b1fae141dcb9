"""The function that runs the jobs of shops, and sweeps those that lost their worker."""

from lib.platform.contract import GSI1, JOB_LEASE
from lib.platform.environment.imports import ImportsEnvironment
from stack.components import iam
from stack.components.function import Feed, FunctionSpec
from stack.components.iam import Grant
from stack.functions.parts import OF_A_SHOP, Parts, objects

TIMEOUT_SECONDS = 900

VISIBILITY_SECONDS = int(JOB_LEASE.total_seconds()) + 60
"""A minute longer than a worker may own a job, so that the next delivery after a lost worker may take the job over. Three times
that is less than the hour after which the sweep gives a job up."""

WORKERS = 20
"""A plan allows up to 10 unfinished jobs per shop, so that two large shops do not delay a small one. Each may run for
15 minutes."""

EPHEMERAL_MB = 10_240
"""The most that Lambda allows. The largest plan takes uploads of 1 GiB, whose text may be 4 GiB. Beside it are the shop's
catalogue as it was and as it will be, which are compressed, and what the engine spills while it sorts and joins."""


def spec(parts: Parts) -> FunctionSpec:
    """The function as data."""
    shuttle, bucket = parts.shuttle, parts.import_bucket
    return FunctionSpec(
        entry_point="imports",
        timeout_seconds=TIMEOUT_SECONDS,
        ephemeral_mb=EPHEMERAL_MB,
        asynchronous=True,
        environment=ImportsEnvironment,
        values={
            "shuttle_table_name": shuttle.name,
            "import_bucket_name": bucket.name,
            "job_queue_url": parts.shuttle_jobs.url,
            "event_bus_name": parts.events.bus_name,
        },
        grants=[
            Grant(
                actions=("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"),
                resources=(shuttle.arn,),
            ),
            Grant(actions=("dynamodb:Query",), resources=(shuttle.arn, shuttle.index_arn(GSI1))),
            objects("s3:GetObject", bucket, "uploads/", "catalogue/"),
            objects("s3:PutObject", bucket, "reports/", "changes/", "catalogue/", "exports/"),
            # Versions that are no longer kept, and what reaches the bucket after its shop was removed.
            objects("s3:DeleteObject", bucket, *OF_A_SHOP),
            # Without it, S3 answers 403 for a missing object, and a missing upload would look like a missing grant.
            Grant(actions=("s3:ListBucket",), resources=(bucket.arn,)),
            iam.sending(parts.shuttle_jobs.arn),  # the sweep sends the messages of exports again
            iam.putting_events(parts.events.bus_arn),
        ],
        feeds=[Feed(queue=parts.shuttle_jobs, batch_size=1, window_seconds=0, maximum_concurrency=WORKERS)],
    )
