"""The correlation of touched issues: their commits and their results, outside of the acknowledgement path.

One query and one write per issue, one record per batch. The query reads an issue's own rows without its history, so its cost
does not grow with the number of versions: times sort before all names (lib/jira/items.py). Memory does not grow with the number
of commits. A recompute also deletes the fix-version hints that a crash left behind.

Two recomputes of one issue may overtake each other. Each replaces only the result that it has read, and reads again if
that is no longer the stored one::

    A reads (no commit) ── stalls ──────────────────────── replaces revision 1: refused, reads again
            commit C is stored ── B reads (C) ── writes revision 2

A revision is the time in milliseconds, and more than the one before it.

The commits of a moved issue are moved to its current key (docs/adr/0030)::

    recompute OPS-60, moved to DEV-60 ──► its COMMIT rows to DEV-60 ──► recompute DEV-60
    recompute DEV-60, which has a row MOVED#OPS-60 ──► recompute OPS-60 ──► delete MOVED#OPS-60
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any

from lib.jira import issues, items
from lib.jira.commits import Commit, commit_items, read_commit
from lib.jira.correlation import CommitTally, IssueResult, correlate_issue
from lib.jira.items import Issue
from lib.platform import clock, errors
from lib.platform.dynamodb import Condition, Delete, Item, Put, Table, number

_ROWS_PER_STEP = 25
_ISSUES_PER_STEP = 100
_ROWS_PER_QUERY = 1000
_TRIES = 5
_MAX_STEPS = 50
"""Keys that one recompute visits. An issue that moved more often is left to the next recompute of the last key."""


@dataclass(frozen=True, slots=True)
class StoredCommits:
    """The result of storing the commits of a push.

    ``touched`` are the keys of the rows that were stored. ``left`` are the commits that were not stored under all of their
    keys, because of ``error``, or because the time was up if it is None.
    """

    touched: tuple[str, ...]
    left: tuple[Commit, ...] = ()
    error: errors.SwitchboardError | None = None


class CorrelationStore:
    """The commit links and correlation results in one JiraIssues table.

    Every method but :meth:`store_commits` raises SwitchboardError if the table can't be reached or refuses. A commit expires
    ``history`` after its last push.
    """

    def __init__(
        self,
        client: Any,
        table_name: str,
        *,
        history: timedelta = timedelta(days=365),
        now: clock.Clock = clock.utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = Table(client, table_name, sleep=sleep)
        self._history = history
        self._now = now

    def record_commits(self, commits: Sequence[Commit]) -> tuple[str, ...]:
        """Store the COMMIT rows of ``commits``; returns the keys touched. Idempotent, except for the expiry."""
        stored = self.store_commits(commits)
        if stored.error is not None:
            raise stored.error
        return stored.touched

    def store_commits(self, commits: Sequence[Commit], *, has_time: Callable[[], bool] = lambda: True) -> StoredCommits:
        """Store the COMMIT rows of ``commits``, 25 rows per call, until a call fails or ``has_time`` returns False."""
        expires_at = self._now() + self._history
        # One row per key: a batch must not hold a row twice.
        rows = {
            (item["issue_key"]["S"], item["updated_at"]["S"]): (position, item)
            for position, commit in enumerate(commits)
            for item in commit_items(commit, expires_at)
        }
        pending = sorted(rows.values(), key=lambda row: row[0])
        touched: dict[str, None] = {}
        for start in range(0, len(pending), _ROWS_PER_STEP):
            some = pending[start : start + _ROWS_PER_STEP]
            left = tuple(commits[some[0][0] :])
            if not has_time():
                return StoredCommits(tuple(touched), left)
            try:
                self._write([Put(item=item) for _, item in some])
            except errors.SwitchboardError as error:
                return StoredCommits(tuple(touched), left, error)
            touched.update(dict.fromkeys(item["issue_key"]["S"] for _, item in some))
        return StoredCommits(tuple(touched))

    def forget(self, issue_keys: Iterable[str]) -> None:
        """Delete the results of these issues, so that the next sweep finds that they have none and has them recomputed."""
        self._write([Delete(key=items.key(issue_key, items.CORRELATION)) for issue_key in issue_keys])

    def recompute(self, issue_key: str) -> tuple[IssueResult, ...]:
        """Recompute and store the correlation of a key, and of the keys that its issue moved from and to.

        Returns the result of ``issue_key`` first.
        """
        results: dict[str, IssueResult] = {}
        followed: set[tuple[str, str, str | None]] = set()
        pending: list[tuple[str, str | None]] = [(issue_key, None)]
        for _ in range(_MAX_STEPS):
            if not pending:
                break
            key, asked_by = pending.pop()
            result, noted, moved = self._recompute_key(key)
            results[key] = result
            if asked_by is not None:
                self._write([Delete(key=items.key(asked_by, items.MOVED_PREFIX + key))])
            for other in noted if result.moved_to is None else (result.moved_to, *noted):
                step = (other, key if other in noted else None)
                # What was moved there changed its result, however often it was visited before.
                if other in moved or (key, *step) not in followed:
                    followed.add((key, *step))
                    pending.append(step)
        return tuple(results.values())

    def not_current(self, stored: Iterable[Issue]) -> Iterator[str]:
        """The keys of the issues without a correlation, or with one of an earlier state."""
        pending = iter(stored)
        while some := list(islice(pending, _ISSUES_PER_STEP)):
            keys = [items.key(issue.issue_key, items.CORRELATION) for issue in some]
            rows = self._table.batch_get(keys, "read the correlations", consistent=False, attributes="issue_key, computed_of")
            computed = {row["issue_key"]["S"]: row["computed_of"]["S"] for row in rows if "computed_of" in row}
            yield from (issue.issue_key for issue in some if computed.get(issue.issue_key) != issue.stamp.idempotency_key)

    def _recompute_key(self, issue_key: str) -> tuple[IssueResult, frozenset[str], frozenset[str]]:
        """The stored result of one key, the keys that its rows ``MOVED#`` name, and those that commits were moved to."""
        moved_to: set[str] = set()
        for _ in range(_TRIES):
            found = self._read(issue_key)
            result = correlate_issue(issue_key, found.head, found.commits)
            if result.moved_to is not None and found.head is not None and found.has_commits:
                moved_to.add(result.moved_to)
                if not self._move_commits(found.head, result.moved_to):
                    continue
            if self._replace_result(result, found):
                if found.head is not None:
                    self._clear_leftovers(found.head, found.hints)
                return result, frozenset(found.noted | moved_to), frozenset(moved_to)
        raise errors.UnavailableError(f"other recomputes stored the correlation of {issue_key} at each of {_TRIES} tries")

    def _read(self, issue_key: str) -> "_OwnRows":
        found = _OwnRows()
        now = clock.epoch_s(self._now())
        for item in self._own_rows(issues.issue_key(issue_key), items.FIRST_LETTER):
            name = item["updated_at"]["S"]
            if name == items.HEAD:
                found.head = items.read_head(item)
            elif name.startswith(items.COMMIT_PREFIX):
                found.has_commits = True
                if int(item["expires_at"]["N"]) > now:  # DynamoDB deletes an expired row within days
                    found.commits.add(read_commit(item))
            elif name.startswith(items.FIX_VERSION_PREFIX):
                found.hints.append(item)
            elif name.startswith(items.MOVED_PREFIX):
                found.noted.add(name.removeprefix(items.MOVED_PREFIX))
            elif name == items.CORRELATION:
                found.revision = int(item["revision"]["N"])
        return found

    def _move_commits(self, head: Issue, issue_key: str) -> bool:
        """Move the COMMIT rows of a former key, 25 at a time: written under ``issue_key`` before they are deleted.

        If this stops before its end, the row ``MOVED#`` makes the next recompute of the former key finish it, even if the issue
        has moved on. The sweep also finds that ``issue_key`` has no result.

        Returns False if the former key is no longer that of ``head``: the issue may have moved back, and another
        recompute may have brought rows back that were then deleted here. They are written again.
        """
        former = head.issue_key
        self._write([Put(item=items.key(former, items.MOVED_PREFIX + issue_key))])
        self.forget([issue_key])
        pending = self._own_rows(former, items.COMMIT_PREFIX, items.COMMIT_PREFIX + "~")
        while some := list(islice(pending, _ROWS_PER_STEP)):
            self._write([Put(item={**item, "issue_key": {"S": issue_key}}) for item in some])
            self._write([Delete(key=items.key(former, item["updated_at"]["S"])) for item in some])
            if [items.read_stamp(item) for item in self._own_rows(former, items.HEAD, items.HEAD)] != [head.stamp]:
                self._write([Put(item=item) for item in some])
                return False
        return True

    def _own_rows(self, issue_key: str, first: str, last: str = "~") -> Iterator[Item]:
        return self._table.query(
            "read the issue's rows",
            KeyConditionExpression="issue_key = :issue AND updated_at BETWEEN :first AND :last",
            ExpressionAttributeValues={":issue": {"S": issue_key}, ":first": {"S": first}, ":last": {"S": last}},
            ConsistentRead=True,
            Limit=_ROWS_PER_QUERY,
        )

    def _replace_result(self, result: IssueResult, found: "_OwnRows") -> bool:
        """Put a result in the place of the one that was read; False if another one has replaced that."""
        condition = Condition(expression="attribute_not_exists(revision)")
        if found.revision:
            condition = Condition(expression="revision = :revision", values={":revision": number(found.revision)})
        # Not 1 for the first: a result that was deleted and made again must differ from the one that another recompute read.
        revision = max(found.revision + 1, clock.epoch_ms(self._now()))
        item = {
            **items.key(result.issue_key, items.CORRELATION),
            "state": {"S": result.state},
            "commits": {"L": [{"S": sha} for sha in result.commits]},
            "commit_count": number(result.commit_count),
            **({"moved_to": {"S": result.moved_to}} if result.moved_to else {}),
            **({"computed_of": {"S": found.head.stamp.idempotency_key}} if found.head else {}),
            "generated_at": {"S": clock.phoenix(self._now())},
            "timezone": {"S": clock.TIMEZONE},
            "revision": number(revision),
        }
        return self._table.put(Put(item=item, condition=condition), "store the correlation").accepted

    def _clear_leftovers(self, head: Issue, hints: list[Item]) -> None:
        used = () if head.deleted else items.hinted(head.fields.fix_versions)
        for hint in hints:
            name, stamp = hint["fix_version"]["S"], items.read_stamp(hint)
            if name not in used and stamp <= head.stamp:
                self._table.delete(items.delete_hint(head.issue_key, name, stamp), "clear a former fix version")

    def _write(self, writes: Sequence[Put | Delete]) -> None:
        self._table.batch_write(writes, "write the rows")


@dataclass(slots=True)
class _OwnRows:
    """The rows of one key without its history. ``revision`` is 0 if it has no result."""

    head: Issue | None = None
    revision: int = 0
    has_commits: bool = False
    commits: CommitTally = field(default_factory=CommitTally)
    hints: list[Item] = field(default_factory=list)
    noted: set[str] = field(default_factory=set)
