"""``issues get``: a stored issue with its commits and its correlation; ``issues history``: its stored versions.

Two bounded queries, whatever the length of the issue's history and the number of its commits.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lib.jira import issues, items
from lib.jira.commits import Commit, read_commit
from lib.jira.issue_reader import IssueReader
from lib.jira.items import Issue, Version
from lib.platform import clock, errors
from lib.platform.dynamodb import Item, Table
from lib.platform.wording import counted

MAX_COMMITS = 100
"""Commits that a report shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCorrelation:
    """The last correlation result of an issue.

    Attributes:
        state: ``matched``, ``without_commits``, ``moved`` or ``unknown``.
        commit_count: how many commits it found.
        moved_to: the key that has the commits now, if the issue moved.
        generated_at: when, in Phoenix time.
        is_current: whether it was computed from the current state of the issue.
    """

    state: str
    commit_count: int
    moved_to: str | None
    generated_at: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueReport:
    """An issue, the first of its commits, whether there are more, and its correlation, if it has one."""

    issue: Issue
    commits: tuple[Commit, ...]
    has_more_commits: bool
    correlation: StoredCorrelation | None


def report_issue(client: Any, table_name: str, issue_key: str, *, now: clock.Clock = clock.utc_now) -> IssueReport:
    """The report of one issue.

    Raises:
        NotFoundError: the issue is not stored.
        SwitchboardError: the table can't be reached or refuses.
    """
    table = Table(client, table_name)
    key = issues.issue_key(issue_key)
    rows = table.batch_get([items.key(key, name) for name in (items.HEAD, items.CORRELATION)], "read the issue")
    found = {row["updated_at"]["S"]: row for row in rows}
    commits = list(itertools.islice(_commits(table, key, clock.epoch_s(now())), MAX_COMMITS + 1))
    if items.HEAD not in found:
        count = f"{'more than ' if len(commits) > MAX_COMMITS else ''}{counted(min(len(commits), MAX_COMMITS), 'commit')}"
        named = f"; {count} named it" if commits else ""
        raise errors.NotFoundError(f"{key} is not stored{named}")
    issue = items.read_head(found[items.HEAD])
    row = found.get(items.CORRELATION)
    return IssueReport(
        issue=issue,
        commits=tuple(commits[:MAX_COMMITS]),
        has_more_commits=len(commits) > MAX_COMMITS,
        correlation=_read_correlation(row, issue) if row else None,
    )


def history_of(reader: IssueReader, issue_key: str) -> Iterator[Version]:
    """The stored deliveries of an issue, the newest state first. All of them may have expired.

    Raises:
        NotFoundError: nothing is stored of the issue.
        SwitchboardError: the table can't be reached or refuses.
    """
    versions = reader.history(issue_key)
    first = next(versions, None)
    if first is not None:
        return itertools.chain((first,), versions)
    if reader.latest(issue_key) is None:
        raise errors.NotFoundError(f"{issue_key} is not stored")
    return iter(())


def _commits(table: Table, issue_key: str, now: int) -> Iterator[Commit]:
    first, last = items.COMMIT_PREFIX, items.COMMIT_PREFIX + "~"
    rows = table.query(
        "read the issue's commits",
        KeyConditionExpression="issue_key = :issue AND updated_at BETWEEN :first AND :last",
        ExpressionAttributeValues={":issue": {"S": issue_key}, ":first": {"S": first}, ":last": {"S": last}},
        Limit=MAX_COMMITS + 1,
    )
    return (read_commit(row) for row in rows if int(row["expires_at"]["N"]) > now)


def _read_correlation(row: Item, issue: Issue) -> StoredCorrelation:
    return StoredCorrelation(
        state=row["state"]["S"],
        commit_count=int(row["commit_count"]["N"]),
        moved_to=row["moved_to"]["S"] if "moved_to" in row else None,
        generated_at=row["generated_at"]["S"],
        is_current=row.get("computed_of", {}).get("S") == issue.stamp.idempotency_key,
    )
