"""Notifies people of a lease event: reads the event, has it enriched, composed and delivered, and reports the result."""

import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lib.leases.enrichment import Enricher, Enrichment
from lib.leases.events import LeaseEvent, read_event
from lib.notifications.channels.base import Channel
from lib.notifications.delivery import CLAIMS_KEPT, OLDEST, Delivery, Outcome, is_too_old
from lib.notifications.links import Console
from lib.notifications.message import compose
from lib.notifications.routing import Rule, find_route
from lib.platform import clock, contract, errors, metrics
from lib.platform.claims import Claims
from lib.platform.log import Logger, scrub

CLAIM_LEASE = timedelta(seconds=50)
"""Longer than the function's timeout (30 s), so that no attempt outlives its claim. Shorter than the minute that Lambda waits
before a retry, so that the retry of a crashed attempt finds the claim free."""


@dataclass(frozen=True, slots=True)
class Notified:
    """The result for an event that was handled on every channel."""

    event: LeaseEvent
    enrichment: Enrichment
    channels: dict[str, Outcome]

    @property
    def status(self) -> str:
        """``duplicate`` if an earlier attempt sent it on every channel, else ``accepted``."""
        is_duplicate = bool(self.channels) and all(outcome is Outcome.DUPLICATE for outcome in self.channels.values())
        return "duplicate" if is_duplicate else "accepted"

    def as_json(self) -> dict[str, Any]:
        """The answer to the caller, which is also logged. An e-mail address in the id or type is hashed."""
        return {
            "event_id": scrub(self.event.id),
            "detail_type": scrub(self.event.detail_type),
            "enrichment": {"status": self.enrichment.status, "reason": self.enrichment.reason},
            "channels": dict(self.channels),
        }


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that was not sent, and why."""

    event: LeaseEvent
    reason: str
    status: str = "ignored"

    def as_json(self) -> dict[str, Any]:
        """The answer to the caller, which is also logged."""
        return {"event_id": scrub(self.event.id), "detail_type": scrub(self.event.detail_type), "reason": self.reason}


class Notifier:
    """Notifies on all configured channels.

    Args:
        enricher: reads the lease of an event.
        channels: by name.
        make_claims: creates the claims, given how long to keep them (None: forever).
        console: what messages link to.
        rules: where events go; without any, to every channel.
        logger: of the function.
    """

    def __init__(
        self,
        *,
        enricher: Enricher,
        channels: Mapping[str, Channel],
        make_claims: Callable[[timedelta | None], Claims],
        console: Console,
        rules: Sequence[Rule] = (),
        logger: Logger,
    ) -> None:
        self._enricher = enricher
        self._console = console
        self._rules = rules
        self._channels = tuple(channels)
        self._logger = logger
        self._dated = Delivery(channels, make_claims(CLAIMS_KEPT), logger)
        # The age of an undated event is unknown, so its claims never expire.
        self._undated = Delivery(channels, make_claims(None), logger)

    def notify(self, obj: object, run_id: str, correlation_id: str | None = None) -> Notified | Ignored:
        """Notify of one event on every channel of its route.

        An event that a rule drops, or that is so old that it may have been sent before (docs/adr/0018), is ignored.

        Args:
            obj: the event as EventBridge delivers it, not yet checked.
            run_id: of the invocation.
            correlation_id: of the HTTP request; None for an event from EventBridge, which uses the event's own id.

        Raises:
            InvalidInputError: ``obj`` is not a lease event.
            PayloadTooLargeError: it is too large.
            UnavailableError: a channel failed, or another attempt holds it and may yet fail. The other channels have sent it.
        """
        started = clock.monotonic()
        event = read_event(obj, clock.utc_now)
        self._logger.start_run(run_id, event.id, correlation_id or event.id)
        about = {"event_source": event.source, "event_time": clock.canonical(event.time)}
        now = clock.utc_now()
        if is_too_old(event, now):
            ignored = Ignored(event, f"the event is older than {OLDEST.days} days")
            metrics.count(contract.NOTIFICATION_TOO_OLD)
            self._logger.warning("event_too_old", **ignored.as_json(), **about)
            return ignored
        enrichment = self._enricher.enrich(event)
        message = compose(event, enrichment, self._console, now)
        route = find_route(self._rules, message.about, self._channels)
        about |= message.for_log()
        if not route.channels:
            dropped = Ignored(event, f"rule {route.rule} of notifyRoutes drops it")
            self._logger.info("event_dropped", **dropped.as_json(), **about, rule=route.rule)
            return dropped
        message = dataclasses.replace(message, slack_channel=route.slack_channel, mention=route.mention)
        delivery = self._dated if event.is_dated else self._undated
        # A retry by Lambda has the request id of the first attempt, and a claim's owner must be unique to one attempt.
        channels = delivery.deliver(message, event.id, f"{run_id}/{uuid.uuid4()}", route.channels)
        notified = Notified(event, enrichment, channels)
        took = clock.elapsed_ms(started)
        self._logger.info("lease_event", **notified.as_json(), **about, rule=route.rule, duration_ms=took)
        unsent = sorted(name for name, outcome in channels.items() if outcome in {Outcome.FAILED, Outcome.HELD})
        if unsent:
            raise errors.UnavailableError(f"not sent on {', '.join(unsent)}")
        return notified
