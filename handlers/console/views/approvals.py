"""Approvals: a board of drafts by state, the drafts of one state, and one draft with its preview and audit trail."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import flask
from flask import request
from markupsafe import Markup
from werkzeug import Response

from handlers.console import confirmation
from handlers.console.context import current
from lib.approvals import messages
from lib.approvals.operations import JiraOperationStore
from lib.approvals.repository import ApprovalStore
from lib.approvals.rules import Rules
from lib.operations.ages import parse_age
from lib.operations.approvals import OPEN, Stage, page_of_approvals, read_approval
from lib.operations.draft_report import report_draft
from lib.operations.retry import retry_session
from lib.platform.dynamodb import Table
from lib.platform.environment.approvals import ApprovalsEnvironment
from lib.platform.fields import require_choice
from lib.platform.log import scrub, scrub_json
from lib.platform.queues import Queue

pages = flask.Blueprint("approvals", __name__)

ON_BOARD = 10
"""Drafts of one column."""


@pages.get("/approvals")
def show() -> str:
    """The board; with ``state``, the drafts in it by pages."""
    state, age = (request.args.get(name, "").strip() for name in ("state", "age"))
    stage = require_choice(state, "state", Stage) if state else None
    read = partial(
        page_of_approvals,
        _table(),
        Rules.of(_environment()),
        older_than=parse_age(age) if age else None,
        now=current().now,
    )
    if stage is not None:
        columns = {stage: read(stage, cursor=request.args.get("after", ""))}
    else:
        with ThreadPoolExecutor(len(Stage)) as pool:
            columns = dict(zip(Stage, pool.map(partial(read, size=ON_BOARD), Stage), strict=True))
    return flask.render_template(
        "approvals.html",
        columns=columns,
        stage=stage,
        stages=[("", "all, as a board"), *((each.value, each.value) for each in Stage)],
        age=age,
        open_stages=OPEN,
        now=current().now(),
    )


@pages.get("/approvals/<path:session_id>", merge_slashes=False)
def draft(session_id: str) -> str:
    """The current draft of a session."""
    report = report_draft(_table(), _environment(), session_id)
    previews = [scrub_json({"text": each.text, "blocks": each.blocks}) for each in report.messages]
    can_retry = report.approval.can_retry(current().now())
    return flask.render_template("draft.html", report=report, approval=report.approval, previews=previews, can_retry=can_retry)


# No session's id begins with "-".
@pages.route("/approvals/-/retry/<path:session_id>", methods=["GET", "POST"], merge_slashes=False)
def retry(session_id: str) -> str | Response:
    """Retry the issue of a draft, or its preview."""
    url = flask.url_for("approvals.draft", session_id=session_id)
    if request.method == "GET":
        found = read_approval(_table(), Rules.of(_environment()), session_id)
        effect = (
            "Switchboard searches Jira for the issue, and creates it only if it is not there. The approval remains valid."
            if found.decision
            else "Switchboard posts the preview in Slack again."
        )
        field = Markup(
            "<label>Your Slack user ID, for the audit trail "
            '<input name="by" maxlength="60" placeholder="U0123456789" required autocomplete="off"></label>'
        )
        return confirmation.ask(
            "Retry this draft?",
            f"“{found.title}”, session {session_id}: {found.stage}{f', {found.reason}' if found.reason else ''}.",
            effect,
            button="Retry",
            back=url,
            command=f"operations retry {session_id} --by YOUR_SLACK_ID",
            extra=field,
        )
    by = scrub(request.form.get("by", "").strip())[:60]
    with confirmation.change("approvals.retry", session_id=session_id, by=by):
        retry_session(
            session_id,
            by,
            store=ApprovalStore(_table()),
            operations=JiraOperationStore(_table(), lease=timedelta(0)),  # nothing is claimed here
            send=messages.sender(Queue(current().deployed.client("sqs"), _environment().approval_queue_url)),
        )
    return confirmation.done("The worker retries the draft now. Reload this page in a few seconds.", url)


def _table() -> Table:
    return Table(current().deployed.client("dynamodb"), current().deployed.output("jira_operations_table_name"))


def _environment() -> ApprovalsEnvironment:
    return current().deployed.environment("approvals", ApprovalsEnvironment)
