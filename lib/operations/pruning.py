"""Pruning: superseded versions deleted ahead of their TTL, to bring a table's size down now.

A version that HEAD has left behind never becomes current again, since HEAD only goes forward: pruning may run while
deliveries come in. Snapshots in the bucket are the bucket's lifecycle rule's business.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from lib.jira import items as rows
from lib.jira.issue_reader import IssueReader
from lib.jira.issues import is_issue_key
from lib.platform import aws, clock

_PAGE = 100
_BATCH_WRITE = 25


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many versions were looked at, and how many were deleted (or would be)."""

    versions: int = 0
    deleted: int = 0


class Pruner:
    """Prunes one JiraIssues table.

    Args:
        client: a DynamoDB client of :mod:`lib.platform.aws`.
        table_name: JiraIssues.
        on_progress: told the sum after each page.
        sleep: waits.
    """

    def __init__(
        self,
        client: Any,
        table_name: str,
        *,
        on_progress: Callable[[Pruned], None] = lambda _pruned: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._reader = IssueReader(client, table_name)
        self._on_progress = on_progress
        self._sleep = sleep

    def prune(self, before: datetime, *, dry_run: bool = False) -> Pruned:
        """Delete the versions that came in before ``before`` and are not the current ones.

        Raises:
            SwitchboardError: the table can't be reached or refuses. What was deleted stays deleted; run it again.
        """
        total = Pruned()
        for page in self._pages():
            old = self._superseded(page, clock.canonical(before))
            if not dry_run:
                for start in range(0, len(old), _BATCH_WRITE):
                    self._delete(old[start : start + _BATCH_WRITE])
            total = Pruned(total.versions + len(page), total.deleted + len(old))
            self._on_progress(total)
        return total

    def _superseded(self, page: list[Mapping[str, Any]], before: str) -> list[rows.Item]:
        candidates = [item for item in page if item.get("received_at", {}).get("S", before) < before]
        heads = self._reader.heads([item["issue_key"]["S"] for item in candidates])
        return [
            rows.key(item["issue_key"]["S"], item["updated_at"]["S"])
            for item in candidates
            if (head := heads.get(item["issue_key"]["S"])) is not None and item["updated_at"]["S"] < head.stamp.version_at
        ]

    def _pages(self) -> Iterator[list[Mapping[str, Any]]]:
        request: dict[str, Any] = {
            "TableName": self._table_name,
            "ProjectionExpression": "issue_key, updated_at, received_at",
            "Limit": _PAGE,
        }
        while True:
            answer = self._call("scan the issues", lambda: self._client.scan(**request))
            yield [
                item
                for item in answer["Items"]
                if is_issue_key(item["issue_key"]["S"]) and item["updated_at"]["S"] < rows.FIRST_LETTER
            ]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _delete(self, keys: list[rows.Item]) -> None:
        requests: list[dict[str, Any]] = [{"DeleteRequest": {"Key": key}} for key in keys]
        while requests:
            answer = self._call(
                "delete versions", partial(self._client.batch_write_item, RequestItems={self._table_name: requests})
            )
            requests = answer.get("UnprocessedItems", {}).get(self._table_name, [])
            if requests:
                self._sleep(aws.THROTTLE_RETRY_DELAY_SECONDS)

    def _call(self, doing: str, call: Callable[[], Any]) -> Any:
        return aws.call(doing, call, sleep=self._sleep)
