"""The read side of JiraIssues: typed values, pages read on demand, and no cost for history.

Reads of one issue are consistent: they show what was acknowledged. Reads through an index may lag by a moment. Rows that are
not issues (health sentinels) have no index attribute, so no read shows them.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice
from typing import Any

from lib.jira import issues, items
from lib.jira.items import Issue, Version
from lib.platform import contract, errors
from lib.platform.dynamodb import Item, Table, number

_LAST_NUMBER = 10**18  # no issue key has a longer number

PAGE_SIZE = 100
"""Rows per query."""

_QUERIES_AT_ONCE = 8  # a client keeps ten connections


class IssueReader:
    """The read side of one JiraIssues table. ``client`` is a DynamoDB client of :mod:`lib.platform.aws`.

    Every method raises SwitchboardError if the table can't be reached or refuses, and those that take an issue key raise
    InvalidInputError if it is malformed.
    """

    def __init__(self, client: Any, table_name: str, *, page_size: int = PAGE_SIZE) -> None:
        self._table = Table(client, table_name)
        self._page_size = page_size

    def latest(self, issue_key: str) -> Issue | None:
        """The current state of an issue, deleted ones too; None if it was never stored. One read of one small row."""
        item = self._table.get(items.key(issues.issue_key(issue_key), items.HEAD), "read the issue")
        return items.read_head(item) if item else None

    def history(self, issue_key: str, *, before: str | None = None) -> Iterator[Version]:
        """The stored deliveries of an issue, the newest state first; with ``before``, those with an earlier time."""
        rows = self._query(
            KeyConditionExpression="issue_key = :issue AND updated_at < :before",
            ExpressionAttributeValues={
                ":issue": {"S": issues.issue_key(issue_key)},
                ":before": {"S": min(before or items.FIRST_LETTER, items.FIRST_LETTER)},
            },
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        return map(items.read_version, rows)

    def version(self, issue_key: str, version_at: str) -> Version | None:
        """The stored delivery of an issue with this time; None if there is none."""
        if not version_at or version_at >= items.FIRST_LETTER:
            return None  # the name of another row
        item = self._table.get(items.key(issues.issue_key(issue_key), version_at), "read the version")
        return items.read_version(item) if item else None

    def by_project(self, project_key: str, *, after: int = 0, through: int | None = None) -> Iterator[Issue]:
        """The live issues of a project in the order of their numbers, those with ``after`` < number <= ``through``."""
        first, last = after + 1, _LAST_NUMBER if through is None else through
        if last < first:
            return iter(())
        return map(items.read_head, self._query(**_project_query(project_key, first, last)))

    def by_status(self, status: str, *, after: tuple[str, str] | None = None) -> Iterator[Issue]:
        """The live issues in a status, the latest changed first; ``after`` is the ``version_at`` and key of an issue."""
        return map(items.read_head, self._by_name(contract.STATUS_INDEX, status, after))

    def by_assignee(self, assignee: str, *, after: tuple[str, str] | None = None) -> Iterator[Issue]:
        """The live issues of an account (its id, or its name on Server), as :meth:`by_status`."""
        return map(items.read_head, self._by_name(contract.ASSIGNEE_INDEX, assignee, after))

    def by_fix_version(self, fix_version: str) -> Iterator[Issue]:
        """The live issues that have ``fix_version`` among their fix versions.

        A row of this index is the HEAD of an issue with this as its first version, or a hint that an issue had it as a
        further one. Hints are checked against HEAD, a page of them in one call (docs/adr/0023).
        """
        rows = self._by_name(contract.FIX_VERSION_INDEX, fix_version, None)
        while page := list(islice(rows, self._page_size)):
            heads = self.heads([row["issue_key"]["S"] for row in page if row["updated_at"]["S"] != items.HEAD])
            for row in page:
                if row["updated_at"]["S"] == items.HEAD:
                    yield items.read_head(row)
                    continue
                head = heads.get(row["issue_key"]["S"])
                if head is not None and not head.deleted and fix_version in items.hinted(head.fields.fix_versions):
                    yield head

    def heads(self, issue_keys: Sequence[str]) -> dict[str, Issue]:
        """The current states of some issues, by key, deleted ones too; those never stored are left out."""
        keys = [items.key(issues.issue_key(key), items.HEAD) for key in dict.fromkeys(issue_keys)]
        heads = map(items.read_head, self._table.batch_get(keys, "read issues"))
        return {head.issue_key: head for head in heads}

    def project_is_known(self, project_key: str) -> bool:
        """Whether any live issue of the project is stored, or one moved away from it. One query of one row."""
        rows = self._query(**_project_query(project_key, 0, _LAST_NUMBER) | {"Limit": 1})
        return next(rows, None) is not None

    def _by_name(self, index: contract.Index, name: str, after: tuple[str, str] | None) -> Iterator[Item]:
        """The rows of a name, the latest changed first; with ``after``, those after this position."""
        if not name:
            raise errors.InvalidInputError("the name to look for is empty")
        last_hour = items.changed_hour(after[0]) if after else items.FIRST_LETTER
        rows = self._merged([_shard_query(index, key, last_hour) for key in items.shard_keys(name)])
        return rows if after is None else (row for row in rows if _position(row) < after)

    def _merged(self, queries: Sequence[dict[str, Any]]) -> Iterator[Item]:
        """The rows of all shards. Each shard is sorted by the hour of the change. The rows of an hour are read together and
        sorted here, so that they are in memory at once.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only people read these lists

        shards = [self._query(**query) for query in queries]
        with ThreadPoolExecutor(_QUERIES_AT_ONCE) as threads:
            first_rows = threads.map(lambda rows: list(islice(rows, 1)), shards)  # with their pages
        begun = map(chain, first_rows, shards)
        for _, of_hour in groupby(heapq.merge(*begun, key=_hour, reverse=True), key=_hour):
            yield from sorted(of_hour, key=_position, reverse=True)

    def _query(self, **query: Any) -> Iterator[Item]:
        return self._table.query("list issues", **{"Limit": self._page_size, **query})


def _project_query(project_key: str, first: int, last: int) -> dict[str, Any]:
    return {
        "IndexName": contract.PROJECT_INDEX.name,
        "KeyConditionExpression": "project_key = :project AND issue_number BETWEEN :first AND :last",
        "ExpressionAttributeValues": {
            ":project": {"S": issues.project_key(project_key)},
            ":first": number(first),
            ":last": number(last),
        },
    }


def _shard_query(index: contract.Index, shard: str, last_hour: str) -> dict[str, Any]:
    return {
        "IndexName": index.name,
        "KeyConditionExpression": f"{index.hash_key} = :shard AND {index.range_key} <= :hour",
        "ExpressionAttributeValues": {":shard": {"S": shard}, ":hour": {"S": last_hour}},
        "ScanIndexForward": False,
    }


def _hour(row: Item) -> str:
    return str(row["changed_hour"]["S"])


def _position(row: Item) -> tuple[str, str]:
    return row["version_at"]["S"], row["issue_key"]["S"]
