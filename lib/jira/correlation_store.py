"""The correlation of touched issues, off the acknowledgement path.

One query and one write per issue, one record per batch. The query reads an issue's own rows other than its history, so its cost
does not grow with the number of versions: times sort before all names (lib/jira/items.py). Memory does not grow with the number
of commits. The query also clears fix-version hints that a crash left behind.

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

from botocore.exceptions import BotoCoreError, ClientError

from lib.jira import items as rows
from lib.jira.commits import Commit, commit_items, read_commit
from lib.jira.correlation import CommitTally, IssueResult, correlate_issue
from lib.jira.issues import issue_key as checked_key
from lib.jira.items import Issue, Item
from lib.platform import aws, clock, errors

_BATCH_WRITE = 25
_BATCH_GET = 100
_TRIES = 5
_MAX_STEPS = 50
"""Keys that one recompute visits. An issue that moved more often is left to the next recompute of the last key."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the commits of a push.

    Attributes:
        touched: the keys of the rows that were stored.
        left: the commits that were not stored, or not under each of their keys.
        error: why; None if the time was over or everything was stored.
    """

    touched: tuple[str, ...]
    left: tuple[Commit, ...] = ()
    error: errors.SwitchboardError | None = None


class CorrelationStore:
    """The commit links and correlation results in one JiraIssues table.

    Every method raises SwitchboardError if the table can't be reached or refuses, :meth:`store_commits` excepted.

    Args:
        client: a DynamoDB client of :mod:`lib.platform.aws`.
        table_name: JiraIssues.
        history: how long a commit is kept after its last push.
        now: the clock.
        sleep: waits before the retry of a throttled call.
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
        self._client = client
        self._table_name = table_name
        self._history = history
        self._now = now
        self._sleep = sleep

    def record_commits(self, commits: Sequence[Commit]) -> tuple[str, ...]:
        """Store the COMMIT rows of ``commits``; returns the keys touched. Storing twice changes nothing but the expiry."""
        stored = self.store_commits(commits)
        if stored.error is not None:
            raise stored.error
        return stored.touched

    def store_commits(self, commits: Sequence[Commit], *, has_time: Callable[[], bool] = lambda: True) -> Stored:
        """Store the COMMIT rows of ``commits``, 25 rows per call, until a call fails or ``has_time`` says no.

        What DynamoDB leaves unprocessed is sent once more. Then it counts as throttled.
        """
        expires_at = self._now() + self._history
        # One row per key: a batch must not hold a row twice.
        items = {
            (item["issue_key"]["S"], item["updated_at"]["S"]): (position, item)
            for position, commit in enumerate(commits)
            for item in commit_items(commit, expires_at)
        }
        pending = sorted(items.values(), key=lambda entry: entry[0])
        touched: dict[str, None] = {}
        for start in range(0, len(pending), _BATCH_WRITE):
            some = pending[start : start + _BATCH_WRITE]
            error: errors.SwitchboardError | None = None
            if has_time():
                try:
                    self._write([{"PutRequest": {"Item": item}} for _, item in some])
                except errors.SwitchboardError as failure:
                    error = failure
                else:
                    touched.update(dict.fromkeys(item["issue_key"]["S"] for _, item in some))
                    continue
            return Stored(tuple(touched), tuple(commits[some[0][0] :]), error)
        return Stored(tuple(touched))

    def forget(self, issue_keys: Iterable[str]) -> None:
        """Delete the results of these issues, so that the next sweep finds that they have none and has them recomputed."""
        self._write([_delete(rows.key(issue_key, rows.CORRELATION)) for issue_key in issue_keys])

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
                self._write([_delete(rows.key(asked_by, rows.MOVED_PREFIX + key))])
            for other in noted if result.moved_to is None else (result.moved_to, *noted):
                step = (other, key if other in noted else None)
                # What was moved there changed its result, however often it was visited before.
                if other in moved or (key, *step) not in followed:
                    followed.add((key, *step))
                    pending.append(step)
        return tuple(results.values())

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
            # Not 1 for the first: one that was forgotten and made again must not look like the one that another recompute read.
            item = self._item(result, max(found.revision + 1, clock.epoch_ms(self._now())))
            if found.head is not None:
                item["computed_of"] = {"S": found.head.stamp.idempotency_key}
            if self._replace(item, found.revision):
                if found.head is not None:
                    self._clear_leftovers(found.head, found.hints)
                return result, frozenset(found.noted | moved_to), frozenset(moved_to)
        raise errors.UnavailableError(f"the correlation of {issue_key} was stored by others, {_TRIES} times in between")

    def _read(self, issue_key: str) -> "_OwnRows":
        found = _OwnRows()
        now = clock.epoch_s(self._now())
        for item in self._own_rows(checked_key(issue_key), rows.FIRST_LETTER):
            name = item["updated_at"]["S"]
            if name == rows.HEAD:
                found.head = rows.read_head(item)
            elif name.startswith(rows.COMMIT_PREFIX):
                found.has_commits = True
                # DynamoDB deletes an expired row within days. A row of an earlier version has no expiry.
                if int(item.get("expires_at", {"N": now + 1})["N"]) > now:
                    found.commits.add(read_commit(item))
            elif name.startswith(rows.FIX_VERSION_PREFIX):
                found.hints.append(item)
            elif name.startswith(rows.MOVED_PREFIX):
                found.noted.add(name.removeprefix(rows.MOVED_PREFIX))
            elif name == rows.CORRELATION:
                found.revision = int(item.get("revision", {}).get("N", 0))
        return found

    def _move_commits(self, head: Issue, issue_key: str) -> bool:
        """Move the COMMIT rows of a former key, 25 at a time: written under ``issue_key`` before they are deleted.

        If this stops half-way, the note has the next recompute of the former key finish it, wherever the issue is by then, and
        the sweep finds that ``issue_key`` has no result.

        Returns False if the former key is no longer that of ``head``: the issue may have come back meanwhile, and another
        recompute has brought rows back that were then deleted here. They are written again.
        """
        former = head.issue_key
        self._write([{"PutRequest": {"Item": rows.key(former, rows.MOVED_PREFIX + issue_key)}}])
        self.forget([issue_key])
        pending = self._own_rows(former, rows.COMMIT_PREFIX, rows.COMMIT_PREFIX + "~")
        while some := list(islice(pending, _BATCH_WRITE)):
            self._write([{"PutRequest": {"Item": {**item, "issue_key": {"S": issue_key}}}} for item in some])
            self._write([_delete(rows.key(former, item["updated_at"]["S"])) for item in some])
            if [rows.read_stamp(item) for item in self._own_rows(former, rows.HEAD, rows.HEAD)] != [head.stamp]:
                self._write([{"PutRequest": {"Item": item}} for item in some])
                return False
        return True

    def not_current(self, issues: Iterable[Issue]) -> Iterator[str]:
        """The keys of those issues whose correlation was computed of another state than their current one, or never."""
        pending = iter(issues)
        while some := list(islice(pending, _BATCH_GET)):
            computed = self._computed_of([issue.issue_key for issue in some])
            yield from (issue.issue_key for issue in some if computed.get(issue.issue_key) != issue.stamp.idempotency_key)

    def _computed_of(self, issue_keys: list[str]) -> dict[str, str]:
        """The delivery that each issue's correlation was computed of. What DynamoDB leaves unread counts as none."""
        names: dict[str, Any] = {
            "Keys": [rows.key(issue_key, rows.CORRELATION) for issue_key in issue_keys],
            "ProjectionExpression": "issue_key, computed_of",
        }
        answer = self._call(
            "read the correlations", lambda: self._client.batch_get_item(RequestItems={self._table_name: names})
        )
        found = answer.get("Responses", {}).get(self._table_name, [])
        return {item["issue_key"]["S"]: item["computed_of"]["S"] for item in found if "computed_of" in item}

    def _write(self, requests: list[dict[str, Any]]) -> None:
        for start in range(0, len(requests), _BATCH_WRITE):
            some = requests[start : start + _BATCH_WRITE]
            left = self._write_some(some)
            if left:
                self._sleep(aws.THROTTLE_RETRY_DELAY_SECONDS)
                left = self._write_some(left)
            if left:
                raise errors.ThrottledError(f"could not write the rows: {len(left)} of {len(some)} were throttled")

    def _write_some(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answer = self._call("write the rows", lambda: self._client.batch_write_item(RequestItems={self._table_name: requests}))
        left: list[dict[str, Any]] = answer.get("UnprocessedItems", {}).get(self._table_name, [])
        return left

    def _own_rows(self, issue_key: str, first: str, last: str = "~") -> Iterator[Item]:
        request: dict[str, Any] = {
            "TableName": self._table_name,
            "KeyConditionExpression": "issue_key = :issue AND updated_at BETWEEN :first AND :last",
            "ExpressionAttributeValues": {":issue": {"S": issue_key}, ":first": {"S": first}, ":last": {"S": last}},
            "ConsistentRead": True,
            "Limit": 1000,
        }
        while True:
            answer = self._call("read the issue's rows", lambda: self._client.query(**request))
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _replace(self, item: Item, revision: int) -> bool:
        """Put a result in the place of that of ``revision``, 0 for none or one without; False if another one stands there."""
        standing: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(revision)"}
        if revision:
            standing = {
                "ConditionExpression": "revision = :revision",
                "ExpressionAttributeValues": {":revision": {"N": str(revision)}},
            }
        try:
            aws.retry_throttled_once(
                lambda: self._client.put_item(TableName=self._table_name, Item=item, **standing), sleep=self._sleep
            )
        except (ClientError, BotoCoreError) as error:
            if not aws.is_condition_failure(error):
                raise aws.translate(error, "store the correlation") from error
            return False
        return True

    def _item(self, result: IssueResult, revision: int) -> Item:
        return {
            **rows.key(result.issue_key, rows.CORRELATION),
            "state": {"S": result.state},
            "commits": {"L": [{"S": sha} for sha in result.commits]},
            "commit_count": {"N": str(result.commit_count)},
            **({"moved_to": {"S": result.moved_to}} if result.moved_to else {}),
            "generated_at": {"S": clock.phoenix(self._now())},
            "timezone": {"S": clock.TIMEZONE},
            "revision": {"N": str(revision)},
        }

    def _clear_leftovers(self, head: Issue, hints: list[Item]) -> None:
        wanted = () if head.deleted else rows.hinted(head.fields.fix_versions)
        for hint in hints:
            if hint["fix_version"]["S"] not in wanted and rows.read_stamp(hint) <= head.stamp:
                self._delete_hint(hint)

    def _delete_hint(self, hint: Item) -> None:
        try:
            self._client.delete_item(
                TableName=self._table_name,
                Key=rows.key(hint["issue_key"]["S"], hint["updated_at"]["S"]),
                ConditionExpression=rows.NOT_NEWER_THAN_STAMP,
                ExpressionAttributeValues=rows.stamp_values(rows.read_stamp(hint)),
            )
        except (ClientError, BotoCoreError) as error:
            if not aws.is_condition_failure(error):  # refused: a newer delivery has put it again meanwhile
                raise aws.translate(error, "clear a former fix version") from error

    def _call(self, doing: str, call: Callable[[], Any]) -> Any:
        return aws.call(doing, call, sleep=self._sleep)


@dataclass(slots=True)
class _OwnRows:
    """The rows of one key, other than its history."""

    head: Issue | None = None
    revision: int = 0
    has_commits: bool = False
    commits: CommitTally = field(default_factory=CommitTally)
    hints: list[Item] = field(default_factory=list)
    noted: set[str] = field(default_factory=set)


def _delete(key: Item) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": key}}
