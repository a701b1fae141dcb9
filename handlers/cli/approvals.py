"""``operations`` and ``drafts``: the audit trail of approvals, another try at an issue that failed, and a draft by hand.

What people read goes to standard output as a table, or as JSON lines with ``--json``; times are Phoenix time.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from handlers.cli import output
from lib.approvals import drafts as draft_rules
from lib.approvals import messages
from lib.approvals.issue_tracker import marker_of
from lib.approvals.operations import JiraOperationStore
from lib.approvals.records import Operation
from lib.approvals.repository import ApprovalStore
from lib.operations.retry import retry as retry_issue
from lib.platform import clock, errors
from lib.platform.dynamodb import Table
from lib.platform.environment import ApprovalsEnvironment, Environment
from lib.platform.queues import Queue

Kind = TypeVar("Kind", bound=Environment)

TIMEOUT_SECONDS = 30.0
_NO_LEASE = timedelta(0)  # nothing is claimed from here


class Deployment(Protocol):
    """What these commands need of handlers/cli/deployment.py."""

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs."""

    def client(self, service: str) -> Any:
        """The client of an AWS service."""

    def environment(self, entry_point: str, kind: type[Kind]) -> Kind:
        """The environment that a function has."""


_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group()
def operations() -> None:
    """The audit trail of approvals; another try at an issue that failed."""


@operations.command("list")
@click.option("--day", metavar="YYYY-MM-DD", help="A day in Phoenix; today without it.")
@_json
@click.pass_obj
def list_operations(find: Callable[[], Deployment], day: str | None, as_json: bool) -> int:
    """List the operations that last changed on a day. It reads the whole table."""
    start = _start_of(day)
    _show(_operations(find()).get_operations_between(start, start + timedelta(days=1)), as_json)
    return 0


@operations.command()
@click.argument("session_id", metavar="SESSION")
@_json
@click.pass_obj
def show(find: Callable[[], Deployment], session_id: str, as_json: bool) -> int:
    """Show where SESSION stands, and everything that was done for it on every draft."""
    deployment = find()
    view = ApprovalStore(_table(deployment)).read_current(session_id)
    if view is None or view.session is None:
        raise errors.NotFoundError(f"there is no session {session_id[:200]!a}")
    if not as_json:
        _tell("session", f"{session_id}: {view.session.state.value}")
        _tell("draft", f"{view.draft_hash}  {view.draft.draft.title if view.draft else ''}")
        if view.failure:
            _tell("reason", view.failure)
        if view.approval is not None:
            verb = "approved" if view.approval.approved else "rejected"
            _tell("decision", f"{verb} by {view.approval.decided_by}, {clock.for_people(view.approval.at)}")
        _tell("in Jira", f'labels = "{marker_of(session_id, view.draft_hash).label}"')
    _show(_operations(deployment).get_session_operations(session_id), as_json)
    return 0


@operations.command()
@click.argument("session_id", metavar="SESSION")
@click.option("--by", required=True, metavar="WHO", help="Who asks for it: your Slack user ID. It goes on record.")
@click.pass_obj
def retry(find: Callable[[], Deployment], session_id: str, by: str) -> int:
    """Retry the issue of SESSION's current draft, or its preview if Slack refused it.

    No check is skipped: the worker looks for the issue before it creates one.
    """
    deployment = find()
    table = _table(deployment)
    state = retry_issue(
        session_id,
        by,
        store=ApprovalStore(table),
        operations=JiraOperationStore(table, lease=_NO_LEASE),
        send=messages.sender(Queue(deployment.client("sqs"), _environment(deployment).approval_queue_url)),
    )
    click.echo(f"Session {session_id} was {state.value}; the worker takes it up now. See: operations show {session_id}")
    return 0


@click.group()
def drafts() -> None:
    """Submit a draft for approval in Slack."""


@drafts.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path), metavar="FILE.json")
@click.pass_obj
def submit(find: Callable[[], Deployment], file: Path) -> int:
    """Submit the draft in FILE.json (- for standard input), signed with your AWS credentials, and print the answer."""
    with click.open_file(str(file), encoding="utf-8") as given:
        text = given.read()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        source = "standard input" if str(file) == "-" else file
        raise errors.InvalidInputError(f"{source} is not JSON") from None
    draft = draft_rules.read_draft(value)
    url = str(find().outputs.get("http_api_url") or "")
    if not url:
        raise errors.ConfigurationError("there is no http_api_url in the stack's outputs")
    click.echo(json.dumps(post_signed(f"{url}/drafts", draft_rules.canonical_json(draft).encode())))
    return 0


def post_signed(url: str, body: bytes) -> dict[str, Any]:
    """Post ``body`` to an AWS_IAM route of API Gateway, signed by the credentials of the environment; the JSON answered.

    Raises:
        AccessDeniedError: no credentials, or not the right ones.
        SwitchboardError: the API refused, with its sentence, or can't be reached.
    """
    import requests  # noqa: PLC0415 - this command's only
    from botocore.auth import SigV4Auth  # noqa: PLC0415
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.session import get_session  # noqa: PLC0415

    session = get_session()
    credentials, region = session.get_credentials(), session.get_config_variable("region")
    if credentials is None or not region:
        raise errors.AccessDeniedError("there are no AWS credentials or no region in the environment to sign with")
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
    try:
        answer = requests.post(url, data=body, headers=dict(request.headers), timeout=TIMEOUT_SECONDS)
        told = answer.json()
    except requests.Timeout:
        raise errors.DeadlineExceededError("the API did not answer in time; submit again, that does no harm") from None
    except (requests.RequestException, ValueError) as error:
        raise errors.UnavailableError(f"the API can't be reached: {type(error).__name__}") from None
    message = str(told.get("message", "")) if isinstance(told, dict) else ""
    if answer.status_code == 403:
        raise errors.AccessDeniedError(f"these AWS credentials may not submit drafts: {message}")
    if answer.status_code != 200 or not isinstance(told, dict):
        kind = errors.InvalidInputError if answer.status_code < 500 else errors.UnavailableError
        raise kind(f"the API answered {answer.status_code}: {message}")
    return told


def as_plain_json(operation: Operation) -> dict[str, Any]:
    """An operation as these commands print it, its times in Phoenix time."""

    def told(moment: datetime | None) -> str | None:
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
        "error_message": operation.error_message,
        "attempts": operation.attempts,
        "posts": operation.posts,
        "looks": operation.looks,
        "created_at": told(operation.created_at),
        "updated_at": told(operation.updated_at),
        "settled_at": told(operation.settled_at),
        "claim_expires_at": told(operation.claim_expires_at),
        "timezone": clock.TIMEZONE,
    }


def _show(found: Iterable[Operation], as_json: bool) -> None:
    if as_json:
        for operation in found:
            output.print_json(as_plain_json(operation))
        return
    columns = (
        "session_id",
        "draft_hash",
        "operation",
        "status",
        "jira_key",
        "created_by",
        "posts",
        "updated_at",
        "error_message",
    )
    table = output.table("session", "draft", "operation", "status", "issue", "by", "requests", "last change", "error")
    for operation in found:
        row = as_plain_json(operation) | {"draft_hash": operation.draft_hash[:8]}
        table.add_row(*(output.plain(row[name] or "") for name in columns))
    output.out().print(table)


def _tell(name: str, value: str) -> None:
    click.echo(f"{name:<10}{output.plain(value)}")


def _start_of(day: str | None) -> datetime:
    text = day or clock.phoenix(clock.utc_now())[:10]
    try:
        return clock.parse(f"{date.fromisoformat(text).isoformat()}T00:00:00-07:00")
    except ValueError:
        raise click.BadParameter(f"{text[:20]!a} is no day: write 2026-01-22.", param_hint="--day") from None


def _environment(deployment: Deployment) -> ApprovalsEnvironment:
    return deployment.environment("approvals", ApprovalsEnvironment)


def _table(deployment: Deployment) -> Table:
    return Table(deployment.client("dynamodb"), _environment(deployment).operations_table_name)


def _operations(deployment: Deployment) -> JiraOperationStore:
    return JiraOperationStore(_table(deployment), lease=_NO_LEASE)
