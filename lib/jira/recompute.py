"""The correlation of touched issues, off the acknowledgement path: one query and one write an issue, one record a batch.

The query reads an issue's own rows other than its history, so that its cost does not grow with the number of versions:
times sort before all names (lib/jira/rows.py). On the way it clears fix-version hints that a crash left behind.

Two recomputes of one issue may overtake each other. Each writes only over the result that it has read, and looks again if
that is no longer the one::

    A reads (no commit) ── stalls ──────────────────────── writes over revision 1: refused, reads again
            commit C is stored ── B reads (C) ── writes revision 2
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib import aws, clock, errors
from lib.jira import rows
from lib.jira.commits import Commit, commit_items, read_commit
from lib.jira.correlation import IssueResult, correlate_issue
from lib.jira.issues import issue_key as checked_key
from lib.jira.rows import Issue, Item

_BATCH_WRITE = 25
_BATCH_GET = 100
_TRIES = 5


class CorrelationStore:
    """The commit links and correlation results in one JiraIssues table.

    Every method raises SwitchboardError if the table can't be reached or refuses.
    """

    def __init__(
        self,
        client: Any,
        table_name: str,
        *,
        now: clock.Clock = clock.utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._now = now
        self._sleep = sleep

    def record_commits(self, commits: Iterable[Commit]) -> tuple[str, ...]:
        """Store the COMMIT rows of ``commits``; returns the keys touched. Doing it twice changes nothing.

        25 rows a call. What DynamoDB leaves unprocessed is sent once more and then given up as throttled, since GitHub
        does not send a push again and waits 10 s for the answer.
        """
        items = {(item["issue_key"]["S"], item["updated_at"]["S"]): item for c in commits for item in commit_items(c)}
        self._write([{"PutRequest": {"Item": item}} for item in items.values()])
        return tuple(dict.fromkeys(key for key, _ in items))

    def forget(self, issue_keys: Iterable[str]) -> None:
        """Delete the results of these issues, so that the next sweep finds that they have none and has them recomputed."""
        self._write([{"DeleteRequest": {"Key": rows.key(issue_key, rows.CORRELATION)}} for issue_key in issue_keys])

    def recompute(self, issue_key: str) -> IssueResult:
        """Recompute and store the correlation of one issue from its own rows."""
        for _ in range(_TRIES):
            result = self._try_to_recompute(issue_key)
            if result is not None:
                return result
        raise errors.UnavailableError(f"the correlation of {issue_key} was stored by others, {_TRIES} times in between")

    def _try_to_recompute(self, issue_key: str) -> IssueResult | None:
        """The stored result; None if another one was stored since the rows were read."""
        head: Issue | None = None
        revision = 0
        commits: list[Commit] = []
        hints: list[Item] = []
        for item in self._own_rows(checked_key(issue_key)):
            name = item["updated_at"]["S"]
            if name == rows.HEAD:
                head = rows.read_head(item)
            elif name.startswith(rows.COMMIT_PREFIX):
                commits.append(read_commit(item))
            elif name.startswith(rows.FIX_VERSION_PREFIX):
                hints.append(item)
            elif name == rows.CORRELATION:
                revision = int(item.get("revision", {}).get("N", 0))
        result = correlate_issue(issue_key, head, commits)
        item = self._item(result, revision + 1)
        if head is not None:
            item["computed_of"] = {"S": head.stamp.idempotency_key}
        if not self._replace(item, revision):
            return None
        if head is not None:
            self._clear_leftovers(head, hints)
        return result

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

    def _own_rows(self, issue_key: str) -> Iterable[Item]:
        request: dict[str, Any] = {
            "TableName": self._table_name,
            "KeyConditionExpression": "issue_key = :issue AND updated_at >= :letters",
            "ExpressionAttributeValues": {":issue": {"S": issue_key}, ":letters": {"S": rows.FIRST_LETTER}},
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
