"""Sends a message on every channel, once on each, and keeps one channel's failure from affecting another.

Before a channel sends, the event is claimed for it (docs/adr/0006)::

    claim ─► won ──► send ─┬─ ok ───► complete                               SENT
             done ─────────│───────────────────────────────────────────────► DUPLICATE
             held ─────────│───── another attempt sends, or crashed just now ► HELD
             no answer ────┤      send anyway, perhaps twice
                           └─ error ► release, so that a retry may send      FAILED
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from lib.leases.events import MAX_CLOCK_SKEW, LeaseEvent
from lib.notifications.channels.base import Channel, NoRecipientError
from lib.notifications.message import Message
from lib.platform import contract, errors, metrics
from lib.platform.claims import Claim, Claims, Verdict
from lib.platform.contract import EVENT_PARTITIONS
from lib.platform.log import Logger

CLAIMS_KEPT = timedelta(days=400)
"""How long the claims on a dated event are kept, and so the record that it was sent (docs/adr/0018)."""
OLDEST = CLAIMS_KEPT - MAX_CLOCK_SKEW
"""An event of this age is not sent: it may have been sent before, under claims that have expired. Its sender's clock may have
been ahead, so it may have arrived before its own time."""


def is_too_old(event: LeaseEvent, now: datetime) -> bool:
    """Whether the event may have been sent before, under claims that have expired."""
    return event.is_dated and now - event.time >= OLDEST


class Outcome(StrEnum):
    """The result of one channel."""

    SENT = "sent"
    DUPLICATE = "duplicate"
    """An earlier attempt sent it."""
    HELD = "held"
    """Another attempt is sending it, or crashed a moment ago. It may not be sent, so the event must be retried."""
    FAILED = "failed"
    """It was not sent, or may not be sent: the event must be retried."""
    UNADDRESSED = "unaddressed"
    """The channel writes to a person and the event names none: nothing to send and nothing to retry."""


class Delivery:
    """Delivers on all channels.

    Args:
        channels: by name.
        claims: record what was sent.
        logger: of the function.
    """

    def __init__(self, channels: Mapping[str, Channel], claims: Claims, logger: Logger) -> None:
        self._channels = channels
        self._claims = claims
        self._logger = logger

    def deliver(self, message: Message, event_id: str, owner: str, channels: Iterable[str]) -> dict[str, Outcome]:
        """Send ``message`` on each of ``channels`` that has not sent it yet, one after another. Never raises.

        ``event_id`` is the same on every retry of the event; ``owner`` is unique to this attempt.
        """
        return {name: self._deliver(name, message, event_id, owner) for name in channels}

    def _deliver(self, name: str, message: Message, event_id: str, owner: str) -> Outcome:
        claim = self._claim(name, event_id, owner)
        if claim is not None and claim.verdict is not Verdict.WON:
            outcome = Outcome.DUPLICATE if claim.verdict is Verdict.DONE else Outcome.HELD
            self._logger.info("notification_not_sent", channel=name, outcome=outcome)
            return outcome
        failure = self._send(name, message)
        if failure is None or isinstance(failure, NoRecipientError):
            self._settle(claim, "claim_completion_failed", self._claims.complete)
            return Outcome.SENT if failure is None else Outcome.UNADDRESSED
        # The text of our errors holds nothing personal; the text of others may.
        reason = str(failure) if isinstance(failure, errors.SwitchboardError) else type(failure).__name__
        self._settle(claim, "claim_release_failed", lambda claim: self._claims.release(claim, reason))
        return Outcome.FAILED

    def _send(self, name: str, message: Message) -> Exception | None:
        """Send on one channel. Returns the error, if there was one."""
        try:
            self._channels[name].send(message)
        except NoRecipientError as error:
            self._logger.warning("notification_without_recipient", channel=name, reason=str(error))
            return error
        except Exception as error:  # other channels must still send
            metrics.count(contract.NOTIFICATION_FAILED, channel=name)
            write = self._logger.error if isinstance(error, errors.SwitchboardError) else self._logger.defect
            write("notification_failed", error, channel=name)
            return error
        metrics.count(contract.NOTIFICATION_SENT, channel=name)
        self._logger.info("notification_sent", channel=name)
        return None

    def _claim(self, name: str, event_id: str, owner: str) -> Claim | None:
        """The claim; None if the claims can't be reached, since the notification is sent anyway."""
        try:
            return self._claims.claim(f"{EVENT_PARTITIONS}{event_id}", name, owner)
        except Exception as error:
            self._warn("claim_unavailable", error, name)
            return None

    def _settle(self, claim: Claim | None, failure_event: str, settle: Callable[[Claim], None]) -> None:
        """Complete or release the claim. A failure is only logged: a claim that can't be settled expires."""
        if claim is None:
            return
        try:
            settle(claim)
        except Exception as error:
            self._warn(failure_event, error, claim.operation_key)

    def _warn(self, event: str, error: Exception, name: str) -> None:
        """Log that the claims do not match what happened, so the message may be sent twice."""
        if isinstance(error, errors.SwitchboardError):
            self._logger.warning(event, channel=name, error=type(error).__name__, error_text=str(error))
        else:
            self._logger.defect(event, error, channel=name)
