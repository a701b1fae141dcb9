"""Sees that a message goes out on every channel, once on each, and that one channel's failure is no other's.

Before a channel sends, the event is claimed for it (docs/adr/0006)::

    claim ─► won ──► send ─┬─ ok ───► complete                         SENT
             done ─────────│─────────────────────────────────────────► DUPLICATE
             held ─────────│───── somebody sends, or crashed just now ► HELD
             no answer ────┤      send all the same, maybe twice
                           └─ error ► release, so that a retry may try  FAILED

It knows neither what the message says nor when the event comes again.
"""

from collections.abc import Mapping
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
"""How long the claims on a dated event are kept, and with them the knowledge that it was sent (docs/adr/0018)."""
OLDEST = CLAIMS_KEPT - MAX_CLOCK_SKEW
"""An event of this age is not sent: it may have been sent before, under claims that have expired. Its sender's clock may have
been ahead, so that it came in before its own time."""


def is_too_old(event: LeaseEvent, now: datetime) -> bool:
    """Whether the event may have been sent before, under claims that have expired."""
    return event.is_dated and now - event.time >= OLDEST


class Outcome(StrEnum):
    """What came of one channel."""

    SENT = "sent"
    DUPLICATE = "duplicate"
    """An earlier attempt sent it."""
    HELD = "held"
    """Another attempt is sending it, or crashed a moment ago: not known to be sent, so the event must come again."""
    FAILED = "failed"
    """Not sent, or not known to be sent: the event must come again."""
    UNADDRESSED = "unaddressed"
    """The channel writes to a person and the event names none: nothing to send, and nothing to try again."""


class Delivery:
    """Delivers on all channels.

    Args:
        channels: by name.
        claims: where it is recorded what was sent.
        logger: of the function.
    """

    def __init__(self, channels: Mapping[str, Channel], claims: Claims, logger: Logger) -> None:
        self._channels = channels
        self._claims = claims
        self._logger = logger

    def deliver(self, message: Message, event_id: str, owner: str) -> dict[str, Outcome]:
        """Send ``message`` on each channel that has not sent it yet, and say what came of each. Never raises.

        ``event_id`` names the event, on every retry the same; ``owner`` names this attempt and no other.

        One channel after another: there are a few, each bounds its own wait, and an attempt is cheap to follow in the log.
        """
        return {name: self._deliver(name, message, event_id, owner) for name in self._channels}

    def _deliver(self, name: str, message: Message, event_id: str, owner: str) -> Outcome:
        claim = self._claim(name, event_id, owner)
        if claim is not None and claim.verdict is not Verdict.WON:
            outcome = Outcome.DUPLICATE if claim.verdict is Verdict.DONE else Outcome.HELD
            self._logger.info("notification_not_sent", channel=name, outcome=outcome)
            return outcome
        failure = self._send(name, message)
        if failure is None or isinstance(failure, NoRecipientError):
            self._complete(claim)
            return Outcome.SENT if failure is None else Outcome.UNADDRESSED
        self._release(claim, failure)
        return Outcome.FAILED

    def _send(self, name: str, message: Message) -> Exception | None:
        """Send on one channel; the answer is the error, if there was one."""
        try:
            self._channels[name].send(message)
        except NoRecipientError as error:
            self._logger.warning("notification_unaddressed", channel=name, reason=str(error))
            return error
        except errors.SwitchboardError as error:
            self._failed(name)
            self._logger.error("notification_failed", error, channel=name)
            return error
        except Exception as error:  # a channel's defect is no other channel's
            self._failed(name)
            self._logger.defect("notification_failed", error, channel=name)
            return error
        metrics.count(contract.NOTIFICATION_SENT, channel=name)
        self._logger.info("notification_sent", channel=name)
        return None

    def _failed(self, name: str) -> None:
        metrics.count(contract.NOTIFICATION_FAILED, channel=name)

    def _claim(self, name: str, event_id: str, owner: str) -> Claim | None:
        """The claim, or None if the table does not answer: a notification goes out all the same."""
        try:
            return self._claims.claim(f"{EVENT_PARTITIONS}{event_id}", name, owner)
        except Exception as error:
            self._unsettled("notification_unclaimed", error, name)
            return None

    def _complete(self, claim: Claim | None) -> None:
        if claim is None:
            return
        try:
            self._claims.complete(claim)
        except Exception as error:  # it was sent, and that is what the caller asked for
            self._unsettled("notification_unrecorded", error, claim.operation_key)

    def _release(self, claim: Claim | None, failure: Exception) -> None:
        if claim is None:
            return
        # An error of ours holds nothing personal; what another says can't be known.
        reason = str(failure) if isinstance(failure, errors.SwitchboardError) else type(failure).__name__
        try:
            self._claims.release(claim, reason)
        except Exception as error:  # the claim runs out by itself
            self._unsettled("notification_unreleased", error, claim.operation_key)

    def _unsettled(self, message: str, error: Exception, name: str) -> None:
        """Log that the claims' table and what happened differ, so that the message may go out twice."""
        if isinstance(error, errors.SwitchboardError):
            self._logger.warning(message, channel=name, error=type(error).__name__, error_text=str(error))
        else:
            self._logger.defect(message, error, channel=name)
