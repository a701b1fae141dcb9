"""Shows where an event would be sent, without sending it: reads its lease, and applies the rules. For people."""

from dataclasses import dataclass
from typing import Any

from lib.leases.enrichment import Enrichment, Status
from lib.leases.events import LeaseEvent, LeaseKey, find_lease_key
from lib.leases.records import read_lease
from lib.notifications.links import Console
from lib.notifications.message import compose
from lib.notifications.routing import Attributes, Route, Rule, find_route
from lib.platform import aws, clock
from lib.platform.contract import LEASE_TABLE
from lib.platform.environment.notification import NotificationEnvironment


@dataclass(frozen=True, slots=True)
class Preview:
    """Where an event would go.

    Attributes:
        about: what the rules see.
        lease: ``found``, ``not found``, or ``not named`` by the event.
        route: where it goes.
        destinations: by channel, where in it: a Slack channel, the topic, the owner of the lease.
    """

    about: Attributes
    lease: str
    route: Route
    destinations: dict[str, str]


def preview(event: LeaseEvent, environment: NotificationEnvironment, rules: tuple[Rule, ...], dynamodb: Any) -> Preview:
    """Where ``event`` would go by ``rules``.

    Raises:
        SwitchboardError: the lease can't be read.
    """
    enrichment, lease = _enrich(event, environment.lease_table_arn, dynamodb)
    message = compose(event, enrichment, Console(), clock.utc_now())
    route = find_route(rules, message.about, environment.notify_channels)
    slack = route.slack_channel or environment.slack_channel or "the channel of the incoming webhook"
    places = {
        "sns": "the topic",
        "slack": slack + (f", mentions {route.mention}" if route.mention else ""),
        "teams": "the channel of the workflow",
        "govuk_notify": "the owner of the lease" if message.recipient else "nobody: the event names no owner",
    }
    return Preview(message.about, lease, route, {name: places[name] for name in route.channels})


def _enrich(event: LeaseEvent, table: str, dynamodb: Any) -> tuple[Enrichment, str]:
    key = find_lease_key(event.detail)
    if not isinstance(key, LeaseKey):
        return Enrichment(Status.SKIPPED), "not named by the event"
    with aws.translated("read the lease"):
        answer = dynamodb.get_item(TableName=table, Key=LEASE_TABLE.key(key.user_email, key.uuid), ConsistentRead=True)
    if not answer.get("Item"):
        return Enrichment(Status.NOT_FOUND), "not found"
    return Enrichment(Status.ENRICHED, lease=read_lease(answer["Item"])), "found"
