"""The webhooks function: what Jira and the Git hosts send, checked, stored, and handed on. It also answers ``GET /health``,
since that is public too, and needs none of the permissions of the deep check (handlers/health.py).

A delivery is acknowledged once it is stored; what may take longer (asking Jira, correlating) is one message on the work
queue. If the queue is down, a stored delivery is acknowledged all the same, since the next one or the sweep makes the
recompute good. An event that only the queue would keep is refused with 503 then: its sender tries again.
"""

import functools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import flask

from lib import aws, clock, errors, http, metrics, signatures, startup, wsgi
from lib.environment import WebhooksEnvironment
from lib.jira import deliveries
from lib.jira.deliveries import Delivery, Ignored, NeedsFetch
from lib.jira.snapshots import BucketSnapshots
from lib.jira.store import JiraStore
from lib.jira.tasks import Task
from lib.jira.work_queue import WorkQueue
from lib.log import Logger, scrub
from lib.secrets import Secret

if TYPE_CHECKING:
    from lib.jira.recompute import CorrelationStore

MAX_BODY_BYTES = 10 * 1024 * 1024
"""What API Gateway takes at most. Lambda takes 6 MB of event, so that nothing of more arrives on AWS."""

IDENTIFIER_HEADER = "X-Atlassian-Webhook-Identifier"
MAX_IDENTIFIER_CHARACTERS = 100


@functools.cache
def _s3() -> Any:
    return aws.make_client("s3", read_timeout_seconds=5)


_environment = WebhooksEnvironment.read()
_logger = Logger("webhooks")
_dynamodb = aws.make_client("dynamodb")
_work = WorkQueue(aws.make_client("sqs"), _environment.jira_queue_url)
_secrets_manager = aws.make_client("secretsmanager")
_jira_secret = Secret(_secrets_manager, _environment.jira_webhook_secret_arn)
_automation_token = Secret(_secrets_manager, _environment.jira_automation_token_arn)
_commit_secret = Secret(_secrets_manager, _environment.commit_webhook_secret_arn)
_store = JiraStore(
    _dynamodb,
    _environment.jira_issues_table_name,
    history=timedelta(days=_environment.history_days),
    snapshots=BucketSnapshots(_s3, _environment.artifact_bucket_name),
    on_throttle=lambda: metrics.count("StoreThrottleRetry"),
)
app = http.make_app("webhooks", _logger, max_body_bytes=MAX_BODY_BYTES)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an HTTP request.

    Raises:
        InvalidInputError: the event is no HTTP request.
    """
    return wsgi.respond(app, event, context)


@app.get("/health")
def health() -> flask.Response:
    """Answer that the API reaches a function, its version, and the time in Phoenix. Makes no AWS call."""
    return flask.jsonify(
        status="ok", version=_environment.version, time=clock.phoenix(clock.utc_now()), timezone=clock.TIMEZONE
    )


@app.post("/webhooks/jira")
def jira() -> tuple[flask.Response, int]:
    """Store what Jira or a rule of Jira Automation sends. The answer's ``status`` is stored, duplicate, superseded, ignored or
    accepted."""
    body, headers = flask.request.get_data(), dict(flask.request.headers)
    told: Delivery | Ignored | NeedsFetch
    if _environment.jira_automation_token_arn and signatures.has_token(headers):
        signatures.verify_token(headers, _automation_token)
        told = deliveries.normalise_automation(body, clock.utc_now())
    else:
        signatures.verify_webhook(headers, body, _jira_secret)
        told = deliveries.normalise(body, clock.utc_now())
    match told:
        case Ignored(reason):
            return _answer("jira", "ignored", reason=reason)
        case NeedsFetch():
            _work.send(Task(fetch=told))
            return _answer("jira", "accepted", event_type=told.event_type, fetching=list(told.issues))
        case Delivery():
            return _record(told)


@app.post("/webhooks/commits")
def pushes() -> tuple[flask.Response, int]:
    """Link the commits of a push or a pull request to the issues that they name."""
    from lib.jira import commits  # noqa: PLC0415 - Jira's deliveries, which are most of all, wait for none of this

    body = flask.request.get_data()
    signatures.verify_webhook(dict(flask.request.headers), body, _commit_secret)
    told = commits.normalise(_json_of_form(body))
    if isinstance(told, Ignored):
        return _answer("commits", "ignored", reason=told.reason)
    linked = commits.keep_known(told, _project_is_known)
    if not linked:
        return _answer("commits", "ignored", reason="no commit names an issue of a known project")
    touched = _commit_links().record_commits(linked)
    queued = _queue_if_possible(Task(touched=touched))
    if not queued:
        _leave_to_the_sweep(touched)
    return _answer("commits", "stored", commits=len(linked), issue_keys=list(touched), correlation_queued=queued)


def _record(delivery: Delivery) -> tuple[flask.Response, int]:
    recorded = _store.record(delivery)
    # Of a duplicate too: it may be the retry of a delivery that was stored by a process which then crashed.
    queued = _queue_if_possible(Task(touched=recorded.issue_keys))
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
    metrics.count("WebhookDelivery", source=source, outcome=status)
    # Jira's id of the delivery, for a search in Jira's own log. It is not signed, so that nothing depends on it.
    given = flask.request.headers.get(IDENTIFIER_HEADER)
    identifier = {"identifier": given[:MAX_IDENTIFIER_CHARACTERS]} if given else {}
    _logger.info("webhook_delivery", source=source, status=status, **fields, **identifier)
    # A sender may have put anything into its event's type.
    told = {name: scrub(value) if isinstance(value, str) else value for name, value in fields.items()}
    return flask.jsonify(status=status, **told), 202


def _queue_if_possible(task: Task) -> bool:
    try:
        _work.send(task)
    except errors.SwitchboardError as error:
        metrics.count("CorrelationNotQueued")
        _logger.error("correlation_not_queued", error, issue_keys=task.touched)
        return False
    return True


def _leave_to_the_sweep(touched: tuple[str, ...]) -> None:
    """A push changes no issue, so that the sweep would take the results of before it for current."""
    try:
        _commit_links().forget(touched)
    except errors.SwitchboardError as error:
        _logger.error("correlation_not_forgotten", error, issue_keys=touched)


def _project_is_known(project_key: str) -> bool:
    if project_key in _environment.jira_projects:
        return True
    from lib.jira.reading import IssueStore  # noqa: PLC0415 - as above

    return IssueStore(_dynamodb, _environment.jira_issues_table_name).project_is_known(project_key)


@functools.cache
def _commit_links() -> "CorrelationStore":
    from lib.jira.recompute import CorrelationStore  # noqa: PLC0415 - as above

    return CorrelationStore(_dynamodb, _environment.jira_issues_table_name)


def _json_of_form(body: bytes) -> bytes:
    """GitHub sends JSON, or a form with the JSON in its field ``payload``, as the webhook is set up."""
    if flask.request.mimetype != "application/x-www-form-urlencoded":
        return body
    return flask.request.form.get("payload", "").encode()


startup.end()
