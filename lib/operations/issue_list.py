"""The stored issues that match, by one index: pages for the console and a stream for the command line."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from lib.jira.issue_reader import IssueReader
from lib.jira.issues import issue_key
from lib.jira.items import Issue
from lib.operations.paging import PAGE_SIZE, Page
from lib.platform import clock, errors

MOST_READ = 500
"""The most rows of the index that one page reads; fewer match where a second filter applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueFilter:
    """What an issue must have; empty texts match all. At least one is needed.

    Attributes:
        project: its project.
        status: its status.
        assignee: its account: the id, or the user name on Jira Data Center.
        fix_version: one of its fix versions.
    """

    project: str = ""
    status: str = ""
    assignee: str = ""
    fix_version: str = ""

    def __bool__(self) -> bool:
        return bool(self.project or self.status or self.assignee or self.fix_version)

    def matches(self, issue: Issue) -> bool:
        """Whether the issue has what is wanted. The fix version is not compared: its index finds no other issues."""
        return (
            self.project in ("", issue.project_key)
            and self.status in ("", issue.fields.status)
            and self.assignee in ("", issue.fields.assignee)
        )


def find_issues(reader: IssueReader, wanted: IssueFilter) -> Iterator[Issue]:
    """All live issues that match.

    One index finds them: by fix version, else by assignee, status or project. The rest of the filter applies to what it finds.

    Raises:
        InvalidInputError: nothing is wanted.
        SwitchboardError: the table can't be reached or refuses.
    """
    if wanted.fix_version:
        return filter(wanted.matches, reader.by_fix_version(wanted.fix_version))
    return filter(wanted.matches, _indexed(reader, wanted, ""))


def page_of_issues(reader: IssueReader, wanted: IssueFilter, cursor: str = "") -> Page[Issue]:
    """A page of :func:`find_issues`, without a fix version. It may have fewer issues than fit, or none, and a cursor.

    Raises:
        InvalidInputError: nothing is wanted, or the cursor is malformed.
        SwitchboardError: the table can't be reached or refuses.
    """
    found: list[Issue] = []
    last: Issue | None = None
    for read, issue in enumerate(islice(_indexed(reader, wanted, cursor), MOST_READ + 1)):
        if last is not None and (read == MOST_READ or len(found) == PAGE_SIZE):
            return Page(tuple(found), _cursor_after(last, wanted))
        if wanted.matches(issue):
            found.append(issue)
        last = issue
    return Page(tuple(found))


def _indexed(reader: IssueReader, wanted: IssueFilter, cursor: str) -> Iterator[Issue]:
    if wanted.assignee:
        return reader.by_assignee(wanted.assignee, after=_read_cursor(cursor))
    if wanted.status:
        return reader.by_status(wanted.status, after=_read_cursor(cursor))
    if wanted.project:
        if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):
            raise errors.InvalidInputError("the cursor of the page is malformed")
        return reader.by_project(wanted.project, after=int(cursor or 0))
    raise errors.InvalidInputError("name a project, a status or an assignee")


def _cursor_after(issue: Issue, wanted: IssueFilter) -> str:
    if wanted.assignee or wanted.status:
        return f"{issue.stamp.version_at}~{issue.issue_key}"
    return str(issue.issue_number)


def _read_cursor(cursor: str) -> tuple[str, str] | None:
    if not cursor:
        return None
    version_at, _, key = cursor.partition("~")
    try:
        return clock.canonical(clock.parse(version_at)), issue_key(key)
    except ValueError:
        raise errors.InvalidInputError("the cursor of the page is malformed") from None
