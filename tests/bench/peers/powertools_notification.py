"""The notification with Powertools: Idempotency, Logger, Metrics and the event's data class."""

import os

import boto3
import output
import work
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function

logger = Logger()
metrics = Metrics()
dynamodb = boto3.client("dynamodb")
sns = boto3.client("sns")
persistence = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE_NAME"], boto3_client=dynamodb)
config = IdempotencyConfig(event_key_jmespath="id", expires_after_seconds=3600)


def enrich(event: dict) -> dict:
    """Read the lease, and say so."""
    if output.SAME:
        return work.enrich(dynamodb, event, None)
    lease = work.lease_of(dynamodb, os.environ["LEASE_TABLE_ARN"], event)
    metrics.add_metric(name="EnrichmentSuccess", unit=MetricUnit.Count, value=1)
    logger.info("lease_read", lease_status=lease.get("status"))
    return lease


@idempotent_function(data_keyword_argument="notification", config=config, persistence_store=persistence)
def publish(notification: dict) -> dict:
    """Publish once."""
    sns.publish(TopicArn=os.environ["NOTIFICATION_TOPIC_ARN"], **notification["notice"])
    return {"status": "sent"}


@event_source(data_class=EventBridgeEvent)
def lambda_handler(event: EventBridgeEvent, context):
    """Send the notification of one event."""
    output.start(context)
    config.register_lambda_context(context)
    lease = enrich(event.raw_event)
    result = publish(notification={"id": event.get_id, "notice": work.notice(event.raw_event, lease)})
    output.sent(event.raw_event)
    return result


if not output.SAME:
    lambda_handler = metrics.log_metrics(lambda_handler)
