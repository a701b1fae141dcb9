"""The notification function: receives a lease event from EventBridge or over HTTP, and sends a message on every channel.

If a channel fails, the invocation fails after all channels were tried: Lambda retries twice and then sends the event to the
failure destination, and claims keep a retry from sending anything twice. The same happens to an event that can't be read.
"""

import functools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lib.leases.enrichment import Enricher
from lib.leases.events import own_id
from lib.notifications.channels.registry import make_channels
from lib.notifications.links import Console
from lib.notifications.routing import parse_rules
from lib.notifications.service import CLAIM_LEASE, Notifier
from lib.platform import aws, gc_tuning, invocation
from lib.platform.claims import Claims
from lib.platform.environment.notification import NotificationEnvironment
from lib.platform.log import Logger
from lib.platform.secrets import Secret
from lib.web import wsgi

if TYPE_CHECKING:
    import flask


def _make_claims(keep: timedelta | None) -> Claims:
    return Claims(_dynamodb, _environment.operations_table_name, lease=CLAIM_LEASE, keep=keep)


_environment = NotificationEnvironment.read()
_logger = Logger("notification")
_dynamodb = aws.make_client("dynamodb")
_secrets_manager = aws.lazy_client("secretsmanager")  # ``sns`` alone, without HTTP, needs no secret
_enricher = Enricher(_dynamodb, _environment.lease_table_arn, _logger)
_notifier = Notifier(
    enricher=_enricher,
    channels=make_channels(_environment, _secrets_manager),
    make_claims=_make_claims,
    console=Console(_environment.console_url, _environment.console_lease_path),
    rules=parse_rules(_environment.notify_routes),
    logger=_logger,
)


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Handle a lease event from EventBridge, or an HTTP request from API Gateway, a Function URL or a load balancer.

    Raises:
        SwitchboardError: the event can't be read or a channel failed. Not for a request, which gets an HTTP answer.
    """
    if isinstance(event, dict) and wsgi.form_of(event) is not None:
        return wsgi.respond(_http_app(), event, context)
    with invocation.run(_logger, context, own_id(event)) as run_id:
        return _notifier.notify(event, run_id).as_json()


@functools.cache
def _http_app() -> "flask.Flask":
    from lib.notifications import http_api  # noqa: PLC0415 - Flask, for the few requests over HTTP

    return http_api.make_app(_notifier, Secret(_secrets_manager(), _environment.event_webhook_secret_arn), _logger)


gc_tuning.end()
