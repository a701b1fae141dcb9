"""Queues: encrypted, by TLS only. Dead-letter queues, where events end that could not be handled, and work queues."""

import dataclasses
import json
from typing import Any

import pulumi
import pulumi_aws as aws

from stack.components import iam

RETENTION_SECONDS = 14 * 24 * 3600
"""As long as SQS can: what is in a dead-letter queue waits for a person."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue as its users need it."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]


def create_dead_letter_queue(name: str, *, sending_rule_arn: pulumi.Input[str] | None = None) -> Queue:
    """Create a queue that keeps what it gets for 14 days.

    Args:
        name: the logical name.
        sending_rule_arn: the EventBridge rule that may send to it, if any. A function needs its own role's grant only.
    """
    queue = aws.sqs.Queue(name, message_retention_seconds=RETENTION_SECONDS, sqs_managed_sse_enabled=True)
    aws.sqs.QueuePolicy(
        name,
        queue_url=queue.id,
        policy=pulumi.Output.all(queue.arn, sending_rule_arn).apply(lambda arns: json.dumps(queue_policy(*arns))),
    )
    return Queue(name=queue.name, arn=queue.arn)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkQueue:
    """A queue that feeds a function. ``dead_letters`` gets what the function failed on too often."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    url: pulumi.Output[str]
    dead_letters: Queue


WORK_RETENTION_SECONDS = 4 * 24 * 3600
"""A message keeps its age when it becomes a dead letter: what waited long here must not be gone at once there."""

MAX_RECEIVES = 5
"""How often a message is tried before it is a dead letter."""


def create_work_queue(
    name: str,
    *,
    function_timeout_seconds: int,
    visibility_timeout_seconds: int | None = None,
    sending_bucket_arn: pulumi.Input[str] | None = None,
) -> WorkQueue:
    """Create a queue for a function with this timeout, and its dead-letter queue.

    A message stays invisible for six times the timeout, as Lambda asks for
    (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html): shorter, and one that waits for its batch is
    handed out twice. ``visibility_timeout_seconds`` says otherwise for a queue whose batches are of one message.

    ``sending_bucket_arn`` is the bucket that may send to it. Such a queue's ``arn`` is known once it may: S3 tries.
    """
    if visibility_timeout_seconds is not None and visibility_timeout_seconds < function_timeout_seconds:
        raise ValueError(f"{name}: a message would come back while the function still has it")
    dead_letters = create_dead_letter_queue(f"{name}-dead-letters")
    queue = aws.sqs.Queue(
        name,
        visibility_timeout_seconds=visibility_timeout_seconds or 6 * function_timeout_seconds,
        message_retention_seconds=WORK_RETENTION_SECONDS,
        sqs_managed_sse_enabled=True,
        redrive_policy=dead_letters.arn.apply(
            lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES})
        ),
    )
    policy = aws.sqs.QueuePolicy(
        name,
        queue_url=queue.id,
        policy=pulumi.Output.all(queue.arn, sending_bucket_arn).apply(
            lambda arns: json.dumps(queue_policy(arns[0], None, sending_bucket_arn=arns[1]))
        ),
    )
    arn = pulumi.Output.all(queue.arn, policy.id).apply(lambda known: str(known[0]))
    return WorkQueue(name=queue.name, arn=arn, url=queue.url, dead_letters=dead_letters)


def queue_policy(queue_arn: str, sending_rule_arn: str | None, *, sending_bucket_arn: str | None = None) -> dict[str, Any]:
    """The policy document of a queue: TLS only, and the rule or the bucket of this account that may send to it."""
    statements = [iam.refuse_plain_http(queue_arn, "sqs:*")]
    if sending_rule_arn:
        statements.append(
            {
                "Sid": "DeadLettersOfTheRule",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": sending_rule_arn}},
            }
        )
    if sending_bucket_arn:
        # The ARN of a bucket names no account, and a deleted bucket's name can be taken by anybody.
        account = queue_arn.split(":")[4]
        statements.append(
            {
                "Sid": "EventsOfTheBucket",
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {
                    "ArnEquals": {"aws:SourceArn": sending_bucket_arn},
                    "StringEquals": {"aws:SourceAccount": account},
                },
            }
        )
    return {"Version": iam.POLICY_VERSION, "Statement": statements}
