"""Pruning: deletes superseded versions before their TTL, to make a table smaller now.

HEAD only goes forward, so a version that it has passed never becomes current again: pruning may run while deliveries arrive.
The bucket's lifecycle rule deletes the snapshots in the bucket.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from lib.jira import items
from lib.jira.issue_reader import IssueReader
from lib.jira.issues import is_issue_key
from lib.platform import clock
from lib.platform.dynamodb import Delete, Item, Table

_PAGE = 100
_WRITE_TRIES = 20


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many versions were checked, and how many were deleted (or would be)."""

    versions: int = 0
    deleted: int = 0


class Pruner:
    """Prunes one JiraIssues table. ``on_progress`` is called with the sum after each page."""

    def __init__(
        self,
        client: Any,
        table_name: str,
        *,
        on_progress: Callable[[Pruned], None] = lambda _pruned: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = Table(client, table_name, sleep=sleep)
        self._reader = IssueReader(client, table_name)
        self._on_progress = on_progress

    def prune(self, before: datetime, *, dry_run: bool = False) -> Pruned:
        """Delete the versions that were received before ``before`` and are not current.

        Raises:
            SwitchboardError: the table can't be reached or refuses. What was deleted stays deleted; run it again.
        """
        total = Pruned()
        versions = self._versions()
        while page := list(islice(versions, _PAGE)):
            old = self._superseded(page, clock.canonical(before))
            if not dry_run:
                self._table.batch_write(old, "delete versions", tries=_WRITE_TRIES)
            total = Pruned(total.versions + len(page), total.deleted + len(old))
            self._on_progress(total)
        return total

    def _superseded(self, page: list[Item], before: str) -> list[Delete]:
        candidates = [item for item in page if item["received_at"]["S"] < before]
        heads = self._reader.heads([item["issue_key"]["S"] for item in candidates])
        return [
            Delete(key=items.key(item["issue_key"]["S"], item["updated_at"]["S"]))
            for item in candidates
            if (head := heads.get(item["issue_key"]["S"])) is not None and item["updated_at"]["S"] < head.stamp.version_at
        ]

    def _versions(self) -> Iterator[Item]:
        for item in self._table.scan("scan the issues", ProjectionExpression="issue_key, updated_at, received_at"):
            if is_issue_key(item["issue_key"]["S"]) and item["updated_at"]["S"] < items.FIRST_LETTER:
                yield item
