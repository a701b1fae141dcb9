"""The state behind the Jira stand-in: projects, issues, and a search index that lags. Not thread-safe."""

import bisect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from stack.local.standins.jql import Clause, JqlError, Query, instant

_PACIFIC = timezone(timedelta(hours=-8))

STATUSES = ("To Do", "In Progress", "Done")


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue at one moment."""

    id: int
    project: str
    number: int
    summary: str
    created: datetime
    updated: datetime
    status: str = "To Do"
    assignee: str | None = None
    fix_versions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    description: Any = None
    issue_type: str = "Task"

    @property
    def key(self) -> str:
        """The issue's key."""
        return f"{self.project}-{self.number}"

    def render(self, wanted: Iterable[str] | None = None) -> dict[str, Any]:
        """The issue as the API shows it, with the ``wanted`` fields; None for all."""
        fields = {
            "summary": self.summary,
            "status": {"name": self.status, "id": str(10000 + STATUSES.index(self.status))},
            "assignee": self.assignee and {"accountId": self.assignee, "displayName": self.assignee.title(), "active": True},
            "fixVersions": [{"id": str(20000 + len(name)), "name": name} for name in self.fix_versions],
            "labels": list(self.labels),
            "created": jira_time(self.created),
            "updated": jira_time(self.updated),
            "project": {"id": "10000", "key": self.project, "name": self.project.title()},
            "issuetype": {"name": self.issue_type},
            "description": self.description,
        }
        if wanted is not None and "*all" not in wanted:
            fields = {name: fields[name] for name in wanted if name in fields}
        return {"id": str(self.id), "key": self.key, "self": f"/rest/api/3/issue/{self.id}", "fields": fields}


@dataclass(slots=True)
class _Indexed:
    """What search shows of an issue until ``until``; None hides it."""

    shown: Issue | None
    until: datetime


@dataclass(slots=True)
class Site:
    """All issues of a site.

    Attributes:
        now: the clock.
        lag: how long a change takes to reach search.
        hidden: keys of issues and projects that the account may not see.
        restricted: keys of issues and projects that an anonymous caller may not see.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    lag: timedelta = timedelta(0)
    hidden: set[str] = field(default_factory=set)
    restricted: set[str] = field(default_factory=set)
    by_id: dict[int, Issue] = field(default_factory=dict)
    ids: dict[tuple[str, int], int] = field(default_factory=dict)
    former: dict[tuple[str, int], int] = field(default_factory=dict)
    properties: dict[int, dict[str, Any]] = field(default_factory=dict)
    _numbers: dict[str, list[int]] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _lagging: dict[int, _Indexed] = field(default_factory=dict)
    _last_id: int = 10_000

    @property
    def projects(self) -> list[str]:
        """The keys of the projects that the account may see."""
        return [project for project in self._last if project not in self.hidden]

    def add_project(self, project: str) -> None:
        """Create a project unless it exists."""
        self._last.setdefault(project, 0)
        self._numbers.setdefault(project, [])

    def create(self, project: str, summary: str, **fields: Any) -> Issue:
        """Create an issue with the site's next id and the project's next number."""
        self.add_project(project)
        self._last[project] += 1
        self._last_id += 1
        times = {"created": self.now(), "updated": self.now()}
        issue = Issue(self._last_id, project, self._last[project], summary, **{**times, **fields})
        self._put(issue, before=None)
        return issue

    def edit(self, issue: Issue, **fields: Any) -> Issue:
        """Change fields of an issue; ``updated`` is now unless given."""
        changed = replace(issue, **{"updated": self._now_after(issue), **fields})
        self._put(changed, before=issue)
        return changed

    def delete(self, issue: Issue) -> None:
        """Delete an issue; search shows it until its lag is over."""
        self._remove(issue)
        self.properties.pop(issue.id, None)
        self._lag(issue.id, issue)

    def move(self, issue: Issue, project: str) -> Issue:
        """Move an issue to another project; moved back, it has its old key again."""
        self.add_project(project)
        back = next((n for (p, n), known in self.former.items() if p == project and known == issue.id), None)
        if back is None:
            self._last[project] += 1
        moved = replace(issue, project=project, number=back or self._last[project], updated=self._now_after(issue))
        self._remove(issue)
        self.former[issue.project, issue.number] = issue.id
        self.former.pop((moved.project, moved.number), None)
        self._put(moved, before=issue)
        return moved

    def find(self, key_or_id: str) -> Issue | None:
        """The issue of a key, a former key or an id, if the account may see it. The database does not lag."""
        project, _, number = key_or_id.upper().rpartition("-")
        issue_id: int | None = None
        if key_or_id.isascii() and key_or_id.isdigit():
            issue_id = int(key_or_id)
        elif number.isascii() and number.isdigit():
            at = (project, int(number))
            issue_id = self.ids.get(at, self.former.get(at))
        issue = self.by_id.get(issue_id) if issue_id is not None else None
        return issue if issue is not None and self.visible(issue) else None

    def visible(self, issue: Issue) -> bool:
        """Whether the account may see the issue."""
        return issue.key not in self.hidden and issue.project not in self.hidden

    def search(self, query: Query, after: tuple[Any, ...] | None, exact: set[int]) -> Iterator[tuple[tuple[Any, ...], Issue]]:
        """The issues that search shows after the place ``after``, each with its place. ``exact`` are ids without lag.

        Raises:
            JqlError: a project of the query does not exist.
        """
        self._check_projects(query)
        if any(clause.field == "key" and self._bounded_by_nothing(clause) for clause in query.clauses):
            return  # Jira Cloud's search/jql then finds nothing and reports no error
        project = next(
            (clause.values[0] for clause in query.clauses if clause.field == "project" and clause.operator == "="), None
        )
        now = self.now()
        if query.order == "key" and not query.descending and project is not None:
            candidates: Iterable[Issue] = self._in_key_order(project.upper(), after, exact)
        else:
            candidates = sorted(self._shown(exact), key=lambda issue: _place(query, issue), reverse=query.descending)
        for issue in candidates:
            place = _place(query, issue)
            if after is not None and not (place < after if query.descending else place > after):
                continue
            if self.visible(issue) and all(self._holds(clause, issue, now) for clause in query.clauses):
                yield place, issue

    def _in_key_order(self, project: str, after: tuple[Any, ...] | None, exact: set[int]) -> Iterator[Issue]:
        """For speed: the sweep of a large project has a thousand pages."""
        if self._lagging:
            yield from sorted((i for i in self._shown(exact) if i.project == project), key=lambda issue: issue.number)
            return
        numbers = self._numbers[project]
        for number in numbers[bisect.bisect_right(numbers, after[1]) if after else 0 :]:
            yield self.by_id[self.ids[project, number]]

    def _shown(self, exact: set[int]) -> Iterator[Issue]:
        now = self.now()
        self._lagging = {issue_id: old for issue_id, old in self._lagging.items() if old.until > now}
        for issue_id in self.by_id.keys() | self._lagging.keys():
            lagging = self._lagging.get(issue_id) if issue_id not in exact else None
            shown = lagging.shown if lagging else self.by_id.get(issue_id)
            if shown is not None:
                yield shown

    def _bounded_by_nothing(self, clause: Clause) -> bool:
        return clause.operator not in {"=", "in"} and self.find(clause.values[0]) is None

    def _holds(self, clause: Clause, issue: Issue, now: datetime) -> bool:
        match clause.field:
            case "project":
                return issue.project in {value.upper() for value in clause.values}
            case "labels":
                return any(value in issue.labels for value in clause.values)
            case "id":
                return str(issue.id) in clause.values
            case "key":
                return _key_holds(clause, issue)
        moment = issue.updated if clause.field == "updated" else issue.created
        return _compare(clause.operator, moment, instant(clause.values[0], now))

    def _check_projects(self, query: Query) -> None:
        for value in (value for clause in query.clauses if clause.field == "project" for value in clause.values):
            if value.upper() not in self.projects:
                raise JqlError(f"The value '{value}' does not exist for the field 'project'.")

    def _put(self, issue: Issue, before: Issue | None) -> None:
        self.by_id[issue.id] = issue
        if (issue.project, issue.number) not in self.ids:
            bisect.insort(self._numbers[issue.project], issue.number)
        self.ids[issue.project, issue.number] = issue.id
        self._lag(issue.id, before)

    def _remove(self, issue: Issue) -> None:
        del self.by_id[issue.id], self.ids[issue.project, issue.number]
        self._numbers[issue.project].remove(issue.number)

    def _now_after(self, issue: Issue) -> datetime:
        """Now, or a millisecond after the last change: Jira's times are in milliseconds, and each change must be later."""
        return max(self.now(), issue.updated + timedelta(milliseconds=1))

    def _lag(self, issue_id: int, before: Issue | None) -> None:
        if self.lag:
            shown = self._lagging[issue_id].shown if issue_id in self._lagging else before
            self._lagging[issue_id] = _Indexed(shown, self.now() + self.lag)


def jira_time(moment: datetime) -> str:
    """An instant as Jira Cloud writes it, in its default user's time zone."""
    return moment.astimezone(_PACIFIC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}-0800"


def _place(query: Query, issue: Issue) -> tuple[Any, ...]:
    if query.order == "key":
        return (issue.project, issue.number)
    return (jira_time(issue.updated if query.order == "updated" else issue.created), issue.id)


def _key_holds(clause: Clause, issue: Issue) -> bool:
    wanted = [_split(value) for value in clause.values]
    if clause.operator in {"=", "in"}:
        return (issue.project, issue.number) in wanted
    ((project, number),) = wanted
    return issue.project == project and _compare(clause.operator, issue.number, number)


def _split(key: str) -> tuple[str, int]:
    project, _, number = key.upper().rpartition("-")
    if not (project and number.isascii() and number.isdigit()):
        raise JqlError(f"The issue key '{key}' for field 'key' is invalid.")
    return project, int(number)


def _compare(operator: str, left: Any, right: Any) -> bool:
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator])
