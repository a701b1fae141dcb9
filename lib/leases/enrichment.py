"""Reads the lease of an event, always within two seconds, and never fails the event.

One strongly consistent GetItem; after ``ProvisionedThroughputExceededException``, and nothing else, one more after 500 ms. Each
result is an :class:`Enrichment` for the message, a log line and a metric.

The deadline holds because nothing waits for the network beyond it: each GetItem runs on another thread, and one that does not
answer in time is abandoned. Socket timeouts alone are not enough: they restart at every byte, and name resolution has none::

    0 s ─ GetItem ─ throttled ─ 500 ms ─ GetItem …………………… 2 s: FAILED, deadline; the thread ends with its call
          └─ one query ─┘                └─ one query: each has its own EnrichmentQueryLatencyMs
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.leases.circuit_breaker import Breaker
from lib.leases.events import LeaseEvent, LeaseKey, MissingKey, find_lease_key
from lib.leases.records import Lease, read_lease
from lib.leases.schema_drift import drift_of, fingerprint
from lib.platform import aws, clock, contract, errors, log, metrics

Call = Callable[[], dict[str, Any] | None]

DEADLINE_SECONDS = 2.0
"""The enrichment of one event ends within this time."""


class Status(StrEnum):
    """How the enrichment of an event ended."""

    ENRICHED = "enriched"
    NOT_FOUND = "not_found"
    SKIPPED = "skipped"
    FAILED = "failed"


class Reason(StrEnum):
    """Why an event was not enriched. It is also the ``reason`` dimension of metrics, so the list is short and closed."""

    NO_USER_EMAIL = "no_user_email"
    NO_UUID = "no_uuid"
    NO_KEY = "no_user_email_and_uuid"
    CIRCUIT_OPEN = "circuit_open"
    THROTTLED = "throttled"
    DEADLINE = "deadline"
    UNAVAILABLE = "unavailable"
    CONNECTION_LOST = "connection_lost"
    ACCESS_DENIED = "access_denied"
    NO_TABLE = "no_table"
    REFUSED = "refused"
    DEFECT = "defect"


@dataclass(frozen=True, slots=True)
class Enrichment:
    """The result of enrichment.

    ``lease`` and ``fingerprint`` are set if it is ENRICHED, ``reason`` if it is SKIPPED or FAILED, and ``latency_ms`` (of the
    last GetItem) if there was one.
    """

    status: Status
    reason: Reason | None = None
    lease: Lease | None = None
    fingerprint: str | None = None
    latency_ms: float | None = None


class Enricher:
    """Enriches events from one table. Created once per process; thread-safe.

    Args:
        client: a DynamoDB client of ``lib.platform.aws.make_client``.
        table: LeaseTable's name or ARN. A table in another account needs its ARN.
        logger: of the function.
        breaker: of the table; by default a new one.
        monotonic: the clock for latency and deadline.
        sleep: waits between the two tries.
    """

    def __init__(
        self,
        client: Any,
        table: str,
        logger: log.Logger,
        *,
        breaker: Breaker | None = None,
        monotonic: clock.Monotonic = clock.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._logger = logger
        self._breaker = breaker or Breaker(monotonic)
        self._monotonic = monotonic
        self._sleep = sleep
        self._callers = _Callers()

    def enrich(self, event: LeaseEvent) -> Enrichment:
        """Read the lease that ``event`` is about. Ends within ``DEADLINE_SECONDS`` and never raises."""
        key = find_lease_key(event.detail)
        if isinstance(key, MissingKey):
            return self._skipped(_reason_of(key), problems=key.problems)
        if not self._breaker.allows():
            return self._skipped(Reason.CIRCUIT_OPEN)
        query = _Query(self._get_item(key), self._callers, self._monotonic, self._monotonic() + DEADLINE_SECONDS)
        try:
            item = aws.retry_throttled_once(query.run, sleep=self._sleep, on_retry=query.allow_retry)
        except Exception as error:  # the notification is sent even without the lease
            self._breaker.failed()
            return self._failed(key, error, query)
        self._breaker.succeeded()
        return self._found(key, item, query) if item else self._not_found(key, query)

    def _get_item(self, key: LeaseKey) -> Call:
        def get_item() -> dict[str, Any] | None:
            answer = self._client.get_item(
                TableName=self._table,
                Key={"userEmail": {"S": key.user_email}, "uuid": {"S": key.uuid}},
                ConsistentRead=True,
            )
            item: dict[str, Any] | None = answer.get("Item")
            return item

        return get_item

    def _found(self, key: LeaseKey, item: dict[str, Any], query: "_Query") -> Enrichment:
        lease = read_lease(item)
        schema = fingerprint(lease.names)
        metrics.count(contract.ENRICHMENT_SUCCESS)
        self._logger.info(
            "lease_schema",
            fingerprint=schema,
            lease_status=lease.status,
            field_count=len(lease.names),
            latency_ms=query.latency_ms,
            **_who(key),
        )
        drift = drift_of(lease)
        if drift:
            metrics.count(contract.SCHEMA_DRIFT)
            self._logger.warning(
                "schema_drift",
                fingerprint=schema,
                lease_status=lease.status,
                unknown=drift.unknown,
                missing=drift.missing,
                mistyped=drift.mistyped,
            )
        return Enrichment(Status.ENRICHED, lease=lease, fingerprint=schema, latency_ms=query.latency_ms)

    def _not_found(self, key: LeaseKey, query: "_Query") -> Enrichment:
        metrics.count(contract.LEASE_NOT_FOUND)
        self._logger.warning("lease_not_found", latency_ms=query.latency_ms, **_who(key))
        return Enrichment(Status.NOT_FOUND, latency_ms=query.latency_ms)

    def _skipped(self, reason: Reason, **fields: Any) -> Enrichment:
        metrics.count(contract.ENRICHMENT_SKIPPED, reason=reason)
        self._logger.warning("enrichment_skipped", reason=reason, **fields)
        return Enrichment(Status.SKIPPED, reason)

    def _failed(self, key: LeaseKey, error: Exception, query: "_Query") -> Enrichment:
        if isinstance(error, BotoCoreError | ClientError):
            error = aws.translate(error, "read the lease")
        reason = _failure(error)
        if reason is Reason.THROTTLED and query.was_throttled:
            metrics.count(contract.ENRICHMENT_THROTTLE_EXHAUSTED)
        metrics.count(contract.ENRICHMENT_FAILURE, reason=reason)
        write = self._logger.defect if reason is Reason.DEFECT else self._logger.error
        write("enrichment_failed", error, reason=reason, latency_ms=query.latency_ms, **_who(key))
        return Enrichment(Status.FAILED, reason, latency_ms=query.latency_ms)


class _Query:
    """The GetItem of one event, sent once or twice within one deadline."""

    def __init__(self, call: Call, callers: "_Callers", monotonic: clock.Monotonic, deadline: float) -> None:
        self._call = call
        self._callers = callers
        self._monotonic = monotonic
        self._deadline = deadline
        self.latency_ms: float | None = None
        self.was_throttled = False
        """Whether it was throttled, which is the one error with a retry."""

    def run(self) -> dict[str, Any] | None:
        """Send it, and wait until the deadline at most.

        Raises:
            DeadlineExceededError: there was no answer in time.
            ClientError: or any other error of the client.
        """
        started = self._monotonic()
        try:
            return self._callers.call_within(self._deadline - started, self._call)
        finally:
            self.latency_ms = round((self._monotonic() - started) * 1000, 3)
            metrics.milliseconds(contract.ENRICHMENT_QUERY_LATENCY_MS, self.latency_ms)

    def allow_retry(self) -> None:
        """Count the retry.

        Raises:
            ThrottledError: the wait before it would outlast the deadline.
        """
        self.was_throttled = True
        if self._deadline - self._monotonic() <= aws.THROTTLE_RETRY_DELAY_SECONDS:
            raise errors.ThrottledError("could not read the lease: throttled, and no time left for a retry")
        metrics.count(contract.ENRICHMENT_THROTTLE_RETRY)


class _Callers:
    """Threads for calls with a deadline. A thread is reused when its call is done."""

    def __init__(self) -> None:
        self._idle: list[_Caller] = []

    def __del__(self) -> None:
        for caller in self._idle:
            caller.calls.put(None)

    def call_within(self, seconds: float, call: Call) -> dict[str, Any] | None:
        """The result of ``call``, or DeadlineExceededError after ``seconds``.

        The thread uses only the client: an abandoned one must not log or count as part of the next event.
        """
        try:
            caller = self._idle.pop()
        except IndexError:
            caller = _Caller()
        caller.calls.put(call)
        try:
            result, error = caller.outcomes.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            caller.calls.put(None)  # abandoned: it ends with its call
            raise errors.DeadlineExceededError("could not read the lease: no answer within the deadline") from None
        self._idle.append(caller)
        if error is not None:
            raise error
        return result


class _Caller:
    """One thread. It ends when it receives None as a call."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self.outcomes: queue.SimpleQueue[tuple[dict[str, Any] | None, BaseException | None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="lease-query", daemon=True).start()

    def _run(self) -> None:
        while (call := self.calls.get()) is not None:
            try:
                self.outcomes.put((call(), None))
            except BaseException as error:
                self.outcomes.put((None, error))


def _reason_of(key: MissingKey) -> Reason:
    if key.user_email is not None and key.uuid is not None:
        return Reason.NO_KEY
    return Reason.NO_UUID if key.user_email is None else Reason.NO_USER_EMAIL


# The first match counts, so a subclass comes before its parent.
_FAILURES: tuple[tuple[type[Exception], Reason], ...] = (
    (errors.ThrottledError, Reason.THROTTLED),
    (errors.DeadlineExceededError, Reason.DEADLINE),
    (errors.UnavailableError, Reason.UNAVAILABLE),
    (errors.ServerFaultError, Reason.UNAVAILABLE),  # a read has no effect that could have happened
    (errors.ConnectionLostError, Reason.CONNECTION_LOST),
    (errors.AccessDeniedError, Reason.ACCESS_DENIED),
    (errors.NotFoundError, Reason.NO_TABLE),
    (errors.PermanentError, Reason.REFUSED),
)


def _failure(error: Exception) -> Reason:
    return next((reason for kind, reason in _FAILURES if isinstance(error, kind)), Reason.DEFECT)


def _who(key: LeaseKey) -> dict[str, str]:
    return {"lease_user": log.hash_email(key.user_email), "lease_uuid": key.uuid}
