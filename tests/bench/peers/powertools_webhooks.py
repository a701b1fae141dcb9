"""The webhook with Powertools: Event Handler, Idempotency, Parameters, Logger and Metrics."""

import json
import os

import boto3
import output
import work
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import UnauthorizedError
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function

logger = Logger()
metrics = Metrics()
app = APIGatewayRestResolver()
dynamodb = boto3.client("dynamodb")
sqs = boto3.client("sqs")
persistence = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE_NAME"], boto3_client=dynamodb)
config = IdempotencyConfig(event_key_jmespath="id", expires_after_seconds=3600)


@app.post("/webhooks/jira")
def jira() -> Response:
    """Store what Jira sends."""
    body = (app.current_event.decoded_body or "").encode()
    headers = app.current_event.headers
    try:
        secret = parameters.get_secret(os.environ["JIRA_WEBHOOK_SECRET_ARN"], max_age=300)
        work.check(body, headers.get("X-Hub-Signature"), secret)
    except work.BadSignatureError:
        raise UnauthorizedError("unauthenticated") from None
    key = record(delivery={"id": headers["X-Atlassian-Webhook-Identifier"], "body": body.decode()})["key"]
    if output.SAME:
        output.delivery(None, key, headers["X-Atlassian-Webhook-Identifier"])
    else:
        metrics.add_metric(name="WebhookDelivery", unit=MetricUnit.Count, value=1)
        logger.info("webhook_delivery", issue_key=key)
    return Response(status_code=202, content_type="application/json", body=json.dumps({"status": "stored", "issue_key": key}))


@idempotent_function(data_keyword_argument="delivery", config=config, persistence_store=persistence)
def record(delivery: dict) -> dict:
    """Store one delivery and leave it to the worker."""
    key = work.store(dynamodb, os.environ["JIRA_ISSUES_TABLE_NAME"], delivery["body"].encode(), delivery["id"])
    sqs.send_message(QueueUrl=os.environ["JIRA_QUEUE_URL"], MessageBody=json.dumps({"touched": [key]}))
    return {"key": key}


def lambda_handler(event, context):
    """Answer a request."""
    output.start(context)
    config.register_lambda_context(context)
    return app.resolve(event, context)


if not output.SAME:
    lambda_handler = metrics.log_metrics(lambda_handler)
