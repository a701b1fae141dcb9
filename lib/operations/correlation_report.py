"""Which stored commits belong to which issues of a project: a report for people.

The worker correlates one issue at a time (lib/jira/correlation_store.py). This reads a whole project instead, so that it also
shows the commits that name unknown issues.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lib.jira import items
from lib.jira.commits import Commit, read_commit
from lib.jira.correlation import Correlation, Window, match
from lib.jira.issue_reader import IssueReader
from lib.jira.issues import project_key, split_key
from lib.jira.items import Issue
from lib.platform import clock
from lib.platform.dynamodb import Table, number


@dataclass(frozen=True, slots=True)
class NamedIssue:
    """An issue key and the hashes of the commits that name it, in their order."""

    issue_key: str
    commits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of each. ``issues`` are those reported: the matched ones and those without commits."""

    issues: int
    commits: int
    matched_issues: int
    issues_without_commits: int
    commits_without_issues: int
    unknown_issues: int


@dataclass(frozen=True, slots=True)
class CorrelationReport:
    """The correlation of one project. All lists are in the order of project and issue number, or of hash.

    Attributes:
        project: the project's key.
        matched: the issues that commits name. A commit that names the former key of a moved issue belongs to its current key,
            which may be of another project.
        issues_without_commits: the live issues that no commit names.
        commits_without_issues: the commits that belong to no live issue: all keys that they name are unknown.
        unknown_issues: the keys that commits name and no live issue has.
        counts: how many of each.
    """

    project: str
    matched: tuple[NamedIssue, ...]
    issues_without_commits: tuple[str, ...]
    commits_without_issues: tuple[str, ...]
    unknown_issues: tuple[NamedIssue, ...]
    counts: Counts

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)


def report_project(
    project: str, reader: IssueReader, table: Table, *, window: Window | None = None, now: clock.Clock = clock.utc_now
) -> CorrelationReport:
    """Read the issues and commits of ``project`` and correlate them.

    It scans the whole table, since commits that name unknown issues have no index. Commits that have expired do not count.

    Args:
        project: the project's key.
        reader: the read side of JiraIssues.
        table: JiraIssues.
        window: count commits made in it only, and of the issues without commits those that changed in it.
        now: the clock.

    Raises:
        InvalidInputError: ``project`` is not a project key.
        SwitchboardError: the table can't be reached or refuses.
    """
    commits = list(read_commits(table, project_key(project), now()))
    return correlate(project, read_issues(reader, project, commits), commits, window)


def correlate(
    project: str, issues: Iterable[Issue], commits: Collection[Commit], window: Window | None = None
) -> CorrelationReport:
    """The report of a project's issues and commits. Pure: see :func:`lib.jira.correlation.match` for the rules."""
    found = match(issues, commits, window)
    matched = _by_issue((pair.issue_key, pair.sha) for pair in found.matches)
    unknown = _by_issue((key, entry.sha) for entry in found.commits_naming_unknown_issues for key in entry.issue_keys)
    alone = tuple(sorted(filter(lambda key: split_key(key)[0] == project, found.issues_without_commits), key=split_key))
    without_issues = _commits_without_issues(found)
    return CorrelationReport(
        project=project,
        matched=matched,
        issues_without_commits=alone,
        commits_without_issues=without_issues,
        unknown_issues=unknown,
        counts=Counts(
            issues=len(matched) + len(alone),
            commits=found.summary.commits,
            matched_issues=len(matched),
            issues_without_commits=len(alone),
            commits_without_issues=len(without_issues),
            unknown_issues=len(unknown),
        ),
    )


def read_commits(table: Table, project: str, now: datetime) -> Iterator[Commit]:
    """The commits that name issues of ``project``, one per key that they name."""
    rows = table.scan(
        "read the commits",
        FilterExpression="begins_with(issue_key, :project) AND begins_with(updated_at, :commit) AND expires_at > :now",
        ExpressionAttributeValues={
            ":project": {"S": f"{project}-"},
            ":commit": {"S": items.COMMIT_PREFIX},
            ":now": number(clock.epoch_s(now)),
        },
    )
    return map(read_commit, rows)


def read_issues(reader: IssueReader, project: str, commits: Iterable[Commit]) -> list[Issue]:
    """The live issues of ``project``, and every other issue that ``commits`` name: deleted or moved, and where it moved to."""
    found = {issue.issue_key: issue for issue in reader.by_project(project)}
    asked = set(found)
    wanted = {key for commit in commits for key in commit.issue_keys} - asked
    while wanted:
        heads = reader.heads(sorted(wanted))
        asked |= wanted
        found |= heads
        wanted = {head.moved_to for head in heads.values() if head.moved_to} - asked
    return list(found.values())


def _commits_without_issues(found: Correlation) -> tuple[str, ...]:
    matched = {pair.sha for pair in found.matches}
    unknown = {entry.sha for entry in found.commits_naming_unknown_issues}
    return tuple(sorted({*found.commits_without_issues, *(unknown - matched)}))


def _by_issue(pairs: Iterable[tuple[str, str]]) -> tuple[NamedIssue, ...]:
    named: dict[str, list[str]] = {}
    for issue_key, sha in sorted(set(pairs)):
        named.setdefault(issue_key, []).append(sha)
    return tuple(NamedIssue(key, tuple(named[key])) for key in sorted(named, key=split_key))
