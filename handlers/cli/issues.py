"""``issues``: the stored issues, as lib/jira/issue_reader.py reads them."""

from typing import Any

import click

from handlers.cli import output
from handlers.cli.options import ISSUE_KEY, PROJECT_KEY, Find, json_option, limit_option
from lib.jira.issue_reader import IssueReader
from lib.jira.items import Issue, Version
from lib.platform import clock, errors


@click.group()
def issues() -> None:
    """Show stored issues: get, history, list.

    Times are in Phoenix time.
    """


@issues.command()
@click.argument("issue_key", type=ISSUE_KEY, metavar="KEY")
@json_option
@click.pass_obj
def get(find: Find, issue_key: str, as_json: bool) -> int:
    """Show the state of the issue KEY, even if it is deleted."""
    issue = _reader(find).latest(issue_key)
    if issue is None:
        raise errors.NotFoundError(f"{issue_key} is not stored")
    if as_json:
        output.print_json(_issue_as_json(issue))
        return 0
    output.show_details(
        issue.issue_key,
        (
            ("summary", issue.fields.summary),
            ("status", issue.fields.status),
            ("assignee", _assignee(issue)),
            ("fix versions", ", ".join(issue.fields.fix_versions)),
            ("state", _state(issue)),
            ("updated", output.phoenix(issue.stamp.version_at)),
            ("event time", _event_time(issue)),
            ("id in Jira", issue.issue_id),
            ("delivery", issue.stamp.idempotency_key),
        ),
    )
    return 0


@issues.command()
@click.argument("issue_key", type=ISSUE_KEY, metavar="KEY")
@limit_option
@json_option
@click.pass_obj
def history(find: Find, issue_key: str, limit: int, as_json: bool) -> int:
    """Show the deliveries of the issue KEY, newest state first."""
    return output.show_list(
        _reader(find).history(issue_key),
        "deliveries",
        ("updated", "event", "event time", "received", "status", "assignee", "state"),
        lambda version: (
            output.phoenix(version.stamp.version_at),
            version.event_type,
            _event_time(version),
            output.phoenix(version.received_at),
            version.fields.status,
            _assignee(version),
            _state(version),
        ),
        _version_as_json,
        as_json=as_json,
        limit=limit,
        title=issue_key,
    )


@issues.command("list")
@click.option("--project", type=PROJECT_KEY, help="Issues of this project.")
@click.option("--status", help="Issues in this status.")
@click.option("--assignee", help="Issues of this account: its id, or its name on Jira Server.")
@click.option("--fix-version", help="Issues with this fix version.")
@limit_option
@json_option
@click.pass_obj
def list_issues(
    find: Find,
    *,
    project: str | None,
    status: str | None,
    assignee: str | None,
    fix_version: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """List the live issues that match all options.

    One index finds them: by fix version, else by assignee, status or project. The other options filter what it finds.
    """
    if not (project or status or assignee or fix_version):
        raise click.UsageError("Pass at least one of --project, --status, --assignee and --fix-version.")
    reader = _reader(find)
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
    return output.show_list(
        wanted,
        "issues",
        ("issue", "status", "assignee", "fix versions", "updated", "summary"),
        lambda issue: (
            issue.issue_key,
            issue.fields.status,
            _assignee(issue),
            ", ".join(issue.fields.fix_versions),
            output.phoenix(issue.stamp.version_at),
            issue.fields.summary,
        ),
        _issue_as_json,
        as_json=as_json,
        limit=limit,
    )


def _reader(find: Find) -> IssueReader:
    deployment = find()
    return IssueReader(deployment.client("dynamodb"), deployment.jira_issues_table_name)


def _assignee(of: Issue | Version) -> str | None:
    return of.fields.assignee_name or of.fields.assignee


def _event_time(of: Issue | Version) -> str:
    return clock.phoenix(clock.from_epoch_ms(of.stamp.event_at))


def _state(of: Issue | Version) -> str:
    if of.moved_to:
        return f"moved to {of.moved_to}"
    return "deleted" if of.deleted else "live"


def _issue_as_json(issue: Issue) -> dict[str, Any]:
    return _as_json(issue) | {"idempotency_key": issue.stamp.idempotency_key}


def _version_as_json(version: Version) -> dict[str, Any]:
    return _as_json(version) | {
        "event_type": version.event_type,
        "received_at": output.phoenix(version.received_at),
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
        "updated_at": output.phoenix(of.stamp.version_at),
        "event_at": _event_time(of),
        "timezone": clock.TIMEZONE,
    }
