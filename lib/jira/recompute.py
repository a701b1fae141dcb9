"""The correlation of touched issues, off the acknowledgement path: one query and one write an issue, one record a batch.

The query reads an issue's own rows other than its history, so that its cost does not grow with the number of versions:
times sort before all names (lib/jira/rows.py). On the way it clears fix-version hints that a crash left behind.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib import aws, clock, errors
from lib.jira import rows
from lib.jira.commits import Commit, commit_items, read_commit
from lib.jira.correlation import IssueResult, correlate_issue
from lib.jira.issues import issue_key as checked_key
from lib.jira.rows import Issue, Item

_BATCH_WRITE = 25


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
        pending = list(items.values())
        for start in range(0, len(pending), _BATCH_WRITE):
            self._write(pending[start : start + _BATCH_WRITE])
        return tuple(dict.fromkeys(key for key, _ in items))

    def recompute(self, issue_key: str) -> IssueResult:
        """Recompute and store the correlation of one issue from its own rows."""
        head: Issue | None = None
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
        result = correlate_issue(issue_key, head, commits)
        self._call(lambda: self._client.put_item(TableName=self._table_name, Item=self._item(result)), "store the correlation")
        if head is not None:
            self._clear_leftovers(head, hints)
        return result

    def _write(self, items: list[Item]) -> None:
        requests = [{"PutRequest": {"Item": item}} for item in items]
        left = self._write_some(requests)
        if left:
            self._sleep(aws.THROTTLE_RETRY_DELAY_SECONDS)
            left = self._write_some(left)
        if left:
            raise errors.ThrottledError(f"could not store the commits: {len(left)} of {len(items)} rows were throttled")

    def _write_some(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answer = self._call(
            lambda: self._client.batch_write_item(RequestItems={self._table_name: requests}), "store the commits"
        )
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
            answer = self._call(lambda: self._client.query(**request), "read the issue's rows")
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _item(self, result: IssueResult) -> Item:
        return {
            **rows.key(result.issue_key, rows.CORRELATION),
            "state": {"S": result.state},
            "commits": {"L": [{"S": sha} for sha in result.commits]},
            "generated_at": {"S": clock.phoenix(self._now())},
            "timezone": {"S": clock.TIMEZONE},
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

    def _call(self, call: Callable[[], Any], doing: str) -> Any:
        try:
            return aws.retry_throttled_once(call, sleep=self._sleep)
        except (ClientError, BotoCoreError) as error:
            raise aws.translate(error, doing) from error
