"""Which commits belong to which issues: the match of many issues, and the result of one. Pure.

lib/jira/correlation_store.py reads the rows and stores the results; lib/operations/correlation_report.py reports a project.
"""

import heapq
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter

from lib.jira.commits import Commit
from lib.jira.items import Issue
from lib.platform import clock


@dataclass(frozen=True, slots=True)
class Window:
    """Instants from ``start`` (inclusive) to ``end`` (exclusive). None leaves that side open."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, canonical_time: str) -> bool:
        """Whether a stored time lies in the window."""
        after_start = self.start is None or clock.canonical(self.start) <= canonical_time
        return after_start and (self.end is None or canonical_time < clock.canonical(self.end))


@dataclass(frozen=True, slots=True)
class Match:
    """An issue and a commit that names it."""

    issue_key: str
    sha: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A commit and the keys that it names and no live issue has."""

    sha: str
    issue_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """How many of each. A commit that names a known and an unknown issue counts as matched and as naming unknown ones."""

    issues: int
    commits: int
    matches: int
    issues_without_commits: int
    commits_without_issues: int
    commits_naming_unknown_issues: int


@dataclass(frozen=True, slots=True)
class Correlation:
    """What :func:`match` found, everything in the order of key and hash."""

    matches: tuple[Match, ...]
    issues_without_commits: tuple[str, ...]
    commits_without_issues: tuple[str, ...]
    commits_naming_unknown_issues: tuple[Unknown, ...]
    summary: Summary


def match(issues: Iterable[Issue], commits: Iterable[Commit], window: Window | None = None) -> Correlation:
    """Match issues with the commits that name them.

    A commit may come in parts, each with some of its keys, as COMMIT rows have them. A deleted issue is not known. A commit
    that names the former key of a moved issue belongs to the issue. With a ``window``, a commit counts if it was made in it,
    and an issue without commits is reported if it changed in it; an issue outside of it is still known, so that a commit
    which names it is matched.
    """
    stored = {issue.issue_key: issue for issue in issues}
    live = {key: issue for key, issue in stored.items() if not issue.deleted}
    counted: dict[tuple[str, str], Commit] = {}
    for commit in commits:
        if window is None or window.holds(commit.committed_at):
            other = counted.get((commit.sha, commit.repository))
            keys = (*(other.issue_keys if other else ()), *commit.issue_keys)
            counted[commit.sha, commit.repository] = replace(commit, issue_keys=tuple(dict.fromkeys(keys)))
    now = {key: current_key(key, stored) for commit in counted.values() for key in commit.issue_keys}
    pairs = {Match(now[key], commit.sha) for commit in counted.values() for key in commit.issue_keys if now[key] in live}
    matched = {pair.issue_key for pair in pairs}
    alone = {
        key for key, issue in live.items() if key not in matched and (window is None or window.holds(issue.stamp.version_at))
    }
    matches = tuple(sorted(pairs, key=lambda pair: (pair.issue_key, pair.sha)))
    commits_without_issues = tuple(sorted(commit.sha for commit in counted.values() if not commit.issue_keys))
    unknown = tuple(sorted(_unknown(counted.values(), now, live), key=lambda found: found.sha))
    return Correlation(
        matches=matches,
        issues_without_commits=tuple(sorted(alone)),
        commits_without_issues=commits_without_issues,
        commits_naming_unknown_issues=unknown,
        summary=Summary(
            issues=len(matched | alone),
            commits=len(counted),
            matches=len(matches),
            issues_without_commits=len(alone),
            commits_without_issues=len(commits_without_issues),
            commits_naming_unknown_issues=len(unknown),
        ),
    )


def current_key(issue_key: str, stored: Mapping[str, Issue]) -> str:
    """The key that an issue has after all of its moves; the last new one if the moves go in a circle."""
    seen: set[str] = set()
    while (issue := stored.get(issue_key)) and issue.moved_to and issue.deleted and issue.moved_to not in seen:
        seen.add(issue_key)
        issue_key = issue.moved_to
    return issue_key


MAX_COMMITS_IN_RESULT = 100
"""The commits that a result lists. The others are in COMMIT rows only."""


@dataclass(frozen=True, slots=True)
class IssueResult:
    """The correlation of one key.

    Attributes:
        state: ``matched``, ``without_commits``, ``moved`` for the former key of an issue, or ``unknown`` for a key that commits
            name and no live issue has.
        commits: the hashes of the newest :data:`MAX_COMMITS_IN_RESULT` commits, newest first.
        commit_count: how many commits there are.
        moved_to: the next key of a moved issue, which has the commits.
    """

    issue_key: str
    state: str
    commits: tuple[str, ...] = ()
    commit_count: int = 0
    moved_to: str | None = None


class CommitTally:
    """Counts commits and keeps the newest, in memory that does not grow with their number."""

    def __init__(self) -> None:
        self.count = 0
        self._newest: list[tuple[str, str]] = []

    def add(self, commit: Commit) -> None:
        """Count a commit. Each hash may be added once."""
        self.count += 1
        entry = (commit.committed_at, commit.sha)
        if len(self._newest) < MAX_COMMITS_IN_RESULT:
            heapq.heappush(self._newest, entry)
        else:
            heapq.heappushpop(self._newest, entry)

    def newest(self) -> tuple[str, ...]:
        """The hashes of the newest commits, newest first, those of one instant in the order of their hashes."""
        return tuple(sha for _, sha in sorted(sorted(self._newest, key=itemgetter(1)), key=itemgetter(0), reverse=True))


def correlate_issue(issue_key: str, issue: Issue | None, commits: CommitTally) -> IssueResult:
    """The result of one key, from its own rows: its HEAD, if there is one, and the commits that name it."""
    if issue is not None and issue.deleted and issue.moved_to is not None:
        return IssueResult(issue_key, "moved", moved_to=issue.moved_to)
    state = "unknown" if issue is None or issue.deleted else "matched" if commits.count else "without_commits"
    return IssueResult(issue_key, state, commits.newest(), commits.count)


def _unknown(commits: Iterable[Commit], now: Mapping[str, str], live: Container[str]) -> Iterable[Unknown]:
    for commit in commits:
        keys = tuple(key for key in commit.issue_keys if now[key] not in live)
        if keys:
            yield Unknown(commit.sha, keys)
