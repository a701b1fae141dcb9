"""The write side of JiraIssues: every delivery in two conditional puts, with no read before them.

A put is "unless something newer stands there", so the order of arrival, duplicates and crashes change nothing about
where the table ends (docs/adr/0020)::

    put version ──► put hints of further fix versions ──► put HEAD ──► delete hints of versions it left
         │                     (rare)                        │                    (rare)
         └ a newer event stands at this time: lose           └ a newer stamp stands: superseded

A crash anywhere is made good by the sender's retry: each step is idempotent. HEAD never claims a fix version whose hint
is not there yet; a hint that is left over is refused by its reader (docs/adr/0023).
"""

import enum
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from lib.jira import items as rows
from lib.jira.issues import Observation, Stamp
from lib.jira.items import Issue, Item
from lib.jira.webhooks import Delivery
from lib.platform import aws, clock

MAX_SNAPSHOT_BYTES = 350_000
"""A larger snapshot goes to the bucket: an item holds 400 kB with its attribute names."""

_ROOM_BYTES = 390_000
"""What snapshot and fix versions may take of an item together: 200 long names in a wide script come to 200 kB."""


class Outcome(enum.Enum):
    """What storing a delivery came to.

    * stored: an issue's current state is this delivery's, since this call.
    * superseded: it is older than the current state. It is in the history, unless a newer delivery has its very
      ``updated``: then that one stands there.
    * duplicate: this very delivery was stored before.
    """

    STORED = "stored"
    SUPERSEDED = "superseded"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outcome for one delivery.

    Attributes:
        outcome: over all keys that the delivery tells of.
        issue_keys: those keys, the issue's own first.
        standing: the state that the issue's own key had, where it was newer than the delivery's.
        replaced: the state that the delivery took the place of; None if there was none.
    """

    outcome: Outcome
    issue_keys: tuple[str, ...]
    standing: Issue | None = None
    replaced: Issue | None = None


class Snapshots(Protocol):
    """Where snapshots go that are too large for a row."""

    def write(self, name: str, data: bytes) -> None:
        """Store ``data``, gzip of JSON, under ``name``. The same name always gets the same data.

        Raises:
            SwitchboardError: it could not be stored.
        """


class IssueWriter:
    """The write side of one JiraIssues table.

    Args:
        client: a DynamoDB client of :mod:`lib.platform.aws`.
        table_name: JiraIssues.
        history: how long a version is kept after it came in. HEAD is kept for ever, deleted or not (docs/adr/0021).
        snapshots: takes what a row can't hold.
        now: the clock.
        on_throttle: told when a write was throttled, before its one retry.
    """

    def __init__(
        self,
        client: Any,
        table_name: str,
        *,
        history: timedelta,
        snapshots: Snapshots,
        now: clock.Clock = clock.utc_now,
        on_throttle: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._history = history
        self._snapshots = snapshots
        self._now = now
        self._on_throttle = on_throttle

    def record(self, delivery: Delivery) -> Recorded:
        """Store what ``delivery`` tells, under each key it tells of.

        Raises:
            SwitchboardError: a write failed. Give the same delivery again: what was written stays and is not doubled.
        """
        observations = delivery.observations()
        results = [self._record(observation) for observation in observations]
        outcomes = [result.outcome for result in results]
        ranked = (Outcome.STORED, Outcome.SUPERSEDED, Outcome.DUPLICATE)
        return Recorded(
            outcome=min(outcomes, key=ranked.index),
            issue_keys=tuple(observation.issue_key for observation in observations),
            standing=results[0].standing,
            replaced=results[0].replaced,
        )

    def _record(self, observation: Observation) -> Recorded:
        version = self._put_version(observation)
        if not observation.deleted:
            self._put_hints(observation)
        if observation.moved_to is not None:
            self._note_former_key(observation, observation.moved_to)
        head = self._put_head(observation)
        keys = (observation.issue_key,)
        if head.won:
            replaced = rows.read_head(head.item) if head.item else None
            self._delete_hints(observation, (replaced.fields.fix_versions if replaced else ()), observation)
            return Recorded(Outcome.STORED, keys, replaced=replaced)
        standing = rows.read_head(head.item or {})
        if standing.stamp == observation.stamp:
            return Recorded(Outcome.DUPLICATE, keys)
        # Our own hints, put a moment ago, may name versions that the newer state has left.
        self._delete_hints(observation, observation.fields.fix_versions, standing)
        return Recorded(Outcome.DUPLICATE if version.is_own(observation.stamp) else Outcome.SUPERSEDED, keys, standing)

    def _put_version(self, observation: Observation) -> "_Put":
        received_at = self._now()
        name = self._move_large_snapshot(observation)
        item = rows.version_item(observation, received_at, received_at + self._history, name)
        return self._put(item, rows.NO_NEWER_EVENT, rows.event_values(observation.stamp), "store the version")

    def _put_head(self, observation: Observation) -> "_Put":
        return self._put(
            rows.head_item(observation), rows.NO_NEWER_STAMP, rows.stamp_values(observation.stamp), "store the issue"
        )

    def _put_hints(self, observation: Observation) -> None:
        for fix_version in rows.hinted(observation.fields.fix_versions):
            self._put(
                rows.hint_item(observation, fix_version),
                rows.NO_NEWER_STAMP,
                rows.stamp_values(observation.stamp),
                "store the fix version",
            )

    def _note_former_key(self, former: Observation, issue_key: str) -> None:
        """Have the next recompute of ``issue_key`` fetch the commits of the former key, whatever happens to the message, and
        keep the former project known, so that later commits may name it."""
        for item in (rows.key(issue_key, rows.MOVED_PREFIX + former.issue_key), rows.former_project_item(former)):
            aws.call(
                f"note the former key of {issue_key}",
                partial(self._client.put_item, TableName=self._table_name, Item=item),
                on_retry=self._on_throttle,
            )

    def _delete_hints(self, observation: Observation, former: tuple[str, ...], current: Observation | Issue) -> None:
        """Delete the hints of ``former`` that ``current`` has no use for, unless somebody newer has put them again."""
        wanted = () if current.deleted else rows.hinted(current.fields.fix_versions)
        for fix_version in rows.hinted(former):
            if fix_version not in wanted:
                self._delete_hint(observation.issue_key, fix_version, observation.stamp)

    def _delete_hint(self, issue_key: str, fix_version: str, stamp: Stamp) -> None:
        try:
            aws.retry_throttled_once(
                lambda: self._client.delete_item(
                    TableName=self._table_name,
                    Key=rows.key(issue_key, rows.FIX_VERSION_PREFIX + fix_version),
                    ConditionExpression=rows.NOT_NEWER_THAN_STAMP,
                    ExpressionAttributeValues=rows.stamp_values(stamp),
                ),
                on_retry=self._on_throttle,
            )
        except (ClientError, BotoCoreError) as error:
            if not aws.is_condition_failure(error):
                raise aws.translate(error, f"clear a former fix version of {issue_key}") from error

    def _move_large_snapshot(self, observation: Observation) -> str | None:
        data = observation.snapshot.encode()
        names = sum(len(name.encode()) + 1 for name in observation.fields.fix_versions)
        if len(data) <= min(MAX_SNAPSHOT_BYTES, _ROOM_BYTES - names):
            return None
        # One name for one delivery: a retry writes the same object.
        digest = hashlib.sha256(observation.stamp.idempotency_key.encode()).hexdigest()
        name = f"snapshots/{observation.issue_key}/{observation.stamp.version_at}/{digest}.json.gz"
        self._snapshots.write(name, gzip.compress(data, mtime=0))
        return name

    def _put(self, item: Item, condition: str, values: Item, doing: str) -> "_Put":
        try:
            answer = aws.retry_throttled_once(
                lambda: self._client.put_item(
                    TableName=self._table_name,
                    Item=item,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_OLD",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ),
                on_retry=self._on_throttle,
            )
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and aws.is_condition_failure(error):
                return _Put(won=False, item=error.response["Item"])
            raise aws.translate(error, f"{doing} of {item['issue_key']['S']}") from error
        return _Put(won=True, item=answer.get("Attributes"))


@dataclass(frozen=True, slots=True)
class _Put:
    """A conditional put: whether it won, and the row that stood there before (or stands there still)."""

    won: bool
    item: Item | None

    def is_own(self, stamp: Stamp) -> bool:
        """Whether the put lost to an earlier put of the same delivery."""
        return not self.won and self.item is not None and self.item["idempotency_key"]["S"] == stamp.idempotency_key
