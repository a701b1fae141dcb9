"""Both functions with Flask and apig-wsgi. One module: other events are handled before it."""

import functools
import json
import logging
import os

import boto3
import output
import work
from apig_wsgi import make_lambda_handler
from flask import Flask, jsonify, request

logging.getLogger().setLevel(logging.INFO)
app = Flask(__name__)
dynamodb = boto3.client("dynamodb")
messages = boto3.client(os.environ["PEER_MESSAGES"])


@functools.cache
def secret() -> str:
    """The webhook's secret."""
    return boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["JIRA_WEBHOOK_SECRET_ARN"])["SecretString"]


@app.post("/webhooks/jira")
def jira():
    """Store what Jira sends."""
    body = request.get_data()
    try:
        work.check(body, request.headers.get("X-Hub-Signature"), secret())
    except work.BadSignatureError:
        return jsonify(error="unauthenticated"), 401
    delivery = request.headers["X-Atlassian-Webhook-Identifier"]
    key = work.store(dynamodb, os.environ["JIRA_ISSUES_TABLE_NAME"], body, delivery)
    messages.send_message(QueueUrl=os.environ["JIRA_QUEUE_URL"], MessageBody=json.dumps({"touched": [key]}))
    output.delivery(logging.info, key, delivery)
    return jsonify(status="stored", issue_key=key), 202


def enrich(event: dict) -> dict:
    """Read the lease, and say so."""
    return work.enrich(dynamodb, event, logging.info)


http_handler = make_lambda_handler(app)


def lambda_handler(event, context):
    """Answer a request or an event."""
    output.start(context)
    return work.notify(dynamodb, messages, event, logging.info) if "detail-type" in event else http_handler(event, context)
