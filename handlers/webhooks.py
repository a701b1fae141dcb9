"""The webhooks function: stores what Jira and the Git hosts send. It also answers ``GET /health``, which is public too, and has
none of the permissions that the deep check needs (handlers/health.py).

A delivery is acknowledged once it is stored. What may take longer (asking Jira, correlating) is one message on the work queue.
If the queue is down, a stored delivery is still acknowledged, because the next delivery or the sweep recomputes the issue;
an event that only the queue would keep is refused with 503. lib/jira/pushes.py stores the commits of a push.
"""

import functools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import flask

from lib.jira import webhooks
from lib.jira.store_factory import make_issue_writer
from lib.jira.tasks import Task
from lib.jira.webhooks import Delivery, Ignored, NeedsFetch
from lib.jira.work_queue import WorkQueue
from lib.platform import aws, clock, contract, errors, gc_tuning, metrics
from lib.platform.environment import WebhooksEnvironment
from lib.platform.log import Logger, scrub
from lib.platform.queues import Queue
from lib.platform.secrets import Secret
from lib.web import application, signatures, wsgi

if TYPE_CHECKING:
    from lib.jira.pushes import Pushes

STORE_SECONDS = 5.0
"""After this time the rest of a push goes to the queue. Senders wait 10 s, and one throttled call takes up to 3.5 s."""

MAX_BODY_BYTES = 10 * 1024 * 1024
"""API Gateway's limit. On AWS nothing larger than 6 MB arrives, Lambda's limit of an event."""

IDENTIFIER_HEADER = "X-Atlassian-Webhook-Identifier"
MAX_IDENTIFIER_CHARACTERS = 100


@functools.cache
def _s3() -> Any:
    return aws.make_client("s3", read_timeout_seconds=5)


_environment = WebhooksEnvironment.read()
_logger = Logger("webhooks")
_dynamodb = aws.make_client("dynamodb")
_work = WorkQueue(Queue(aws.make_client("sqs"), _environment.jira_queue_url))
_secrets_manager = aws.make_client("secretsmanager")
_jira_secret = Secret(_secrets_manager, _environment.jira_webhook_secret_arn)
_automation_token = Secret(_secrets_manager, _environment.jira_automation_token_arn)
_commit_secret = Secret(_secrets_manager, _environment.commit_webhook_secret_arn)
_store = make_issue_writer(_dynamodb, _s3, _environment)
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
    return flask.jsonify(
        status="ok", version=_environment.version, time=clock.phoenix(clock.utc_now()), timezone=clock.TIMEZONE
    )


@app.post("/webhooks/jira")
def jira() -> tuple[flask.Response, int]:
    """Store what Jira or a rule of Jira Automation sends. The answer's ``status`` is stored, duplicate, superseded, ignored or
    accepted."""
    body, headers = flask.request.get_data(), dict(flask.request.headers)
    delivery: Delivery | Ignored | NeedsFetch
    if _environment.jira_automation_token_arn and signatures.has_token(headers):
        signatures.verify_token(headers, _automation_token)
        delivery = webhooks.normalise_automation(body, clock.utc_now())
    else:
        signatures.verify_webhook(headers, body, _jira_secret)
        delivery = webhooks.normalise(body, clock.utc_now())
    match delivery:
        case Ignored(reason):
            return _answer("jira", "ignored", reason=reason)
        case NeedsFetch():
            _work.send(Task(fetch=delivery))
            return _answer("jira", "accepted", event_type=delivery.event_type, fetching=list(delivery.issues))
        case Delivery():
            return _record(delivery)


@app.post("/webhooks/commits")
def pushes() -> tuple[flask.Response, int]:
    """Link the commits of a push or a pull request to the issues that they name."""
    from lib.jira import git_hosts  # noqa: PLC0415 - most deliveries are Jira's and do not need these

    end, now = clock.monotonic() + STORE_SECONDS, clock.utc_now()
    body = flask.request.get_data()
    signatures.verify_git(dict(flask.request.headers), body, _commit_secret, now)
    push = git_hosts.read(_json_of_form(body), now)
    if isinstance(push, Ignored):
        return _answer("commits", "ignored", reason=push.reason)
    answer = _pushes().take(push, _work, lambda: clock.monotonic() < end)
    return _answer("commits", answer.status, **answer.fields)


@functools.cache
def _pushes() -> "Pushes":
    from lib.jira.correlation_store import CorrelationStore  # noqa: PLC0415 - as above
    from lib.jira.issue_reader import IssueReader  # noqa: PLC0415
    from lib.jira.pushes import Pushes  # noqa: PLC0415

    table = _environment.jira_issues_table_name
    return Pushes(
        links=CorrelationStore(_dynamodb, table, history=timedelta(days=_environment.history_days)),
        issues=IssueReader(_dynamodb, table),
        projects=_environment.jira_projects,
        logger=_logger,
    )


def _json_of_form(body: bytes) -> bytes:
    """GitHub sends JSON, or a form with the JSON in its field ``payload``, as the webhook is set up."""
    if flask.request.mimetype != "application/x-www-form-urlencoded":
        return body
    payload = flask.request.form.get("payload")
    if payload is None:
        raise errors.InvalidInputError("the form has no field payload")
    return payload.encode()


def _record(delivery: Delivery) -> tuple[flask.Response, int]:
    recorded = _store.record(delivery)
    # Of a duplicate too: it may be the retry of a delivery that was stored by a process which then crashed.
    queued = _work.try_recomputes(recorded.issue_keys, _logger, issue_keys=recorded.issue_keys) is not None
    return _answer(
        "jira",
        recorded.outcome.value,
        event_type=delivery.event_type,
        issue_key=delivery.issue_key,
        issue_keys=list(recorded.issue_keys),
        updated_at=delivery.stamp.version_at,
        correlation_queued=queued,
    )


def _answer(source: str, status: str, **fields: Any) -> tuple[flask.Response, int]:
    metrics.count(contract.WEBHOOK_DELIVERY, source=source, outcome=status)
    # Jira's id of the delivery, for a search in Jira's own log. It is not signed, so that nothing depends on it.
    given = flask.request.headers.get(IDENTIFIER_HEADER)
    identifier = {"identifier": given[:MAX_IDENTIFIER_CHARACTERS]} if given else {}
    _logger.info("webhook_delivery", source=source, status=status, **fields, **identifier)
    # A sender may put anything into its event's type.
    shown = {name: scrub(value) if isinstance(value, str) else value for name, value in fields.items()}
    return flask.jsonify(status=status, **shown), 202


gc_tuning.end()
