"""``approvals``, ``operations`` and ``drafts``: drafts by state, their audit trail, a retry, and a draft by hand.

Times are in Phoenix time.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from handlers.cli import output
from handlers.cli.options import Age, Day, Find, json_option, limit_option, start_of
from lib.approvals import messages
from lib.approvals.drafts import canonical_json, read_draft
from lib.approvals.issue_tracker import marker_of
from lib.approvals.operations import JiraOperationStore
from lib.approvals.records import Operation
from lib.approvals.repository import ApprovalStore
from lib.approvals.rules import Rules
from lib.operations.approvals import OPEN, Approval, Stage, list_approvals, list_operations, read_approval, read_view
from lib.operations.deployed import Deployment
from lib.operations.retry import retry_session
from lib.operations.signed_requests import send_signed
from lib.platform import clock, errors
from lib.platform.dynamodb import Table
from lib.platform.environment.approvals import ApprovalsEnvironment
from lib.platform.log import scrub
from lib.platform.queues import Queue

_NO_LEASE = timedelta(0)  # commands claim nothing

DRAFT_TEMPLATE: Mapping[str, Any] = {
    "session_id": "my-conversation-1",
    "project": "OPS",
    "title": "One line: the summary of the issue",
    "problem": "Why the issue is needed.\n\nA blank line separates paragraphs.",
    "requested_by": "U0123456789",
    "solution": "What should be done. This field and those below may be left out.",
    "acceptance_criteria": ["When it is done, one sentence each."],
    "constraints": [],
    "risks": [],
    "dependencies": [],
    "epic": "",
    "issue_type": "Task",
    "channel": "",
}
"""What ``drafts submit --template`` prints."""


@click.group()
def approvals() -> None:
    """List drafts by state, and show one: requester, preview, who may approve.

    Times are in Phoenix time.
    """


@approvals.command("list")
@click.option(
    "--state",
    "states",
    type=click.Choice([stage.value for stage in Stage]),
    multiple=True,
    help="Drafts in this state; may be given more than once. By default those that need attention: waiting, creating, "
    "unknown and failed.",
)
@click.option("--older-than", type=Age(), metavar="AGE", help="Only drafts in their state for longer than this: 12h, 1d or 4w.")
@click.option("--newest-first", is_flag=True, help="The latest state change first.")
@limit_option
@json_option
@click.pass_obj
def list_drafts(
    find: Find,
    *,
    states: tuple[str, ...],
    older_than: timedelta | None,
    newest_first: bool,
    limit: int,
    as_json: bool,
) -> int:
    """List the drafts that need attention, the oldest first.

    An index finds them: nothing is scanned.
    """
    deployment = find()
    stages = tuple(Stage(state) for state in states) or OPEN
    environment = _environment(deployment)
    return output.show_list(
        list_approvals(
            _table(deployment), Rules.of(environment), stages=stages, older_than=older_than, newest_first=newest_first
        ),
        "draft",
        ("session", "state", "since", "title", "asked by", "may approve", "preview", "reason"),
        lambda found: (
            found.session_id,
            found.stage,
            clock.phoenix(found.since),
            found.title,
            found.requested_by,
            found.may_approve,
            found.preview_url,
            found.reason,
        ),
        _approval_as_json,
        as_json=as_json,
        limit=limit,
    )


@approvals.command("show")
@click.argument("session_id", metavar="SESSION")
@json_option
@click.pass_obj
def show_approval(find: Find, session_id: str, as_json: bool) -> int:
    """Show the draft of SESSION, and the operations on all its drafts."""
    deployment = find()
    found = read_approval(_table(deployment), Rules.of(_environment(deployment)), session_id)
    trail = _operations(deployment).get_session_operations(session_id)
    if as_json:
        output.print_json(_approval_as_json(found) | {"operations": [as_json_object(each) for each in trail]})
        return 0
    decision = ""
    if found.decided_at is not None:
        by = f" by {found.decided_by}" if found.decided_by else ""
        decision = f"{found.decision}{by}, {clock.for_people(found.decided_at)}"
    retry_it = f"operations retry {found.session_id} --by YOUR_SLACK_ID" if found.can_retry(clock.utc_now()) else ""
    details = (
        ("state", f"{found.stage} since {clock.phoenix(found.since)}"),
        ("title", found.title),
        ("project", found.project),
        ("asked by", found.requested_by),
        ("preview", found.preview_url or "none"),
        ("may approve", found.may_approve),
        ("decision", decision),
        ("issue", found.jira_key),
        ("reason", found.reason),
        ("to retry", retry_it),
        ("in Jira", f'labels = "{found.jira_label}"'),
        ("draft", found.draft_hash),
    )
    output.show_details(found.session_id, ((name, value) for name, value in details if value))
    return _show(trail, as_json=False)


def _approval_as_json(found: Approval) -> dict[str, Any]:
    values = dataclasses.asdict(found)
    times = {
        "state": values.pop("stage").value,
        "since": clock.phoenix(found.since),
        "decided_at": clock.phoenix(found.decided_at) if found.decided_at else None,
        "timezone": clock.TIMEZONE,
    }
    return values | times


@click.group()
def operations() -> None:
    """Show the audit trail of approvals; retry an issue that failed."""


@operations.command("list")
@click.option("--day", type=Day(), metavar="YYYY-MM-DD", help="A day in Phoenix; by default today.")
@limit_option
@json_option
@click.pass_obj
def list_all(find: Find, day: date | None, limit: int, as_json: bool) -> int:
    """List the operations of sessions that changed on a day.

    These are the sessions whose state last changed on that day, with all operations on all their drafts. An index finds
    them: nothing is scanned.
    """
    start = start_of(day or date.fromisoformat(clock.phoenix(clock.utc_now())[:10]))
    deployment = find()
    store, kept = ApprovalStore(_table(deployment)), _operations(deployment)
    return _show(list_operations(store, kept, start, start + timedelta(days=1)), as_json, limit)


@operations.command()
@click.argument("session_id", metavar="SESSION")
@json_option
@click.pass_obj
def show(find: Find, session_id: str, as_json: bool) -> int:
    """Show SESSION, and the operations on all its drafts."""
    deployment = find()
    view, session = read_view(_table(deployment), session_id)
    if not as_json:
        lines = {
            "session": f"{session_id}: {session.state.value}",
            "draft": f"{view.draft_hash}  {view.draft.draft.title if view.draft else ''}",
            "reason": view.failure,
        }
        if view.approval is not None:
            by = f" by {view.approval.decided_by}" if view.approval.decided_by else ""
            why = f": {view.approval.reason}" if view.approval.reason else ""
            lines["decision"] = f"{view.approval.word}{by}, {clock.for_people(view.approval.at)}{why}"
        lines["in Jira"] = f'labels = "{marker_of(session_id, view.draft_hash).label}"'
        for name, value in lines.items():
            if value:
                click.echo(f"{name:<10}{output.plain(value)}")
    return _show(_operations(deployment).get_session_operations(session_id), as_json)


@operations.command()
@click.argument("session_id", metavar="SESSION")
@click.option("--by", required=True, metavar="SLACK_ID", help="Your Slack user ID, for the audit trail.")
@click.pass_obj
def retry(find: Find, session_id: str, by: str) -> int:
    """Retry SESSION: its issue, or its preview.

    The issue of the current draft is created again, or its preview is posted again if Slack refused it.

    All checks apply: the worker searches for the issue before it creates one.
    """
    deployment = find()
    table = _table(deployment)
    state = retry_session(
        session_id,
        by,
        store=ApprovalStore(table),
        operations=JiraOperationStore(table, lease=_NO_LEASE),
        send=messages.sender(Queue(deployment.client("sqs"), _environment(deployment).approval_queue_url)),
    )
    click.echo(
        f"Session {session_id} was {state.value}; the worker handles it now. For the result: operations show {session_id}"
    )
    return 0


@click.group()
def drafts() -> None:
    """Submit a draft for approval in Slack."""


@drafts.command()
@click.option("--template", is_flag=True, help="Print a sample draft with every field, and submit nothing.")
@click.argument(
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE.json",
    required=False,
)
@click.pass_obj
def submit(find: Find, file: Path | None, template: bool) -> int:
    """Submit the draft in FILE.json, and print the answer.

    Use - for standard input. The request is signed with your AWS credentials.
    """
    if (file is None) is not template:
        raise click.UsageError("Pass either FILE.json or --template.")
    if file is None:
        click.echo(json.dumps(DRAFT_TEMPLATE, indent=2))
        return 0
    try:
        with click.open_file(str(file), encoding="utf-8-sig") as given:
            value = json.load(given)
    except (ValueError, RecursionError) as error:
        source = "standard input" if str(file) == "-" else file
        where = f": line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise errors.InvalidInputError(f"{source} is not JSON{where}") from None
    draft = read_draft(value)
    url = str(find().outputs.get("http_api_url") or "")
    if not url:
        raise errors.ConfigurationError("the stack's outputs have no http_api_url")
    click.echo(json.dumps(post_signed(f"{url}/drafts", canonical_json(draft).encode())))
    return 0


def post_signed(url: str, body: bytes) -> dict[str, Any]:
    """Post ``body`` to an AWS_IAM route of API Gateway, signed with the credentials of the environment; the JSON answer.

    Raises:
        AccessDeniedError: there are no credentials, or they do not have the permission.
        SwitchboardError: the API refused, with its reason, or can't be reached.
    """
    try:
        found = send_signed("POST", url, body)
    except errors.AmbiguousError as error:
        raise errors.AmbiguousError(f"{error}; it is safe to submit the draft again") from None
    answer = found.json()
    if answer is None:
        raise errors.UnavailableError(f"the API can't be reached: it answered {found.status} without JSON")
    message = str(answer.get("message", "")) if isinstance(answer, dict) else ""
    if found.status == 403:
        raise errors.AccessDeniedError(f"these AWS credentials may not submit drafts: {message}")
    if found.status != 200 or not isinstance(answer, dict):
        kind = errors.InvalidInputError if found.status < 500 else errors.UnavailableError
        raise kind(f"the API answered {found.status}: {message}")
    return answer


def as_json_object(operation: Operation) -> dict[str, Any]:
    """An operation as these commands print it, its times in Phoenix time."""

    def phoenix(moment: datetime | None) -> str | None:
        return clock.phoenix(moment) if moment is not None else None

    return {
        "session_id": operation.session_id,
        "draft_hash": operation.draft_hash,
        "operation": operation.name,
        "status": operation.status.value,
        "jira_key": operation.jira_key,
        "other_keys": list(operation.other_keys),
        "created_by": operation.created_by,
        "approved_by": operation.approved_by,
        "error_message": scrub(operation.error_message) if operation.error_message else None,
        "attempts": operation.attempts,
        "posts": operation.posts,
        "looks": operation.looks,
        "created_at": phoenix(operation.created_at),
        "updated_at": phoenix(operation.updated_at),
        "settled_at": phoenix(operation.settled_at),
        "claim_expires_at": phoenix(operation.claim_expires_at),
        "timezone": clock.TIMEZONE,
    }


def _show(found: Iterable[Operation], as_json: bool, limit: int | None = None) -> int:
    def cells(operation: Operation) -> Iterable[object]:
        row: Mapping[str, Any] = as_json_object(operation) | {"draft_hash": operation.draft_hash[:8]}
        names = ("session_id", "draft_hash", "operation", "status", "jira_key", "created_by", "posts", "updated_at")
        return (*(row[name] for name in names), row["error_message"])

    columns = ("session", "draft", "operation", "status", "issue", "by", "requests", "last change", "error")
    return output.show_list(found, "operation", columns, cells, as_json_object, as_json=as_json, limit=limit)


def _environment(deployment: Deployment) -> ApprovalsEnvironment:
    return deployment.environment("approvals", ApprovalsEnvironment)


def _table(deployment: Deployment) -> Table:
    return Table(deployment.client("dynamodb"), deployment.output("jira_operations_table_name"))


def _operations(deployment: Deployment) -> JiraOperationStore:
    return JiraOperationStore(_table(deployment), lease=_NO_LEASE)
