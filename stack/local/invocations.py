"""Invokes functions synchronously and asynchronously, as Lambda does.

An asynchronous event whose function fails is retried, and after the last attempt sent with its error to the function's
failure destination (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html). Lambda waits one
minute before the first retry and two before the second; here it is one second and two. After a crash or a timeout it is
nearly a minute, because the lost invocation's claims are held until then.
"""

import dataclasses
import heapq
import itertools
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lib.platform.contract import ALIAS
from stack.local.functions import LATEST, FunctionHost, FunctionSpec
from stack.local.monitoring import aws_metrics
from stack.local.monitoring.store import Record
from stack.local.runtime_api import Result
from stack.local.versions import FunctionNotFoundError, Reference, Target, Versions

SYNCHRONOUS_LIMIT_BYTES = 6 * 1024 * 1024 + 64 * 1024
"""Lambda's limit of 6 MB, and a margin for the event in which the HTTP gateway wraps a body."""
ASYNCHRONOUS_LIMIT_BYTES = 1024 * 1024
RETRY_SECONDS = (1.0, 2.0)
CRASH_RETRY_SECONDS = 55.0
"""Longer than the claims of the notification function, 50 s."""


class PayloadTooLargeError(ValueError):
    """The payload exceeds Lambda's limit for this kind of invocation."""


@dataclass(frozen=True, slots=True)
class AsyncConfig:
    """What happens to an asynchronous event whose function fails."""

    maximum_retry_attempts: int = 2
    on_failure_arn: str = ""


@dataclass(order=True, slots=True)
class _Pending:
    due: float
    order: int
    function: Reference = field(compare=False)
    payload: bytes = field(compare=False)
    request_id: str = field(compare=False)
    attempt: int = field(compare=False, default=1)


class Invoker:
    """Invokes the functions of one local cloud. Its methods raise FunctionNotFoundError and PayloadTooLargeError.

    The processes of a function run the version of the alias ``live``. They serve every version that is configured in the same
    way; a call of another one gets a process of its own, for that call.

    Args:
        hosts: the functions by name.
        versions: the aliases and versions of the functions.
        make_host: makes the host of another version than the live one.
        async_configs: by function name and alias: ``<name>:live``.
        sqs: an operator's client.
        sqs_of: the client of a function's role, with which Lambda sends failed events.
        record: keeps the metrics that Lambda writes.
        before_call: called before each invocation.
    """

    def __init__(
        self,
        hosts: Mapping[str, FunctionHost],
        versions: Versions,
        *,
        make_host: Callable[[FunctionSpec], FunctionHost],
        async_configs: Mapping[str, AsyncConfig],
        sqs: Any,
        sqs_of: Callable[[str], Any],
        record: Record,
        before_call: Callable[[], None] = lambda: None,
    ) -> None:
        self._before_call = before_call
        self._hosts = dict(hosts)
        self._versions = versions
        self._make_host = make_host
        self._redeploying = threading.Lock()
        self._async_configs = dict(async_configs)
        self._sqs = sqs
        self._sqs_of = sqs_of
        self._record = record
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._queues: dict[str, list[_Pending]] = {name: [] for name in hosts}
        self._stopped = False
        self._threads = [threading.Thread(target=self._run, args=(name,), name=f"async-{name}", daemon=True) for name in hosts]
        for thread in self._threads:
            thread.start()

    @property
    def hosts(self) -> Iterable[FunctionHost]:
        """The functions."""
        return self._hosts.values()

    def resolve(self, function: str, qualifier: str = "") -> Target:
        """The version of a name, an ARN or a partial ARN, with or without an alias or a version."""
        target = self._versions.resolve(Reference.read(function, qualifier))
        if target.spec.name not in self._hosts:
            raise FunctionNotFoundError(f"Function not found: {function}")
        return target

    def invoke(self, function: str, payload: bytes, qualifier: str = "") -> Result:
        """Run a function and wait for its answer."""
        target = self.resolve(function, qualifier)
        _check_size(payload, SYNCHRONOUS_LIMIT_BYTES)
        return self._measured(target, payload)

    def invoke_later(self, function: str, payload: bytes, qualifier: str = "") -> str:
        """Accept an event for a function; its request id."""
        target = self.resolve(function, qualifier)
        _check_size(payload, ASYNCHRONOUS_LIMIT_BYTES)
        pending = _Pending(time.monotonic(), next(self._order), target.reference, payload, str(uuid.uuid4()))
        self._push(pending)
        return pending.request_id

    def dead_letter(self, queue_arn: str, body: str, function: str = "") -> None:
        """Send a failed event to a queue, with the role of ``function`` if one is given."""
        queue_name = queue_arn.rsplit(":", 1)[-1]
        try:
            url = self._sqs.get_queue_url(QueueName=queue_name)["QueueUrl"]
            sender = self._sqs_of(function) if function else self._sqs
            sender.send_message(QueueUrl=url, MessageBody=body)
        except Exception as error:  # the caller must continue with the next event
            print(f"local cloud: could not dead-letter to {queue_name}: {error}", file=sys.stderr)
            if function:
                self._record(aws_metrics.of_lost_event(function))

    def close(self) -> None:
        """Stop. Waiting events are lost, like everything in a local cloud."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)

    def _measured(self, target: Target, payload: bytes, request_id: str | None = None) -> Result:
        self._before_call()
        started_at = time.time()
        result = dataclasses.replace(self._run_version(target, payload, request_id), version=target.spec.version)
        self._record(aws_metrics.of_invocation(target.spec.name, started_at, result.seconds, failed=bool(result.error)))
        return result

    def _run_version(self, target: Target, payload: bytes, request_id: str | None) -> Result:
        host = self._hosts[target.spec.name]
        if target.reference.qualifier == ALIAS and host.spec is not target.spec:
            with self._redeploying:
                if host.spec is not target.spec:
                    host.redeploy(target.spec)
        if target.reference.qualifier == ALIAS or target.spec.runs_as(host.spec):
            return host.invoke(payload, request_id, target.arn)
        other = self._make_host(target.spec)
        try:
            return other.invoke(payload, request_id, target.arn)
        finally:
            other.stop()

    def _push(self, pending: _Pending) -> None:
        with self._changed:
            heapq.heappush(self._queues[pending.function.name], pending)
            self._changed.notify_all()

    def _run(self, name: str) -> None:
        while (pending := self._next(name)) is not None:
            target = self._versions.resolve(pending.function)
            result = self._measured(target, pending.payload, pending.request_id)
            if result.error and not self._stopped:
                self._failed(pending, target, result)

    def _next(self, name: str) -> _Pending | None:
        waiting = self._queues[name]
        with self._changed:
            while not self._stopped:
                if waiting and waiting[0].due <= time.monotonic():
                    return heapq.heappop(waiting)
                self._changed.wait(waiting[0].due - time.monotonic() if waiting else None)
        return None

    def _failed(self, pending: _Pending, target: Target, result: Result) -> None:
        config = self._async_configs.get(str(pending.function), AsyncConfig())
        if pending.attempt <= config.maximum_retry_attempts:
            crashed = b'"Runtime.ExitError"' in result.payload or b'"Sandbox.Timedout"' in result.payload
            pause = RETRY_SECONDS[min(pending.attempt, len(RETRY_SECONDS)) - 1]
            pending.due = time.monotonic() + (CRASH_RETRY_SECONDS if crashed else pause)
            pending.attempt += 1
            self._push(pending)
        elif config.on_failure_arn:
            self.dead_letter(config.on_failure_arn, json.dumps(_failure_record(pending, target, result)), target.spec.name)
        else:
            print(f"local cloud: {target.spec.entry_point} gave up on {pending.request_id}", file=sys.stderr)


def _check_size(payload: bytes, limit: int) -> None:
    if len(payload) > limit:
        raise PayloadTooLargeError(f"Request must be smaller than {limit} bytes for the InvokeFunction operation")


def _failure_record(pending: _Pending, target: Target, result: Result) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    return {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": pending.request_id,
            "functionArn": target.arn if pending.function.qualifier else f"{target.arn}:{LATEST}",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": pending.attempt,
        },
        "requestPayload": json.loads(pending.payload),
        "responseContext": {"statusCode": 200, "executedVersion": target.spec.version, "functionError": result.error},
        "responsePayload": json.loads(result.payload),
    }
