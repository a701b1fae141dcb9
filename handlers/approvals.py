"""The approvals function: accepts drafts from bots and people, and clicks from Slack, and answers at once.

It stores them and leaves everything slow to the worker: no SDK of Slack or Jira is imported here. Slack waits 3 s for the
answer to a click and then shows an error to the person, who may click again.
"""

from typing import Any

import flask

from lib.approvals import drafts, interactions
from lib.approvals.interactions import Ignored
from lib.approvals.service import make_service
from lib.approvals.waiting import make_waiting_drafts
from lib.platform import aws, clock, contract, errors, gc_tuning, invocation, metrics
from lib.platform.environment.approvals import ApprovalsEnvironment
from lib.platform.log import Logger
from lib.platform.secrets import Secret
from lib.web import application, signatures, wsgi

MAX_BODY_BYTES = 256 * 1024
"""A draft of 30,000 characters has at most 180 kB, however they are escaped; a click has a few."""

_environment = ApprovalsEnvironment.read()
_logger = Logger("approvals")
_signing_secret = Secret(aws.make_client("secretsmanager"), _environment.slack_signing_secret_arn)
_dynamodb, _sqs = aws.make_client("dynamodb"), aws.make_client("sqs")
_service = make_service(_environment, dynamodb=_dynamodb, sqs=_sqs)
_waiting = make_waiting_drafts(_environment, dynamodb=_dynamodb, sqs=_sqs)
app = application.make_app("approvals", _logger, max_body_bytes=MAX_BODY_BYTES)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an HTTP request, or sweep the drafts that wait (``{"mode": "sweep"}``).

    Raises:
        InvalidInputError: the event is neither.
        SwitchboardError: the sweep failed; the next one continues.
    """
    if isinstance(event, dict) and event.get("mode") == "sweep":
        with invocation.run(_logger, context):
            done = _waiting.sweep()
            metrics.count(contract.APPROVAL_SWEEP)
            _logger.info("approvals_swept", **done)
            return {**done}
    return wsgi.respond(app, event, context)


@app.post("/drafts")
def submit() -> tuple[flask.Response, int]:
    """Make a draft its session's current one and queue its preview. The same draft again changes nothing."""
    principal = application.iam_principal()  # without an authorizer, drafts must not be open to the internet
    draft = drafts.read_draft(application.json_body(flask.request.get_data()))
    if missing := ", ".join(_environment.missing_settings):
        # The caller has IAM credentials of the account, so the answer names the settings.
        raise errors.NotSetUpError(f"drafts are not accepted before these settings are configured: {missing}")
    if not (draft.channel or _environment.has_channel):
        raise errors.InvalidInputError("channel is missing, and neither approvalsChannel nor slackChannel is configured")
    submitted = _service.submit(draft)
    answer = {"session_id": draft.session_id, "draft_hash": submitted.draft_hash, "state": submitted.state.value}
    metrics.count(contract.DRAFT_SUBMITTED, state=submitted.state.value)
    _logger.info("draft_submitted", **answer, replaced=submitted.replaced, principal=principal)
    if submitted.reason:
        answer["reason"] = submitted.reason
    return flask.jsonify(answer), 200


@app.post("/slack/interactions")
def interact() -> tuple[str, int]:
    """Record a click on Approve, Reject or Retry. The worker answers the person, not this response."""
    body = flask.request.get_data()
    # Flask writes every header's name in title case, like the names of the signature headers.
    signatures.verify_slack(dict(flask.request.headers), body, _signing_secret, clock.utc_now())
    decision = interactions.read_interaction(body, _environment.slack_api_url)
    if isinstance(decision, Ignored):
        _logger.info("interaction_ignored", reason=decision.reason)
        return "", 200
    verdict = _service.decide(decision).name.lower()
    metrics.count(contract.APPROVAL_CLICK, verdict=verdict)
    about = {"session_id": decision.session_id, "draft_hash": decision.draft_hash, "decision": decision.verb.value}
    _logger.info("click", **about, slack_user=decision.user, verdict=verdict)
    return "", 200


gc_tuning.end()
