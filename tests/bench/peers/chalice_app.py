"""Both functions with Chalice, which has a decorator for either."""

import functools
import json
import os

import boto3
import output
import work
from chalice import Chalice, Response, UnauthorizedError

app = Chalice(app_name="bench")
app.log.setLevel("INFO")
dynamodb = boto3.client("dynamodb")
messages = boto3.client(os.environ["PEER_MESSAGES"])


@functools.cache
def secret() -> str:
    """The webhook's secret."""
    return boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["JIRA_WEBHOOK_SECRET_ARN"])["SecretString"]


@app.route("/webhooks/jira", methods=["POST"], content_types=["application/json"])
def jira():
    """Store what Jira sends."""
    output.start(app.lambda_context)
    request = app.current_request
    try:
        work.check(request.raw_body, request.headers.get("x-hub-signature"), secret())
    except work.BadSignatureError:
        raise UnauthorizedError("unauthenticated") from None
    delivery = request.headers["x-atlassian-webhook-identifier"]
    key = work.store(dynamodb, os.environ["JIRA_ISSUES_TABLE_NAME"], request.raw_body, delivery)
    messages.send_message(QueueUrl=os.environ["JIRA_QUEUE_URL"], MessageBody=json.dumps({"touched": [key]}))
    output.delivery(app.log.info, key, delivery)
    return Response({"status": "stored", "issue_key": key}, status_code=202)


def enrich(event: dict) -> dict:
    """Read the lease, and say so."""
    return work.enrich(dynamodb, event, app.log.info)


@app.on_cw_event({"source": ["InnovationSandbox-test"]})
def notify(event):
    """Notify of one event, once."""
    output.start(event.context)
    return work.notify(dynamodb, messages, event.to_dict(), app.log.info)
