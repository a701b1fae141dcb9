"""The read side of JiraIssues: strong types out, pages fetched as they are asked for, and no cost for history.

Reads of one issue are consistent: what a webhook was told is stored is seen. Reads through an index may be a moment
behind. Rows that are no issue (health sentinels) have no key of an issue and no index attribute, so no read shows them.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from lib.jira import issues
from lib.jira import items as rows
from lib.jira.items import Issue, Version
from lib.platform import aws, errors

_LAST_NUMBER = 10**18  # no issue key has a longer number

Element = TypeVar("Element")

PAGE_SIZE = 100
"""Rows asked for in one query, and the most that one BatchGetItem takes."""


class IssueReader:
    """The read side of one JiraIssues table. ``client`` is a DynamoDB client of :mod:`lib.platform.aws`.

    Every method raises SwitchboardError if the table can't be reached or refuses, and those that take an issue key
    InvalidInputError if it is none.
    """

    def __init__(self, client: Any, table_name: str, *, page_size: int = PAGE_SIZE) -> None:
        self._client = client
        self._table_name = table_name
        self._page_size = page_size

    def latest(self, issue_key: str) -> Issue | None:
        """The current state of an issue, deleted ones too; None if it was never heard of. One read of one small row."""
        key = rows.key(issues.issue_key(issue_key), rows.HEAD)
        answer = aws.call(
            "read the issue", lambda: self._client.get_item(TableName=self._table_name, Key=key, ConsistentRead=True)
        )
        item = answer.get("Item")
        return rows.read_head(item) if item else None

    def history(self, issue_key: str) -> Iterator[Version]:
        """The deliveries that are kept of an issue, the newest state first."""
        items = self._query(
            {
                "KeyConditionExpression": "issue_key = :issue AND updated_at < :letters",
                "ExpressionAttributeValues": {
                    ":issue": {"S": issues.issue_key(issue_key)},
                    ":letters": {"S": rows.FIRST_LETTER},
                },
                "ScanIndexForward": False,
                "ConsistentRead": True,
            }
        )
        return (rows.read_version(item) for item in items)

    def by_project(self, project_key: str, *, after: int = 0, through: int | None = None) -> Iterator[Issue]:
        """The live issues of a project in the order of their numbers, those with ``after`` < number <= ``through``."""
        first, last = after + 1, _LAST_NUMBER if through is None else through
        if last < first:
            return iter(())
        items = self._query(_project_query(project_key, first, last))
        return (rows.read_head(item) for item in items)

    def by_status(self, status: str) -> Iterator[Issue]:
        """The live issues in a status, the latest changed first."""
        return self._by_name(rows.STATUS_INDEX, "status", status)

    def by_assignee(self, assignee: str) -> Iterator[Issue]:
        """The live issues of an account (its id, or its name on Server), the latest changed first."""
        return self._by_name(rows.ASSIGNEE_INDEX, "assignee", assignee)

    def by_fix_version(self, fix_version: str) -> Iterator[Issue]:
        """The live issues that have ``fix_version`` among their fix versions.

        A row of this index is the HEAD of an issue with this as its first version, or a hint that an issue had it as a
        further one. Hints are checked against HEAD, a page of them in one call (docs/adr/0023).
        """
        items = self._query(_by_name_query(rows.FIX_VERSION_INDEX, "fix_version", fix_version))
        for page in _batches(items, self._page_size):
            hints = [item["issue_key"]["S"] for item in page if item["updated_at"]["S"] != rows.HEAD]
            heads = self.heads(hints)
            for item in page:
                if item["updated_at"]["S"] == rows.HEAD:
                    yield rows.read_head(item)
                    continue
                head = heads.get(item["issue_key"]["S"])
                if head is not None and not head.deleted and fix_version in rows.hinted(head.fields.fix_versions):
                    yield head

    def heads(self, issue_keys: Sequence[str]) -> dict[str, Issue]:
        """The current states of some issues, by key, deleted ones too; those never heard of are left out."""
        found: dict[str, Issue] = {}
        for keys in _batches(iter(dict.fromkeys(issue_keys)), PAGE_SIZE):
            wanted = [rows.key(issues.issue_key(key), rows.HEAD) for key in keys]
            for item in self._batch_get(wanted):
                head = rows.read_head(item)
                found[head.issue_key] = head
        return found

    def project_is_known(self, project_key: str) -> bool:
        """Whether any live issue of the project is stored, or one moved away from it. One query of one row."""
        query = _project_query(project_key, 0, _LAST_NUMBER) | {"Limit": 1}
        return next(self._query(query), None) is not None

    def _by_name(self, index: str, attribute: str, value: str) -> Iterator[Issue]:
        return (rows.read_head(item) for item in self._query(_by_name_query(index, attribute, value)))

    def _query(self, query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        start: dict[str, Any] = {}
        while True:
            request = {"TableName": self._table_name, "Limit": self._page_size, **query, **start}
            answer: dict[str, Any] = aws.call("list issues", partial(self._client.query, **request))
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _batch_get(self, keys: list[rows.Item]) -> Iterator[Mapping[str, Any]]:
        """The rows of up to 100 keys. What DynamoDB leaves unprocessed is asked for again, as long as it answers some."""
        while keys:
            request = {self._table_name: {"Keys": keys, "ConsistentRead": True}}
            answer: dict[str, Any] = aws.call("read issues", partial(self._client.batch_get_item, RequestItems=request))
            yield from answer["Responses"].get(self._table_name, [])
            left = answer.get("UnprocessedKeys", {}).get(self._table_name, {}).get("Keys", [])
            if len(left) == len(keys):
                raise errors.ThrottledError("could not read issues: none was processed")
            keys = left


def _project_query(project_key: str, first: int, last: int) -> dict[str, Any]:
    return {
        "IndexName": rows.PROJECT_INDEX,
        "KeyConditionExpression": "project_key = :project AND issue_number BETWEEN :first AND :last",
        "ExpressionAttributeValues": {
            ":project": {"S": issues.project_key(project_key)},
            ":first": {"N": str(first)},
            ":last": {"N": str(last)},
        },
    }


def _by_name_query(index: str, attribute: str, value: str) -> dict[str, Any]:
    if not value:
        raise errors.InvalidInputError(f"the {attribute} to look for is empty")
    return {
        "IndexName": index,
        "KeyConditionExpression": "#attribute = :value",
        "ExpressionAttributeNames": {"#attribute": attribute},
        "ExpressionAttributeValues": {":value": {"S": value}},
        "ScanIndexForward": False,
    }


def _batches(elements: Iterator[Element], size: int) -> Iterator[list[Element]]:
    while batch := list(islice(elements, size)):
        yield batch
