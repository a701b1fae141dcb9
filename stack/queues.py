"""Queues: encrypted, by TLS only. All that exist so far are where events end that could not be handled."""

import dataclasses
import json
from typing import Any

import pulumi
import pulumi_aws as aws

from stack import iam

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


def queue_policy(queue_arn: str, sending_rule_arn: str | None) -> dict[str, Any]:
    """The policy document of a queue: TLS only, and the rule that may send to it."""
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
    return {"Version": iam.POLICY_VERSION, "Statement": statements}
