"""``issues``: the stored issues, as lib/jira/issue_reader.py reads them."""

import itertools
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import click

from handlers.cli import output
from handlers.cli.options import (
    INSTANT,
    ISSUE_KEY,
    PROJECT_KEY,
    Day,
    Find,
    json_option,
    limit_option,
    refuse_reversed,
    start_of,
)
from lib.jira.correlation import Window
from lib.jira.issue_reader import IssueReader
from lib.jira.items import Issue, Version
from lib.jira.work_queue import WorkQueue
from lib.operations.correlation_report import report_project
from lib.operations.issue_fetch import request_fetch
from lib.operations.issue_list import IssueFilter, find_issues
from lib.operations.issue_report import IssueReport, history_of, report_issue
from lib.operations.issue_versions import artifacts_of, compare, content_of
from lib.platform import clock, errors
from lib.platform.dynamodb import Table
from lib.platform.environment.reconciliation import ReconciliationEnvironment
from lib.platform.queues import Queue
from lib.platform.wording import counted

_MOST_VERSIONS = 1_000
"""`diff` and `snapshot` search the latest versions, up to this number."""


@click.group()
def issues() -> None:
    """Show stored issues: get, history, diff, snapshot, list, correlate, fetch.

    Times are in Phoenix time.
    """


@issues.command()
@click.argument("issue_key", type=ISSUE_KEY, metavar="KEY")
@json_option
@click.pass_obj
def get(find: Find, issue_key: str, as_json: bool) -> int:
    """Show the issue KEY, even a deleted one, with its commits.

    The report ends with the issue's correlation.
    """
    deployment = find()
    report = report_issue(deployment.client("dynamodb"), deployment.output("jira_issues_table_name"), issue_key)
    issue = report.issue
    if as_json:
        output.print_json(_issue_as_json(issue) | _links_as_json(report))
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
            ("correlation", _correlation(report)),
            ("commits", "" if report.commits else "none"),
        ),
    )
    if report.commits:
        rows = output.table("commit", "repository", "committed", "title")
        for commit in report.commits:
            cells = (_short(commit.sha), commit.repository, output.phoenix(commit.committed_at), commit.title)
            rows.add_row(*map(output.plain, cells))
        output.show(rows, "Commits")
    if report.has_more_commits:
        output.err().print(f"Showing {counted(len(report.commits), 'commit')}; there are more.")
    return 0


def _correlation(report: IssueReport) -> str:
    found = report.correlation
    if found is None:
        return "not computed yet"
    state = f"moved to {found.moved_to}" if found.moved_to else found.state.replace("_", " ")
    outdated = "" if found.is_current else "; the issue has changed since"
    return f"{state}, {counted(found.commit_count, 'commit')}, computed {found.generated_at}{outdated}"


def _links_as_json(report: IssueReport) -> dict[str, Any]:
    return {
        "commits": [
            {
                "sha": commit.sha,
                "repository": commit.repository,
                "title": commit.title,
                "committed_at": output.phoenix(commit.committed_at),
            }
            for commit in report.commits
        ],
        "has_more_commits": report.has_more_commits,
        "correlation": asdict(report.correlation) if report.correlation else None,
    }


@issues.command()
@click.argument("issue_key", type=ISSUE_KEY, metavar="KEY")
@limit_option
@json_option
@click.pass_obj
def history(find: Find, issue_key: str, limit: int, as_json: bool) -> int:
    """Show the deliveries of the issue KEY, newest state first."""
    return output.show_list(
        history_of(_reader(find), issue_key),
        "delivery",
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


@issues.command()
@click.argument("issue_key", type=ISSUE_KEY, metavar="KEY")
@click.argument("first", type=INSTANT, required=False, metavar="[UPDATED]")
@click.argument("second", type=INSTANT, required=False, metavar="[UPDATED]")
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
@click.pass_obj
def diff(find: Find, issue_key: str, *, first: str | None, second: str | None, as_json: bool) -> int:
    """Show what differs between two versions of the issue KEY.

    UPDATED is the time of a version as `issues history` shows it. By default, the last two versions are compared.
    """
    deployment = find()
    reader = IssueReader(deployment.client("dynamodb"), deployment.output("jira_issues_table_name"))
    chosen = _chosen(reader, issue_key, 2, first, second)
    if len(chosen) < 2:
        raise errors.NotFoundError(f"fewer than two versions of {issue_key} are kept")
    found = compare(reader, artifacts_of(deployment), issue_key, *chosen)
    if as_json:
        compared = {"older": _version_as_json(found.older), "newer": _version_as_json(found.newer)}
        differences = {"state": [*map(asdict, found.state)], "snapshot": [*map(asdict, found.snapshot)]}
        output.print_json(compared | differences | {"problem": found.problem})
        return 0
    rows = output.table("field", *(output.phoenix(each.stamp.version_at) for each in (found.older, found.newer)))
    for each in (*found.state, *found.snapshot):
        rows.add_row(*map(output.plain, (each.path, each.before, each.after)))
    output.show(rows, issue_key)
    if found.problem:
        output.err().print(output.plain(f"Jira's JSON is not compared: {found.problem}"))
    return 0


@issues.command()
@click.argument("issue_key", type=ISSUE_KEY, metavar="KEY")
@click.argument("updated", type=INSTANT, required=False, metavar="[UPDATED]")
@click.pass_obj
def snapshot(find: Find, issue_key: str, updated: str | None) -> int:
    """Print the JSON that Jira sent for a version of the issue KEY, as it is.

    UPDATED is the time of the version as `issues history` shows it; by default the last version. The JSON may contain
    e-mail addresses.
    """
    deployment = find()
    reader = IssueReader(deployment.client("dynamodb"), deployment.output("jira_issues_table_name"))
    chosen = _chosen(reader, issue_key, 1, updated)
    content = content_of(reader, artifacts_of(deployment), issue_key, chosen[0]) if chosen else ""
    if not content:
        raise errors.NotFoundError(f"no JSON from Jira is stored for {issue_key}")
    click.echo(content)
    return 0


@issues.command()
@click.argument("issue_key", type=ISSUE_KEY, metavar="KEY")
@click.pass_obj
def fetch(find: Find, issue_key: str) -> int:
    """Fetch the issue KEY from Jira again, within seconds.

    The worker does it, as for a webhook. An issue that Jira does not have stays as it is: `reconcile` deletes.
    """
    deployment = find()
    url = deployment.environment("reconciliation", ReconciliationEnvironment).jira_queue_url
    delivery = request_fetch(WorkQueue(Queue(deployment.client("sqs"), url)), issue_key)
    click.echo(f"The worker fetches {issue_key}, as the delivery {delivery}.")
    return 0


@issues.command("list")
@click.option("--project", type=PROJECT_KEY, help="Issues of this project.")
@click.option("--status", help="Issues in this status.")
@click.option("--assignee", help="Issues of this account: its id, or its user name on Jira Data Center.")
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
    wanted = IssueFilter(project=project or "", status=status or "", assignee=assignee or "", fix_version=fix_version or "")
    if not wanted:
        raise click.UsageError("Pass at least one of --project, --status, --assignee and --fix-version.")
    return output.show_list(
        find_issues(_reader(find), wanted),
        "issue",
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


@issues.command()
@click.option("--project", type=PROJECT_KEY, required=True, help="The project.")
@click.option("--since", type=Day(), metavar="YYYY-MM-DD", help="The first day, in Phoenix, of commits and of issue changes.")
@click.option("--until", type=Day(), metavar="YYYY-MM-DD", help="The last day, in Phoenix.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def correlate(find: Find, project: str, since: date | None, until: date | None, as_json: bool) -> int:
    """Show which commits belong to which issues of a project.

    Also shows the issues without commits, the commits without issues, and the unknown issues that commits name. This reads
    the whole table.
    """
    refuse_reversed(since, until)
    window = Window(start_of(since) if since else None, start_of(until + timedelta(days=1)) if until else None)
    deployment = find()
    client, table = deployment.client("dynamodb"), deployment.output("jira_issues_table_name")
    with output.err().status("Reading issues and commits"):
        report = report_project(project, IssueReader(client, table), Table(client, table), window=window)
    if as_json:
        output.print_json(report.to_json())
        return 0
    rows = output.table("issue", "commits")
    for issue in report.matched:
        rows.add_row(issue.issue_key, ", ".join(_short(sha) for sha in issue.commits))
    for key in report.issues_without_commits:
        rows.add_row(key, "none")
    for issue in report.unknown_issues:
        rows.add_row(f"{issue.issue_key} (unknown)", ", ".join(_short(sha) for sha in issue.commits))
    output.show(rows, f"Commits of {project}")
    counts = report.counts
    output.out().print(
        f"{counted(counts.issues, 'issue')}: {counts.matched_issues} with commits, {counts.issues_without_commits} without. "
        f"{counted(counts.commits, 'commit')}: {counts.commits_without_issues} without an issue. "
        f"{counted(counts.unknown_issues, 'unknown issue')}."
    )
    if report.commits_without_issues:
        output.out().print(f"Commits without an issue: {', '.join(map(_short, report.commits_without_issues))}")
    return 0


def _short(sha: str) -> str:
    return sha[:12]


def _reader(find: Find) -> IssueReader:
    deployment = find()
    return IssueReader(deployment.client("dynamodb"), deployment.output("jira_issues_table_name"))


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


def _chosen(reader: IssueReader, issue_key: str, count: int, *updated: str | None) -> list[str]:
    """The times of ``count`` versions as they are stored: those given, perhaps without microseconds, and then the last ones."""
    kept = [version.stamp.version_at for version in itertools.islice(history_of(reader, issue_key), _MOST_VERSIONS)]
    shown = {f"{each[:-4]}000Z": each for each in reversed(kept)}
    given = [each if each in kept else shown.get(each, each) for each in updated if each]
    return [*given, *[each for each in kept if each not in given][: count - len(given)]]


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
