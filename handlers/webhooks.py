"""The webhooks function: stores what Jira and the Git hosts send. It also answers ``GET /health``, which is public too, and has
none of the permissions that the deep check needs (handlers/health.py).

Senders wait for the answer, so what may take longer (asking Jira, correlating) is one message on the work queue:
lib/jira/deliveries.py for Jira, lib/jira/pushes.py for commits.
"""

import functools
from typing import TYPE_CHECKING, Any

import flask

from lib.jira import webhooks
from lib.jira.deliveries import Answer, Deliveries
from lib.jira.store_factory import make_issue_writer
from lib.jira.work_queue import WorkQueue
from lib.platform import aws, clock, gc_tuning
from lib.platform.environment.webhooks import WebhooksEnvironment
from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.platform.secrets import Secret
from lib.web import application, signatures, wsgi

if TYPE_CHECKING:
    from lib.jira.pushes import Pushes

MAX_BODY_BYTES = 10 * 1024 * 1024
"""API Gateway's limit. On AWS nothing larger than 6 MB arrives, Lambda's limit of an event."""

_environment = WebhooksEnvironment.read()
_logger = Logger("webhooks")
_dynamodb = aws.make_client("dynamodb")
_work = WorkQueue(Queue(aws.make_client("sqs"), _environment.jira_queue_url))
_secrets_manager = aws.make_client("secretsmanager")
_jira_secret = Secret(_secrets_manager, _environment.jira_webhook_secret_arn)
_automation_token = Secret(_secrets_manager, _environment.jira_automation_token_arn)
_commit_secret = Secret(_secrets_manager, _environment.commit_webhook_secret_arn)
_store = make_issue_writer(_dynamodb, aws.lazy_client("s3", read_timeout_seconds=5), _environment)
_deliveries = Deliveries(store=_store, queue=_work, logger=_logger)
app = application.make_app("webhooks", _logger, max_body_bytes=MAX_BODY_BYTES)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an HTTP request.

    Raises:
        InvalidInputError: the event is not an HTTP request.
    """
    return wsgi.respond(app, event, context)


@app.get("/health")
def health() -> flask.Response:
    """Show that the API reaches a function: its version, and the time in Phoenix. Makes no AWS call."""
    now = clock.phoenix(clock.utc_now())
    return flask.jsonify(status="ok", version=_environment.version, time=now, timezone=clock.TIMEZONE)


@app.post("/webhooks/jira")
def jira() -> tuple[flask.Response, int]:
    """Store what Jira or a rule of Jira Automation sends."""
    body, headers = flask.request.get_data(), dict(flask.request.headers)
    if _environment.jira_automation_token_arn and signatures.has_token(headers):
        signatures.verify_token(headers, _automation_token)
        return _answer("jira", _deliveries.take(webhooks.normalise_automation(body, clock.utc_now())))
    signatures.verify_webhook(headers, body, _jira_secret)
    return _answer("jira", _deliveries.take(webhooks.normalise(body, clock.utc_now())))


@app.post("/webhooks/commits")
def pushes() -> tuple[flask.Response, int]:
    """Link the commits of a push or a pull request to the issues that they name."""
    from lib.jira import git_hosts  # noqa: PLC0415 - most deliveries are Jira's and do not need these

    now = clock.utc_now()
    signatures.verify_git(dict(flask.request.headers), flask.request.get_data(), _commit_secret, now)
    # GitHub sends JSON, or a form with the JSON in its field ``payload``, as the webhook is set up.
    push = git_hosts.read(application.body_or_field("payload"), now)
    return _answer("commits", _pushes().take(push, _work, flask.g.started))


@functools.cache
def _pushes() -> "Pushes":
    from lib.jira.pushes import make_pushes  # noqa: PLC0415 - as above

    return make_pushes(_dynamodb, _environment, _logger)


def _answer(source: str, answer: Answer) -> tuple[flask.Response, int]:
    identifier = flask.request.headers.get("X-Atlassian-Webhook-Identifier", "")
    return flask.jsonify(answer.report(source, identifier, _logger)), 202


gc_tuning.end()
