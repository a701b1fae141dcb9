"""Which commits belong to which issues: the match itself, and the result as it is stored and reported.

Pure. The effects (reading an issue's own rows, writing the result, the run record) are in lib/jira/recompute.py.
"""

from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass
from datetime import datetime

from lib import clock
from lib.jira.commits import Commit
from lib.jira.rows import Issue


@dataclass(frozen=True, slots=True)
class Window:
    """Instants from ``start`` (inclusive) to ``end`` (exclusive)."""

    start: datetime
    end: datetime

    def holds(self, canonical_time: str) -> bool:
        """Whether a stored time lies in the window."""
        return clock.canonical(self.start) <= canonical_time < clock.canonical(self.end)


@dataclass(frozen=True, slots=True)
class Match:
    """An issue and a commit that names it."""

    issue_key: str
    sha: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A commit that names issues which nobody knows."""

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

    A deleted issue is not known. With a ``window``, a commit counts if it was made in it, and an issue without commits
    is reported if it changed in it; an issue outside of it is still known, so that a commit which names it is matched.
    """
    live = {issue.issue_key: issue for issue in issues if not issue.deleted}
    counted = {
        (commit.sha, commit.repository): commit for commit in commits if window is None or window.holds(commit.committed_at)
    }
    pairs = {Match(key, commit.sha) for commit in counted.values() for key in commit.issue_keys if key in live}
    matched = {pair.issue_key for pair in pairs}
    lonely = {
        key for key, issue in live.items() if key not in matched and (window is None or window.holds(issue.stamp.version_at))
    }
    matches = tuple(sorted(pairs, key=lambda pair: (pair.issue_key, pair.sha)))
    commits_without_issues = tuple(sorted(commit.sha for commit in counted.values() if not commit.issue_keys))
    unknown = tuple(sorted(_unknown(counted.values(), live), key=lambda found: found.sha))
    return Correlation(
        matches=matches,
        issues_without_commits=tuple(sorted(lonely)),
        commits_without_issues=commits_without_issues,
        commits_naming_unknown_issues=unknown,
        summary=Summary(
            issues=len(matched | lonely),
            commits=len(counted),
            matches=len(matches),
            issues_without_commits=len(lonely),
            commits_without_issues=len(commits_without_issues),
            commits_naming_unknown_issues=len(unknown),
        ),
    )


@dataclass(frozen=True, slots=True)
class IssueResult:
    """The correlation of one issue.

    ``state`` is ``matched``, ``without_commits``, or ``unknown`` for a key that commits name and no live issue has.
    """

    issue_key: str
    state: str
    commits: tuple[str, ...]


def correlate_issue(issue_key: str, issue: Issue | None, commits: Collection[Commit]) -> IssueResult:
    """The result of one key, from its own rows: its HEAD, if there is one, and the commits that name it."""
    found = match([issue] if issue else [], commits)
    state = "unknown" if issue is None or issue.deleted else "matched" if found.matches else "without_commits"
    return IssueResult(issue_key, state, tuple(sorted({commit.sha for commit in commits})))


def _unknown(commits: Iterable[Commit], live: Container[str]) -> Iterable[Unknown]:
    for commit in commits:
        keys = tuple(key for key in commit.issue_keys if key not in live)
        if keys:
            yield Unknown(commit.sha, keys)
