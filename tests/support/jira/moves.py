"""An issue that moves from key to key, commits that name any of its keys, and what the correlation must say in the end."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from lib.jira.commits import Commit
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issue_writer import IssueWriter
from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery
from tests.support.jira.builders import NOW, Snapshots


class Mover:
    """The stores on one table, and the events of an issue with the keys of ``path``, one after the other."""

    def __init__(self, client: Any, table_name: str, path: Sequence[str]) -> None:
        self.path = tuple(path)
        self.issues = IssueWriter(client, table_name, history=timedelta(days=90), snapshots=Snapshots(), now=lambda: NOW)
        self.links = CorrelationStore(client, table_name, history=timedelta(days=90), now=lambda: NOW)

    def arrive(self, position: int) -> tuple[str, ...]:
        """Jira reports that the issue has the key at ``position`` of the path; returns the keys touched."""
        stamp = Stamp(f"2026-03-01T12:00:{position:02}.000000Z", position, f"delivery-{position}")
        delivery = Delivery(
            issue_key=self.path[position],
            issue_id="1",
            stamp=stamp,
            event_type="jira:issue_updated",
            fields=IssueFields("s"),
            moved_from=self.path[position - 1] if position else None,
        )
        return self.issues.record(delivery).issue_keys

    def push(self, number: int, key: str) -> tuple[str, ...]:
        """Somebody pushes commit ``number``, which names ``key``; returns the keys touched."""
        return self.links.record_commits([commit(number, key)])

    def expected(self, commits: int) -> dict[str, tuple[str, str, list[str]]]:
        """State, next key and commits of each key in the end."""
        end = self.path[-1]
        shas = [commit(number, end).sha for number in reversed(range(commits))]
        last = {key: position for position, key in enumerate(self.path)}
        states: dict[str, tuple[str, str, list[str]]] = {
            key: ("moved", self.path[position + 1], []) for key, position in last.items() if key != end
        }
        return {**states, end: ("matched" if shas else "without_commits", "", shas)}


def commit(number: int, key: str) -> Commit:
    """Commit ``number``, later than those before it."""
    return Commit(f"{number:039x}c", "o/r", f"{key} fix", f"2026-03-01T10:00:{number:02}.000000Z", (key,))


def stored(row: Callable[[str], dict[str, Any]], keys: Sequence[str]) -> dict[str, tuple[str, str, list[str]]]:
    """State, next key and commits of each key, as its CORRELATION row has them."""
    found = {key: row(key) for key in keys}
    return {
        key: (item["state"]["S"], item.get("moved_to", {"S": ""})["S"], [sha["S"] for sha in item["commits"]["L"]])
        for key, item in found.items()
    }
