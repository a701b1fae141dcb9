"""A Lambda function with all that belongs to it: its log group, its role with exactly its grants, and the queue where the
events end that it could not handle. What a function may do and what it knows is its caller's business.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from lib.platform.contract import METRICS_NAMESPACE
from stack.components import iam
from stack.components.queue import Queue, WorkQueue

ASYNC_RETRIES = 2
ASYNC_MAX_AGE_SECONDS = 3600
"""A notification that could not be sent for an hour is a case for a person, who is told by the alarm on the queue."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What one invocation gets, and how many there may be.

    Attributes:
        memory_mb: memory; CPU comes in proportion, one whole core at 1,769 MB.
        timeout_seconds: after which Lambda ends the invocation.
        reserved_concurrency: what is set aside for this function of the account's concurrency, and its own limit; 0 for none.
    """

    memory_mb: int
    timeout_seconds: int
    reserved_concurrency: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function as its callers and watchers need it.

    Attributes:
        entry_point: its module in handlers/.
        name: its name in AWS.
        arn: its ARN.
        log_group_name: where it writes to.
        role_name: whose rights it has.
        failures: where events end that it failed on, if it gets events asynchronously.
    """

    entry_point: str
    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    role_name: pulumi.Output[str]
    failures: Queue | None


def create(
    entry_point: str,
    *,
    code: pulumi.Archive,
    sizing: Sizing,
    variables: Mapping[str, pulumi.Input[str]],
    grants: Sequence[iam.Grant],
    log_retention_days: int,
    failures: Queue | None = None,
) -> Function:
    """Create the function whose entry point is ``handlers.<entry_point>.lambda_handler``.

    Args:
        entry_point: the module in handlers/.
        code: the archive of make package.
        sizing: memory and timeout.
        variables: its own environment variables; those of Powertools are added.
        grants: what its role may do beyond writing to its own log group and failure queue.
        log_retention_days: how long its log is kept.
        failures: where asynchronous events end that it failed on; None if nobody sends it any.
    """
    log_group = aws.cloudwatch.LogGroup(entry_point, retention_in_days=log_retention_days)
    role = aws.iam.Role(entry_point, assume_role_policy=iam.trust_policy("lambda.amazonaws.com"))
    role_policy = aws.iam.RolePolicy(
        entry_point, role=role.name, policy=iam.policy([_logging(log_group), *_failing(failures), *grants])
    )
    function = aws.lambda_.Function(
        entry_point,
        runtime="python3.13",
        architectures=["arm64"],
        handler=f"handlers.{entry_point}.lambda_handler",
        code=code,
        role=role.arn,
        memory_size=sizing.memory_mb,
        timeout=sizing.timeout_seconds,
        reserved_concurrent_executions=sizing.reserved_concurrency or None,  # Lambda takes 0 for "switched off"
        environment={"variables": {**variables, **_powertools(entry_point)}},
        # JSON, so that what the runtime itself prints of a failed invocation is one JSON object a line too. The log group is
        # named, not guessed from the function's random name.
        logging_config={"log_format": "JSON", "log_group": log_group.name},
        opts=pulumi.ResourceOptions(depends_on=[role_policy]),
    )
    if failures is not None:
        aws.lambda_.FunctionEventInvokeConfig(
            entry_point,
            function_name=function.name,
            maximum_retry_attempts=ASYNC_RETRIES,
            maximum_event_age_in_seconds=ASYNC_MAX_AGE_SECONDS,
            destination_config={"on_failure": {"destination": failures.arn}},
            opts=pulumi.ResourceOptions(depends_on=[role_policy]),
        )
    return Function(
        entry_point=entry_point,
        name=function.name,
        arn=function.arn,
        log_group_name=log_group.name,
        role_name=role.name,
        failures=failures,
    )


def allow_recursion(function: Function) -> None:
    """Let a function feed itself: by calling itself, or through a queue or a bucket.

    By default, Lambda stops such a chain after about 16 invocations, and what it stops at is a dead letter
    (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html). A function that is allowed more must bound its
    chain itself. tests/infra/test_self_feeding_chains.py lists every chain with its bound.
    """
    aws.lambda_.FunctionRecursionConfig(function.entry_point, function_name=function.name, recursive_loop="Allow")


def let_invoke_itself(function: Function) -> None:
    """Grant a function the right to call itself, again and again.

    The policy is one of its own, since the ARN is known only when the function is.
    """
    allow_recursion(function)
    aws.iam.RolePolicy(
        f"{function.entry_point}-itself",
        role=function.role_name,
        policy=iam.policy([iam.Grant(actions=("lambda:InvokeFunction",), resources=(function.arn,))]),
    )


def feed(
    name: str, function: Function, queue: WorkQueue, *, batch_size: int, window_seconds: int, maximum_concurrency: int
) -> None:
    """Have Lambda hand the messages of ``queue`` to ``function``, in batches that collect for ``window_seconds``.

    At most ``maximum_concurrency`` batches are worked on at once; the rest waits in the queue. Without that bound, one queue
    can take the account's whole concurrency (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html).

    ``name`` is the mapping's own, since a function may have several. The function's role needs the grants of
    :func:`receiving`. It says itself which messages of a batch it failed on.
    """
    aws.lambda_.EventSourceMapping(
        name,
        event_source_arn=queue.arn,
        function_name=function.name,
        batch_size=batch_size,
        maximum_batching_window_in_seconds=window_seconds,
        function_response_types=["ReportBatchItemFailures"],
        scaling_config={"maximum_concurrency": maximum_concurrency},
    )


def receiving(*queues: WorkQueue) -> iam.Grant:
    """What Lambda does with a function's role to feed it from ``queues``."""
    actions = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    return iam.Grant(actions=actions, resources=tuple(queue.arn for queue in queues))


def _logging(log_group: aws.cloudwatch.LogGroup) -> iam.Grant:
    return iam.Grant(
        actions=("logs:CreateLogStream", "logs:PutLogEvents"),
        resources=(log_group.arn.apply(lambda arn: f"{arn}:*"),),
        wildcard_reason="Lambda names the streams itself; the group is exact",
    )


def _failing(failures: Queue | None) -> list[iam.Grant]:
    return [iam.Grant(actions=("sqs:SendMessage",), resources=(failures.arn,))] if failures else []


def _powertools(entry_point: str) -> dict[str, str]:
    return {
        "POWERTOOLS_SERVICE_NAME": entry_point,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
