"""Queues, encrypted and reachable by TLS only: dead-letter queues for events that could not be handled, and work queues."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from lib.platform import contract
from stack.components import iam
from stack.components.component import Component

DEAD_LETTER_RETENTION_SECONDS = 14 * 24 * 3600
"""The most that SQS allows: a dead letter waits for a person."""

WORK_RETENTION_SECONDS = 4 * 24 * 3600
"""Shorter than that of dead letters, since a message keeps its age when it becomes one."""


class DeadLetterQueue(Component):
    """A queue that keeps what it receives for 14 days."""

    def __init__(
        self, name: str, *, sender_arn: pulumi.Input[str] | None = None, parent: pulumi.Resource | None = None
    ) -> None:
        """Create the queue.

        Args:
            name: the logical name.
            sender_arn: the EventBridge rule that may send to it, if any. A function needs only the grant of its own role.
            parent: the component that it belongs to.
        """
        super().__init__(name, parent)
        queue = aws.sqs.Queue(
            name,
            message_retention_seconds=DEAD_LETTER_RETENTION_SECONDS,
            sqs_managed_sse_enabled=True,
            opts=self.child(),
        )
        _attach_policy(self, queue, sender_arn)
        self.name, self.arn = queue.name, queue.arn
        self.register_outputs({"name": self.name})


class WorkQueue(Component):
    """A queue that feeds a function. ``dead_letters`` receives what the function failed on too often."""

    def __init__(
        self,
        name: str,
        *,
        function_timeout_seconds: int,
        visibility_timeout_seconds: int | None = None,
        sender_arn: pulumi.Input[str] | None = None,
    ) -> None:
        """Create the queue of a function with this timeout, and its dead-letter queue.

        Args:
            name: the logical name.
            function_timeout_seconds: the timeout of the function.
            visibility_timeout_seconds: how long a delivered message stays invisible. By default six times the function's
                timeout, as Lambda asks for (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html):
                with less, a message that waits for its batch is delivered twice. Batches of one message need less.
            sender_arn: the bucket that may send to it, if any. ``arn`` of such a queue is known once the bucket may send,
                since S3 sends a test message.

        Raises:
            ValueError: a message would be delivered again while the function still works on it.
        """
        if visibility_timeout_seconds is not None and visibility_timeout_seconds < function_timeout_seconds:
            raise ValueError(f"{name}: a message would be delivered again while the function still works on it")
        super().__init__(name)
        self.dead_letters = DeadLetterQueue(f"{name}-dead-letters", parent=self)
        queue = aws.sqs.Queue(
            name,
            visibility_timeout_seconds=visibility_timeout_seconds or 6 * function_timeout_seconds,
            message_retention_seconds=WORK_RETENTION_SECONDS,
            sqs_managed_sse_enabled=True,
            redrive_policy=self.dead_letters.arn.apply(
                lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": contract.MAX_RECEIVES})
            ),
            opts=self.child(),
        )
        policy = _attach_policy(self, queue, sender_arn)
        self.name, self.url = queue.name, queue.url
        self.arn = pulumi.Output.all(queue.arn, policy.id).apply(lambda known: str(known[0]))
        self.register_outputs({"name": self.name})


def _attach_policy(component: Component, queue: aws.sqs.Queue, sender_arn: pulumi.Input[str] | None) -> aws.sqs.QueuePolicy:
    return aws.sqs.QueuePolicy(
        component.logical_name,
        queue_url=queue.id,
        policy=pulumi.Output.all(queue.arn, *([sender_arn] if sender_arn is not None else [])).apply(
            lambda arns: json.dumps(queue_policy(*arns))
        ),
        opts=component.child(),
    )


def queue_policy(queue_arn: str, *sender_arns: str) -> dict[str, Any]:
    """The policy document of a queue: TLS only, and the EventBridge rules and buckets of this account that may send to it."""
    senders = [_sender_statement(queue_arn, sender_arn) for sender_arn in sender_arns]
    return {"Version": iam.POLICY_VERSION, "Statement": [iam.refuse_plain_http(queue_arn, "sqs:*"), *senders]}


def _sender_statement(queue_arn: str, sender_arn: str) -> dict[str, Any]:
    service, account = sender_arn.split(":")[2], sender_arn.split(":")[4]
    condition: dict[str, Any] = {"ArnEquals": {"aws:SourceArn": sender_arn}}
    if not account:
        # The ARN of a bucket names no account, and anybody can take the name of a deleted bucket.
        condition["StringEquals"] = {"aws:SourceAccount": queue_arn.split(":")[4]}
    return {
        "Sid": f"Allow{service.capitalize()}",
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": condition,
    }
