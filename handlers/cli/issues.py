"""``issues``: the stored issues, as lib/jira/issue_reader.py reads them."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import click

from handlers.cli import output
from handlers.cli.deployment import Deployment
from handlers.cli.options import IssueKey, ProjectKey
from lib.jira.issue_reader import IssueReader
from lib.jira.items import Issue, Version
from lib.platform import clock, errors

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
_limit = click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Show no more than this.")


@click.group()
def issues() -> None:
    """Look at stored issues: get, history, list.

    Times are in Phoenix.
    """


@issues.command()
@click.argument("issue_key", type=IssueKey(), metavar="KEY")
@_json
@click.pass_obj
def get(find: Callable[[], Deployment], issue_key: str, as_json: bool) -> int:
    """Show the current state of the issue KEY, a deleted one too."""
    issue = _reader(find()).latest(issue_key)
    if issue is None:
        raise errors.NotFoundError(f"{issue_key} is not stored")
    if as_json:
        output.print_json(_issue_as_json(issue))
        return 0
    table = output.table()
    table.show_header = False
    for name, value in (
        ("summary", issue.fields.summary or ""),
        ("status", issue.fields.status or ""),
        ("assignee", _assignee(issue)),
        ("fix versions", ", ".join(issue.fields.fix_versions)),
        ("state", _state(issue)),
        ("as of", output.when(issue.stamp.version_at)),
        ("told", clock.phoenix(clock.from_epoch_ms(issue.stamp.event_at))),
        ("id in Jira", issue.issue_id or ""),
        ("delivery", issue.stamp.idempotency_key),
    ):
        table.add_row(name, output.plain(value))
    output.show(table, issue.issue_key)
    return 0


@issues.command()
@click.argument("issue_key", type=IssueKey(), metavar="KEY")
@_limit
@_json
@click.pass_obj
def history(find: Callable[[], Deployment], issue_key: str, limit: int, as_json: bool) -> int:
    """Show the deliveries that are kept of the issue KEY, the newest state first."""
    versions = _reader(find()).history(issue_key)
    if as_json:
        for version in islice(versions, limit):
            output.print_json(_version_as_json(version))
        return 0
    shown = list(islice(versions, limit))
    table = output.table("as of", "event", "told", "received", "status", "assignee", "state")
    for version in shown:
        table.add_row(
            output.when(version.stamp.version_at),
            output.plain(version.event_type),
            clock.phoenix(clock.from_epoch_ms(version.stamp.event_at)),
            output.when(version.received_at),
            output.plain(version.fields.status or ""),
            output.plain(_assignee(version)),
            _state(version),
        )
    output.show(table, issue_key)
    _tell_of_more(versions, len(shown), "deliveries")
    return 0


@issues.command("list")
@click.option("--project", type=ProjectKey(), help="Of this project.")
@click.option("--status", help="In this status.")
@click.option("--assignee", help="Of this account: its id, or its name on Server.")
@click.option("--fix-version", help="With this among their fix versions.")
@_limit
@_json
@click.pass_obj
def list_issues(
    find: Callable[[], Deployment],
    *,
    project: str | None,
    status: str | None,
    assignee: str | None,
    fix_version: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """List the live issues for which everything given holds.

    One index finds them: that of the fix version, else of the assignee, the status, the project. What else is given picks
    among those.
    """
    if not (project or status or assignee or fix_version):
        raise click.UsageError("Give at least one of --project, --status, --assignee and --fix-version.")
    reader = _reader(find())
    if fix_version:
        found = reader.by_fix_version(fix_version)
    elif assignee:
        found = reader.by_assignee(assignee)
    elif status:
        found = reader.by_status(status)
    else:
        found = reader.by_project(str(project))
    wanted = (
        issue
        for issue in found
        if project in (None, issue.project_key)
        and status in (None, issue.fields.status)
        and assignee in (None, issue.fields.assignee)
    )
    if as_json:
        for issue in islice(wanted, limit):
            output.print_json(_issue_as_json(issue))
        return 0
    shown = list(islice(wanted, limit))
    output.out().print(_issue_table(shown))
    _tell_of_more(wanted, len(shown), "issues")
    return 0


def _reader(deployment: Deployment) -> IssueReader:
    return IssueReader(deployment.client("dynamodb"), deployment.jira_issues_table_name)


def _issue_table(found: Iterable[Issue]) -> Any:
    table = output.table("issue", "status", "assignee", "fix versions", "as of", "summary")
    for issue in found:
        table.add_row(
            issue.issue_key,
            output.plain(issue.fields.status or ""),
            output.plain(_assignee(issue)),
            output.plain(", ".join(issue.fields.fix_versions)),
            output.when(issue.stamp.version_at),
            output.plain(issue.fields.summary or ""),
        )
    return table


def _tell_of_more(rest: Iterator[object], shown: int, what: str) -> None:
    if next(rest, None) is None:
        output.err().print(f"{shown} {what}.")
    else:
        output.err().print(f"The first {shown} {what}; there are more: raise --limit.")


def _assignee(of: Issue | Version) -> str:
    return of.fields.assignee_name or of.fields.assignee or ""


def _state(of: Issue | Version) -> str:
    if of.moved_to:
        return f"moved to {of.moved_to}"
    return "deleted" if of.deleted else "live"


def _issue_as_json(issue: Issue) -> dict[str, Any]:
    return _as_json(issue) | {"idempotency_key": issue.stamp.idempotency_key}


def _version_as_json(version: Version) -> dict[str, Any]:
    return _as_json(version) | {
        "event_type": version.event_type,
        "received_at": output.when(version.received_at),
        "idempotency_key": version.stamp.idempotency_key,
        "snapshot_object": version.snapshot_object,
    }


def _as_json(of: Issue | Version) -> dict[str, Any]:
    return {
        "issue_key": of.issue_key,
        "issue_id": of.issue_id,
        "summary": of.fields.summary,
        "status": of.fields.status,
        "assignee": of.fields.assignee,
        "assignee_name": of.fields.assignee_name,
        "fix_versions": list(of.fields.fix_versions),
        "deleted": of.deleted,
        "moved_to": of.moved_to,
        "updated_at": output.when(of.stamp.version_at),
        "event_at": clock.phoenix(clock.from_epoch_ms(of.stamp.event_at)),
        "timezone": clock.TIMEZONE,
    }
