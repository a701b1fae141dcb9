"""SQS event sources: polls a queue, invokes the function with each batch, and deletes the processed messages.

As Lambda does (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html): a batch collects for the batching window, an
answer with ``batchItemFailures`` keeps those messages, and an error keeps all. On AWS a kept message returns when its
visibility timeout ends; here after a second, so that it reaches the dead-letter queue soon.
"""

import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from moto.sqs.models import sqs_backends

from stack.local.invocations import Invoker

_POLL_SECONDS = 0.1
_RETRY_SECONDS = 1
_BATCH_LIMIT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """One queue that feeds one function: its name, or the ARN of its alias."""

    queue_arn: str
    function: str
    batch_size: int
    window_seconds: float
    reports_item_failures: bool


class QueueBridge:
    """Feeds one function from one queue, until closed.

    ``sqs_of_role`` is the client of the function's role, with which Lambda polls; ``sqs`` is an operator's, for what no
    poller does on AWS.
    """

    def __init__(self, source: EventSource, invoker: Invoker, sqs: Any, sqs_of_role: Any) -> None:
        self._source = source
        self._invoker = invoker
        self._sqs = sqs
        self._sqs_of_role = sqs_of_role
        *_, self._region, account_id, self._name = source.queue_arn.split(":")
        self._backend: Any = sqs_backends[account_id][self._region]
        self._url: str = sqs.get_queue_url(QueueName=self._name)["QueueUrl"]
        self._arrival: threading.Condition = self._backend.queues[self._name]._messages_lock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sqs-{source.function}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop polling."""
        self._stopping.set()
        with self._arrival:
            self._arrival.notify_all()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if messages := self._collect():
                    self._process(messages)
                elif self._backend.queues[self._name]._messages:  # in flight, or delayed
                    self._stopping.wait(_POLL_SECONDS)
                else:
                    self._await_message()
            except Exception as error:  # a bridge must survive a failed poll
                if not self._stopping.is_set():
                    print(f"local cloud: polling for {self._source.function} failed: {error}", file=sys.stderr)
                self._stopping.wait(1)

    def _await_message(self) -> None:
        """Sleep until there is a message, so that an idle cloud costs its machine nothing."""
        queue = self._backend.queues[self._name]
        with self._arrival:
            self._arrival.wait_for(lambda: queue._messages or self._stopping.is_set())

    def _collect(self) -> list[dict[str, Any]]:
        messages = self._receive(self._source.batch_size)
        end = time.monotonic() + self._source.window_seconds
        while messages and len(messages) < self._source.batch_size and time.monotonic() < end and not self._stopping.is_set():
            more = self._receive(self._source.batch_size - len(messages))
            messages += more
            if not more:
                self._stopping.wait(_POLL_SECONDS)
        return messages

    def _receive(self, limit: int) -> list[dict[str, Any]]:
        if not self._backend.queues[self._name].messages:
            return []
        # It receives only if there are messages, so that a grant to receive does not count as used without one.
        backlog = self._sqs_of_role.get_queue_attributes(QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"])
        if int(backlog["Attributes"]["ApproximateNumberOfMessages"]) == 0:
            return []
        answer = self._sqs_of_role.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(limit, _BATCH_LIMIT),
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            WaitTimeSeconds=0,
        )
        return list(answer.get("Messages", []))

    def _process(self, messages: list[dict[str, Any]]) -> None:
        event = {"Records": [self._record(message) for message in messages]}
        result = self._invoker.invoke(self._source.function, json.dumps(event).encode())
        if self._stopping.is_set():
            return
        failed = {message["MessageId"] for message in messages} if result.error else self._failures(result.payload, messages)
        done: list[dict[str, str]] = []
        for message in messages:
            if message["MessageId"] in failed:
                self._sqs.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=_RETRY_SECONDS
                )
            else:
                done.append({"Id": str(len(done)), "ReceiptHandle": message["ReceiptHandle"]})
        for start in range(0, len(done), _BATCH_LIMIT):
            self._sqs_of_role.delete_message_batch(QueueUrl=self._url, Entries=done[start : start + _BATCH_LIMIT])

    def _failures(self, payload: bytes, messages: list[dict[str, Any]]) -> set[str]:
        if not self._source.reports_item_failures:
            return set()
        everything = {message["MessageId"] for message in messages}
        try:
            answer = json.loads(payload)
            items = (answer or {}).get("batchItemFailures", [])
            failed = {item["itemIdentifier"] for item in items or []}
        except (ValueError, AttributeError, TypeError, KeyError):
            return everything  # Lambda treats a malformed answer as a failure of the whole batch
        return failed if failed <= everything else everything

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: {
                    "stringValue": value.get("StringValue"),
                    "dataType": value.get("DataType"),
                    "stringListValues": [],
                    "binaryListValues": [],
                }
                for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._source.queue_arn,
            "awsRegion": self._region,
        }
