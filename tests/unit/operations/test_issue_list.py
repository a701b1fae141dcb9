"""Pages of issues have each issue once, and read a bounded number of rows."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from lib.jira import items
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter
from lib.jira.issues import IssueFields, Stamp
from lib.jira.items import Issue
from lib.jira.webhooks import Delivery
from lib.operations import issue_list
from lib.operations.issue_list import IssueFilter, find_issues, page_of_issues
from lib.platform import aws, errors
from tests.support.aws.moto_inside import ISSUES, create_tables, moto_inside
from tests.support.aws.moto_state import made_once
from tests.support.jira.builders import Snapshots


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[IssueReader]:
    """OPS-1 to OPS-9 and WEB-1 to WEB-9, all changed at the same two instants, every third one Done."""
    monkeypatch.setattr(items, "NAME_SHARDS", 2)  # moto takes milliseconds for each
    with moto_inside(monkeypatch):
        write_issues()
        yield IssueReader(aws.make_client("dynamodb"), ISSUES)


@made_once
def write_issues() -> None:
    create_tables()
    store = IssueWriter(aws.make_client("dynamodb"), ISSUES, history=timedelta(days=9), snapshots=Snapshots())
    for number in range(1, 10):
        for project in ("OPS", "WEB"):
            stamp = Stamp(f"2026-03-01T12:0{number % 2}:00.000000Z", number, f"{project}-{number}")
            fields = IssueFields(status="To Do" if number % 3 else "Done", assignee="ada")
            store.record(Delivery(f"{project}-{number}", None, stamp, "x", fields))


def all_pages(reader: IssueReader, wanted: IssueFilter, size: int) -> list[str]:
    found: list[Issue] = []
    cursor = ""
    for _ in range(50):
        page = page_of_issues(reader, wanted, cursor)
        assert len(page.rows) <= size
        found += page.rows
        cursor = page.cursor
        if not cursor:
            return [issue.issue_key for issue in found]
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("size", [1, 2, 5, 50])
@pytest.mark.parametrize(
    "wanted",
    [
        IssueFilter(project="OPS"),
        IssueFilter(project="OPS", status="Done"),
        IssueFilter(status="To Do"),
        IssueFilter(assignee="ada", project="WEB"),
    ],
)
def test_the_pages_together_are_the_whole_list(
    reader: IssueReader, wanted: IssueFilter, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issue_list, "PAGE_SIZE", size)
    monkeypatch.setattr(issue_list, "MOST_READ", size + 2)
    every = [issue.issue_key for issue in find_issues(reader, wanted)]

    assert len(every) in (3, 9, 12)
    assert all_pages(reader, wanted, size) == every


def test_no_more_rows_are_read_than_a_page_may_read(reader: IssueReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issue_list, "MOST_READ", 4)

    page = page_of_issues(reader, IssueFilter(status="To Do", project="NONE"))

    assert page.rows == ()
    assert page.cursor != ""


def test_nothing_wanted_is_refused(reader: IssueReader) -> None:
    with pytest.raises(errors.InvalidInputError):
        page_of_issues(reader, IssueFilter())
