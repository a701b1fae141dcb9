"""Batches of messages as the SQS event source hands them to a function, and which of them it failed."""

from types import ModuleType
from typing import Any

from lib.jira.tasks import Task
from tests.support.aws.lambda_context import LambdaContext


def sqs_event(*bodies: str) -> dict[str, Any]:
    """An event with a message a body, their ids ``m-1``, ``m-2`` and so on."""
    return {"Records": [sqs_record(f"m-{number}", body) for number, body in enumerate(bodies, 1)]}


def sqs_record(identifier: str, body: str) -> dict[str, Any]:
    """One message of such an event."""
    return {
        "messageId": identifier,
        "receiptHandle": "r",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-west-2:123456789012:jira-work-3c1d",
    }


def work(worker: ModuleType, *messages: Task | str, context: LambdaContext | None = None) -> list[str]:
    """Have a worker do a batch of messages; the ids of those that failed."""
    bodies = [message.to_body() if isinstance(message, Task) else message for message in messages]
    answer = worker.lambda_handler(sqs_event(*bodies), context or LambdaContext())
    assert answer.keys() == {"batchItemFailures"}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
