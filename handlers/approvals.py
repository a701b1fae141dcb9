"""The approvals function: takes drafts from bots and people, and clicks from Slack, and answers at once.

It stores, and leaves everything slow to the worker by way of a queue: no SDK of Slack or Jira is imported here. Slack waits
3 s for the answer to a click and shows the person an error after that; a click that was answered by an error may be repeated
without harm.
"""

from typing import Any

import flask

from lib.approvals import drafts, interactions, messages
from lib.approvals.interactions import Ignored
from lib.approvals.repository import ApprovalStore
from lib.approvals.service import ApprovalService, Rules
from lib.platform import aws, clock, contract, errors, gc_tuning, metrics
from lib.platform.dynamodb import Table
from lib.platform.environment import ApprovalsEnvironment
from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.platform.secrets import Secret
from lib.web import application, signatures, wsgi

MAX_BODY_BYTES = 256 * 1024
"""A draft of 30,000 characters, however they are escaped, has 180 kB; a click in Slack a few."""

_environment = ApprovalsEnvironment.read()
_logger = Logger("approvals")
_signing_secret = Secret(aws.make_client("secretsmanager"), _environment.slack_signing_secret_arn)
_service = ApprovalService(
    store=ApprovalStore(
        Table(
            aws.make_client("dynamodb"),
            _environment.operations_table_name,
            on_throttle=lambda: metrics.count(contract.STORE_THROTTLE_RETRY),
        )
    ),
    send=messages.sender(Queue(aws.make_client("sqs"), _environment.approval_queue_url)),
    rules=Rules(
        approvers=frozenset(_environment.approvers),
        require_other_approver=_environment.require_other_approver,
        projects=frozenset(_environment.jira_projects),
    ),
    jira_base_url=_environment.jira_base_url,
)
app = application.make_app("approvals", _logger, max_body_bytes=MAX_BODY_BYTES)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an HTTP request.

    Raises:
        InvalidInputError: the event is no HTTP request.
    """
    return wsgi.respond(app, event, context)


@app.post("/drafts")
def submit() -> tuple[flask.Response, int]:
    """Store a draft as its session's current one and have its preview posted. The same draft again changes nothing."""
    principal = _iam_principal()
    draft = drafts.read_draft(application.json_body(flask.request.get_data()))
    if _environment.missing_settings:
        return _not_set_up(_environment.missing_settings)
    if not (draft.channel or _environment.has_channel):
        raise errors.InvalidInputError("channel is missing, and neither approvalsChannel nor slackChannel is configured")
    submitted = _service.submit(draft)
    metrics.count(contract.DRAFT_SUBMITTED, state=submitted.state.value)
    _logger.info(
        "draft_submitted",
        session_id=draft.session_id,
        draft_hash=submitted.draft_hash,
        state=submitted.state.value,
        replaced=submitted.replaced,
        principal=principal,
    )
    answer = {"session_id": draft.session_id, "draft_hash": submitted.draft_hash, "state": submitted.state.value}
    if submitted.reason:
        answer["reason"] = submitted.reason
    return flask.jsonify(answer), 200


@app.post("/slack/interactions")
def interact() -> tuple[str, int]:
    """Record a press of Approve or Reject. What came of it the person is told by the worker, not by this answer."""
    body = flask.request.get_data()
    # Flask writes every header's name in title case, as the signature headers are written.
    signatures.verify_slack(dict(flask.request.headers), body, _signing_secret, clock.utc_now())
    decision = interactions.read_interaction(body, _environment.slack_api_url)
    if isinstance(decision, Ignored):
        _logger.info("interaction_ignored", reason=decision.reason)
        return "", 200
    verdict = _service.decide(decision)
    metrics.count(contract.APPROVAL_CLICK, verdict=verdict.name.lower())
    _logger.info(
        "click",
        session_id=decision.session_id,
        draft_hash=decision.draft_hash,
        decision=decision.verb.value,
        slack_user=decision.user,
        verdict=verdict.name.lower(),
    )
    return "", 200


def _iam_principal() -> str:
    """Who calls, as the gateway's IAM authorizer found out.

    The route has one. Should it ever lose it, drafts must not be open to the internet.

    Raises:
        UnauthenticatedError: no authorizer has seen the request.
    """
    event = flask.request.environ.get("awsgi.event")
    in_format_1 = _at(event, "requestContext", "identity", "userArn")
    in_format_2 = _at(event, "requestContext", "authorizer", "iam", "userArn")
    principal = in_format_1 or in_format_2
    if not principal:
        raise errors.UnauthenticatedError("the request is not signed by an IAM principal")
    return str(principal)


def _at(value: object, *path: str) -> object:
    """What stands in nested objects under ``path``; None if anything on the way is missing or no object."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _not_set_up(missing: tuple[str, ...]) -> tuple[flask.Response, int]:
    """The caller is one of ours, by IAM, and is told what is missing: a draft that was stored would wait for ever."""
    message = f"drafts are not taken before the config has {', '.join(missing)}"
    _logger.error("request_failed", errors.ConfigurationError(message), http_status=503)
    response = flask.jsonify(error="misconfigured", message=message)
    response.headers["Retry-After"] = "60"
    return response, 503


gc_tuning.end()
