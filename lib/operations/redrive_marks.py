"""Remembers which events were sent back to their function, so that an event that fails again can be recognized.

A message carries a mark in its attributes. An event cannot: it goes back as it was, and Lambda's record of its next failure
names only the request id of the call. So each call leaves a row in JiraOperations under that id, for as long as a dead letter
can name it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from lib.platform import clock
from lib.platform.contract import JIRA_OPERATIONS, REDRIVE_PARTITIONS
from lib.platform.dynamodb import Item, Put, Table, number

KEPT = timedelta(days=16)
"""A dead letter is kept for 14 days, and Lambda retries for hours before it writes one."""

_ROW = "SENT"


class RedriveMarks:
    """The marks in one operations table. Each method raises SwitchboardError if the table can't be reached or refuses."""

    def __init__(self, table: Table, *, now: clock.Clock = clock.utc_now) -> None:
        self._table = table
        self._now = now

    def set(self, request_id: str) -> None:
        """Remember that the call with this id sent an event back."""
        now = self._now()
        expires_at = number(clock.epoch_s(now + KEPT))
        item = {**_key(request_id), "sent_at": {"S": clock.canonical(now)}, "expires_at": expires_at}
        self._table.put(Put(item=item), "remember what was sent back")

    def read(self, request_ids: Iterable[str]) -> dict[str, datetime]:
        """By id, when each of these calls sent an event back; calls that sent none are left out."""
        keys = [_key(request_id) for request_id in dict.fromkeys(request_ids)]
        rows = self._table.batch_get(keys, "read what was sent back", consistent=False)
        return {
            row[JIRA_OPERATIONS.hash_key]["S"].removeprefix(REDRIVE_PARTITIONS): clock.parse(row["sent_at"]["S"])
            for row in rows
        }


def _key(request_id: str) -> Item:
    return JIRA_OPERATIONS.key(REDRIVE_PARTITIONS + request_id, _ROW)
