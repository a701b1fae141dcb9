"""The write side of JiraIssues: every delivery in two conditional puts, with no read before them.

A put is refused if something newer is stored. So the order of arrival, duplicates and crashes do not change the final state
(docs/adr/0020)::

    put version ──► put hints of further fix versions ──► put HEAD ──► delete hints of versions it left
         │                     (rare)                        │                    (rare)
         └ refused by a newer event of this time             └ refused by a newer stamp: superseded

Each step is idempotent, so the sender's retry repairs a crash anywhere. HEAD never names a fix version before its hint is
stored, and the reader ignores a hint that is left over (docs/adr/0023).
"""

import enum
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from lib.jira import items, snapshot_codec
from lib.jira.issues import Observation
from lib.jira.items import Issue
from lib.jira.webhooks import Delivery
from lib.platform import clock
from lib.platform.dynamodb import Applied, Put, Table

MAX_SNAPSHOT_BYTES = 350_000
"""A snapshot that is larger before it is compressed goes to the bucket: an item holds 400 kB with its attribute names, and not
every text gets smaller."""

_ROOM_BYTES = 390_000
"""The most that snapshot and fix versions take of an item together: 200 long names in a wide script have 200 kB."""


class Outcome(enum.Enum):
    """The result of storing a delivery.

    * stored: this call made the delivery an issue's current state.
    * superseded: it is older than the current state. It is in the history, unless a newer delivery has the same ``updated``.
    * duplicate: the same delivery was stored before.
    """

    STORED = "stored"
    SUPERSEDED = "superseded"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outcome for one delivery, over all keys that it reports; the issue's own key is the first.

    ``newer`` is the stored state of that key if it is newer than the delivery; ``replaced`` is what the delivery replaced.
    """

    outcome: Outcome
    issue_keys: tuple[str, ...]
    newer: Issue | None = None
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

    A version is kept for ``history`` after its receipt; HEAD never expires, deleted or not (docs/adr/0021). ``on_throttle`` is
    called when a write was throttled, before its one retry.
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
        self._table = Table(client, table_name, on_throttle=on_throttle)
        self._history = history
        self._snapshots = snapshots
        self._now = now

    def record(self, delivery: Delivery) -> Recorded:
        """Store a delivery under each key that it reports.

        Raises:
            SwitchboardError: a write failed. Record the same delivery again: what was written stays and is not doubled.
        """
        observations = delivery.observations()
        results = [self._record(observation) for observation in observations]
        ranked = (Outcome.STORED, Outcome.SUPERSEDED, Outcome.DUPLICATE)
        return Recorded(
            outcome=min((result.outcome for result in results), key=ranked.index),
            issue_keys=tuple(observation.issue_key for observation in observations),
            newer=results[0].newer,
            replaced=results[0].replaced,
        )

    def _record(self, observation: Observation) -> Recorded:
        version = self._put_version(observation)
        if not observation.deleted:
            for fix_version in items.hinted(observation.fields.fix_versions):
                self._put(items.put_hint(observation, fix_version), "store the fix version")
        if observation.moved_to is not None:
            self._note_former_key(observation, observation.moved_to)
        head = self._put(
            Put(item=items.head_item(observation), condition=items.no_newer_stamp(observation.stamp)), "store the issue"
        )
        keys = (observation.issue_key,)
        if head.accepted:
            replaced = items.read_head(head.item) if head.item else None
            self._delete_hints(observation, (replaced.fields.fix_versions if replaced else ()), observation)
            return Recorded(Outcome.STORED, keys, replaced=replaced)
        newer = items.read_head(head.item or {})
        if newer.stamp == observation.stamp:
            return Recorded(Outcome.DUPLICATE, keys)
        # Our own hints, put a moment ago, may name versions that the newer state has left.
        self._delete_hints(observation, observation.fields.fix_versions, newer)
        is_own = not version.accepted and (version.item or {})["idempotency_key"]["S"] == observation.stamp.idempotency_key
        return Recorded(Outcome.DUPLICATE if is_own else Outcome.SUPERSEDED, keys, newer)

    def _put_version(self, observation: Observation) -> Applied:
        received_at = self._now()
        name = self._move_large_snapshot(observation)
        item = items.version_item(observation, received_at, received_at + self._history, name)
        return self._put(Put(item=item, condition=items.no_newer_event(observation.stamp)), "store the version")

    def _note_former_key(self, former: Observation, issue_key: str) -> None:
        """Make the next recompute of ``issue_key`` fetch the commits of the former key, even if the message is lost. Also keep
        the former project known, so that later commits may name it."""
        for item in (items.key(issue_key, items.MOVED_PREFIX + former.issue_key), items.former_project_item(former)):
            self._put(Put(item=item), "note the former key")

    def _delete_hints(self, observation: Observation, former: tuple[str, ...], current: Observation | Issue) -> None:
        """Delete the hints of ``former`` that ``current`` does not use, unless a newer delivery has put them again."""
        used = () if current.deleted else items.hinted(current.fields.fix_versions)
        for fix_version in items.hinted(former):
            if fix_version not in used:
                self._table.delete(
                    items.delete_hint(observation.issue_key, fix_version, observation.stamp),
                    f"clear a former fix version of {observation.issue_key}",
                )

    def _move_large_snapshot(self, observation: Observation) -> str | None:
        size = len(observation.snapshot.encode())
        names = sum(len(name.encode()) + 1 for name in observation.fields.fix_versions)
        if size <= min(MAX_SNAPSHOT_BYTES, _ROOM_BYTES - names):
            return None
        # One name for one delivery: a retry writes the same object.
        digest = hashlib.sha256(observation.stamp.idempotency_key.encode()).hexdigest()
        name = f"snapshots/{observation.issue_key}/{observation.stamp.version_at}/{digest}.json.gz"
        self._snapshots.write(name, snapshot_codec.encode_large(observation.snapshot))
        return name

    def _put(self, put: Put, doing: str) -> Applied:
        return self._table.put(put, f"{doing} of {put.item['issue_key']['S']}")
