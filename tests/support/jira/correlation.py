"""Issues and commits for the tests of correlation."""

from lib.jira.commits import Commit
from lib.jira.issues import IssueFields, Stamp
from lib.jira.items import Issue
from lib.jira.webhooks import Delivery


def day(number: int) -> str:
    return f"2026-03-{number:02d}T12:00:00.000000Z"


def issue(key: str, updated: int = 1, *, deleted: bool = False, moved_to: str | None = None) -> Issue:
    return Issue(key, "1", Stamp(day(updated), 1, "d"), IssueFields("s"), deleted or moved_to is not None, moved_to)


def commit(sha: str, *keys: str, made: int = 1) -> Commit:
    return Commit(sha, "o/r", "title", day(made), keys)


def delivery(key: str, updated: int = 1, *, deleted: bool = False, moved_from: str | None = None) -> Delivery:
    return Delivery(
        issue_key=key,
        issue_id="1",
        stamp=Stamp(day(updated), updated, f"d-{key}-{updated}"),
        event_type="jira:issue_updated",
        fields=IssueFields("s"),
        deleted=deleted,
        moved_from=moved_from,
    )
