"""The notification function: a lease event in, by EventBridge or over HTTP; a message out on every channel.

It reads the event, has it enriched, composed and delivered, and answers what came of it. A channel that failed makes the
invocation fail after all channels were tried: Lambda calls again twice and then puts the event into the failure
destination, and the claims keep a retry from telling anyone twice. An event that can't be read goes the same way.
"""

import functools
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lib.leases.enrichment import Enricher, Enrichment
from lib.leases.events import LeaseEvent, read_event
from lib.notifications.channels.registry import make_channels
from lib.notifications.delivery import CLAIMS_KEPT, OLDEST, Delivery, Outcome, is_too_old
from lib.notifications.message import compose
from lib.platform import aws, clock, contract, errors, gc_tuning, metrics
from lib.platform.claims import Claims
from lib.platform.environment import NotificationEnvironment
from lib.platform.log import Logger, scrub
from lib.web import wsgi

if TYPE_CHECKING:
    import flask

# Longer than the function's timeout (30 s), so that no holder outlives its claim, and shorter than the minute that Lambda
# waits before it tries a failed event again, so that the retry of a crashed attempt finds the claim free.
CLAIM_LEASE = timedelta(seconds=50)


@functools.cache
def _secrets_manager() -> Any:
    """The client, once something needs it: with ``sns`` alone and no request over HTTP nothing does."""
    return aws.make_client("secretsmanager")


_environment = NotificationEnvironment.read()
_logger = Logger("notification")
_dynamodb = aws.make_client("dynamodb")
_enricher = Enricher(_dynamodb, _environment.lease_table_arn, _logger)
_channels = make_channels(_environment, _secrets_manager)


def _delivery(claims_kept: timedelta | None) -> Delivery:
    claims = Claims(_dynamodb, _environment.operations_table_name, lease=CLAIM_LEASE, keep=claims_kept)
    return Delivery(_channels, claims, _logger)


_dated = _delivery(CLAIMS_KEPT)
# The age of an undated event is unknown, so its claims never expire.
_undated = _delivery(None)


@dataclass(frozen=True, slots=True)
class Notification:
    """What came of one event that was handled whole."""

    event: LeaseEvent
    enrichment: Enrichment
    channels: dict[str, Outcome]

    @property
    def status(self) -> str:
        """``duplicate`` if an earlier attempt sent it on every channel, else ``accepted``."""
        is_duplicate = bool(self.channels) and all(outcome is Outcome.DUPLICATE for outcome in self.channels.values())
        return "duplicate" if is_duplicate else "accepted"

    def as_json(self) -> dict[str, Any]:
        """What the caller is told, and the log. An address that stands for an id or a type is hashed."""
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
        """What the caller gets, and the log."""
        return {"event_id": scrub(self.event.id), "detail_type": scrub(self.event.detail_type), "reason": self.reason}


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Handle a lease event of EventBridge, or an HTTP request of API Gateway, a Function URL or a load balancer.

    Raises:
        SwitchboardError: the event can't be read or a channel failed. Never from a request: that gets an HTTP answer.
    """
    run_id = str(context.aws_request_id)
    if isinstance(event, dict) and wsgi.form_of(event) is not None:
        return wsgi.respond(_http_app(), event, context)
    _logger.start_run(run_id)
    try:
        return process(event, run_id).as_json()
    except errors.SwitchboardError as error:
        _logger.error("event_failed", error)
        raise
    except Exception as error:
        _logger.defect("event_failed", error)
        # The runtime prints what leaves the handler, unscrubbed: no text that may hold a piece of the event.
        raise errors.SwitchboardError(f"the event could not be handled: {type(error).__name__}") from None


def process(obj: object, run_id: str, correlation_id: str | None = None) -> Notification | Ignored:
    """Notify of one event on every channel, unless it is so old that it may have been sent before (docs/adr/0018).

    ``run_id`` is the invocation's and ``correlation_id`` the HTTP request's; an event of EventBridge is its own.

    Raises:
        InvalidInputError: ``obj`` is no lease event.
        PayloadTooLargeError: it is too large.
        UnavailableError: a channel failed, or another attempt holds it and may yet fail; the others were served.
    """
    event = read_event(obj, clock.utc_now)
    _logger.start_run(run_id, event.id, correlation_id or event.id)
    now = clock.utc_now()
    if is_too_old(event, now):
        ignored = Ignored(event, f"the event is older than {OLDEST.days} days")
        metrics.count(contract.NOTIFICATION_TOO_OLD)
        _logger.warning("event_too_old", **ignored.as_json(), event_time=clock.canonical(event.time))
        return ignored
    enrichment = _enricher.enrich(event)
    message = compose(event, enrichment, _environment.console_url, now)
    # A retry by Lambda has the request id of the first try, and a claim's owner must be one try's own.
    channels = (_dated if event.is_dated else _undated).deliver(message, event.id, f"{run_id}/{uuid.uuid4()}")
    notification = Notification(event, enrichment, channels)
    _logger.info("lease_event", **notification.as_json())
    undone = sorted(name for name, outcome in channels.items() if outcome in {Outcome.FAILED, Outcome.HELD})
    if undone:
        raise errors.UnavailableError(f"not told on {', '.join(undone)}")
    return notification


@functools.cache
def _http_app() -> "flask.Flask":
    from handlers import notification_http  # noqa: PLC0415 - Flask is for the few that come over HTTP
    from lib.platform.secrets import Secret  # noqa: PLC0415

    secret = Secret(_secrets_manager(), _environment.event_webhook_secret_arn)
    return notification_http.make_app(process, secret, _logger)


gc_tuning.end()
