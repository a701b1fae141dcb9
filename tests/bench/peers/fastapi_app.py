"""Both functions with FastAPI and Mangum. One module, as Mangum's documentation shows: other events are handled before
it."""

import functools
import json
import logging
import os

import boto3
import output
import work
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from mangum import Mangum

logging.getLogger().setLevel(logging.INFO)
app = FastAPI()
dynamodb = boto3.client("dynamodb")
messages = boto3.client(os.environ["PEER_MESSAGES"])


@functools.cache
def secret() -> str:
    """The webhook's secret."""
    return boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["JIRA_WEBHOOK_SECRET_ARN"])["SecretString"]


@app.post("/webhooks/jira")
async def jira(request: Request) -> JSONResponse:
    """Store what Jira sends."""
    body = await request.body()
    try:
        work.check(body, request.headers.get("X-Hub-Signature"), secret())
    except work.BadSignatureError:
        raise HTTPException(401, "unauthenticated") from None
    delivery = request.headers["X-Atlassian-Webhook-Identifier"]
    key = work.store(dynamodb, os.environ["JIRA_ISSUES_TABLE_NAME"], body, delivery)
    messages.send_message(QueueUrl=os.environ["JIRA_QUEUE_URL"], MessageBody=json.dumps({"touched": [key]}))
    output.delivery(logging.info, key, delivery)
    return JSONResponse({"status": "stored", "issue_key": key}, status_code=202)


def enrich(event: dict) -> dict:
    """Read the lease, and say so."""
    return work.enrich(dynamodb, event, logging.info)


mangum = Mangum(app, lifespan="off")


def lambda_handler(event, context):
    """Answer a request or an event."""
    output.start(context)
    return work.notify(dynamodb, messages, event, logging.info) if "detail-type" in event else mangum(event, context)
