"""The webhooks function: what Jira and the Git hosts send, checked, stored, and handed on. It also answers ``GET /health``,
since that is public too, and needs none of the permissions of the deep check (handlers/health.py).

A delivery is acknowledged once it is stored; what may take longer (asking Jira, correlating) is one message on the work
queue. If the queue is down, a stored delivery is acknowledged all the same, since the next delivery or the sweep recomputes
the issue. An event that only the queue would keep is refused with 503 then. The commits of a push that the table does not
take go to the queue, since Git hosts do not send a push again.
"""

import functools
from collections.abc import Callable, Sequence
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
    from lib.jira.commits import Commit
    from lib.jira.correlation_store import CorrelationStore

STORE_SECONDS = 5.0
"""After this time the rest of a push goes to the queue. Senders wait 10 s, and one throttled call takes up to 3.5 s."""

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
    """Link the commits of a push or a pull request to the issues that they name.

    Git hosts do not send an event again, so commits that cannot be stored now go to the work queue.
    """
    from lib.jira import commits, git_hosts  # noqa: PLC0415 - most deliveries are Jira's and do not need these

    has_time = _time_limit()
    now = clock.utc_now()
    body = flask.request.get_data()
    signatures.verify_git(dict(flask.request.headers), body, _commit_secret, now)
    push = git_hosts.read(_json_of_form(body), now)
    if isinstance(push, Ignored):
        return _answer("commits", "ignored", reason=push.reason)
    skipped = {"unusable": push.unusable, "left_out": push.left_out}
    named = [commit for commit in push.commits if commit.issue_keys]
    try:
        links = commits.keep_known(named, _environment.jira_projects, lambda project: _project_is_known(project, has_time))
    except errors.SwitchboardError as error:
        return _queue_commits(named, error, skipped)
    skipped["left_out"] += links.left_out
    skipped["projects_not_checked"] = links.not_checked
    if not links.commits:
        return _answer("commits", "ignored", reason="no commit names an issue of a known project", **_count(skipped))
    stored = _commit_links().store_commits(links.commits, has_time=has_time)
    queued = _queue_recomputes_if_possible(stored.touched)
    if not queued:
        _leave_to_the_sweep(stored.touched)
    if stored.left:
        return _queue_commits(stored.left, stored.error, skipped, commits=len(links.commits) - len(stored.left))
    return _answer(
        "commits",
        "stored",
        commits=len(links.commits),
        issue_keys=list(stored.touched),
        correlation_queued=queued,
        **_count(skipped),
    )


def _queue_commits(
    left: "Sequence[Commit]", error: errors.SwitchboardError | None, skipped: dict[str, int], *, commits: int = 0
) -> tuple[flask.Response, int]:
    """Leave commits to the worker, ``commits`` others being stored. If the queue is down as well, the answer is 503."""
    _logger.error("push_not_stored", error, commits=len(left), out_of_time=error is None)
    _work.send_commits(left)
    return _answer("commits", "accepted", commits=commits, commits_queued=len(left), **_count(skipped))


def _count(skipped: dict[str, int]) -> dict[str, int]:
    """Count what was skipped of a push, by kind; returns the numbers above 0, which are fields of the answer."""
    found = {kind: number for kind, number in skipped.items() if number}
    for kind, number in found.items():
        metrics.count(contract.PUSH_SKIPPED, number, kind=kind)
    return found


def _time_limit() -> Callable[[], bool]:
    """Whether less than :data:`STORE_SECONDS` have passed since this call."""
    end = clock.monotonic() + STORE_SECONDS
    return lambda: clock.monotonic() < end


def _record(delivery: Delivery) -> tuple[flask.Response, int]:
    recorded = _store.record(delivery)
    # Of a duplicate too: it may be the retry of a delivery that was stored by a process which then crashed.
    queued = _queue_recomputes_if_possible(recorded.issue_keys)
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
    # A sender may have put anything into its event's type.
    told = {name: scrub(value) if isinstance(value, str) else value for name, value in fields.items()}
    return flask.jsonify(status=status, **told), 202


def _queue_recomputes_if_possible(touched: tuple[str, ...]) -> bool:
    try:
        _work.send_recomputes(touched)
    except errors.SwitchboardError as error:
        metrics.count(contract.CORRELATION_NOT_QUEUED)
        _logger.error("correlation_not_queued", error, issue_keys=touched)
        return False
    return True


def _leave_to_the_sweep(touched: tuple[str, ...]) -> None:
    """A push changes no issue, so that the sweep would take the results of before it for current."""
    try:
        _commit_links().forget(touched)
    except errors.SwitchboardError as error:
        _logger.error("correlation_not_forgotten", error, issue_keys=touched)


def _project_is_known(project_key: str, has_time: Callable[[], bool]) -> bool:
    from lib.jira.issue_reader import IssueReader  # noqa: PLC0415 - as above

    if not has_time():
        raise errors.UnavailableError("there is no time left to look up the projects")
    return IssueReader(_dynamodb, _environment.jira_issues_table_name).project_is_known(project_key)


@functools.cache
def _commit_links() -> "CorrelationStore":
    from lib.jira.correlation_store import CorrelationStore  # noqa: PLC0415 - as above

    history = timedelta(days=_environment.history_days)
    return CorrelationStore(_dynamodb, _environment.jira_issues_table_name, history=history)


def _json_of_form(body: bytes) -> bytes:
    """GitHub sends JSON, or a form with the JSON in its field ``payload``, as the webhook is set up."""
    if flask.request.mimetype != "application/x-www-form-urlencoded":
        return body
    payload = flask.request.form.get("payload")
    if payload is None:
        raise errors.InvalidInputError("the form has no field payload")
    return payload.encode()


gc_tuning.end()
