"""First-wins claims on the operations table (``session_id``, ``operation_key``).

A claim decides which process may do work that must be done once. It expires, so a crash does not hold it forever::

    claim ──► pending ──┬─ complete ─► done       never again
              │         ├─ release ──► failed     the next claim wins
              │         └─ crash …… lease expires: the next claim wins
              └─ another claim meanwhile: held

Not promised: an owner that stalls past its lease and resumes may act at the same time as the next one. So keep the lease
longer than the function's timeout.
"""

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lib.platform import clock, errors
from lib.platform.dynamodb import Condition, Item, Table, Update, number

_FREE = (
    "attribute_not_exists(#session_id) OR #status = :failed "
    "OR (#status = :pending AND (#claim_owner = :owner OR #claim_expires_at <= :now))"
)
_MAX_REASON_CHARACTERS = 500


class Verdict(enum.Enum):
    """The result of an attempt to claim."""

    WON = "won"
    HELD = "held"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt to claim (``session_id``, ``operation_key``) by ``owner``."""

    session_id: str
    operation_key: str
    owner: str
    verdict: Verdict


class Claims:
    """Claims in one table. Every method raises SwitchboardError if the table can't be reached or refuses.

    Args:
        client: a DynamoDB client.
        table_name: the operations table.
        lease: how long a claim holds without being completed.
        keep: how long the row is kept, for audits and against late duplicates; None: forever.
        now: the clock.
        sleep: waits a number of seconds.
    """

    def __init__(
        self,
        client: Any,
        table_name: str,
        *,
        lease: timedelta,
        keep: timedelta | None = timedelta(days=14),
        now: clock.Clock = clock.utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = Table(client, table_name, sleep=sleep)
        self._lease = lease
        self._keep = keep
        self._now = now

    def claim(self, session_id: str, operation_key: str, owner: str) -> Claim:
        """Try to claim; ``owner`` must be unique to this attempt.

        One conditional write, no read. If the answer to an earlier try of the same owner was lost, this one wins.
        """
        now = self._now()
        owner_text, at = {"S": owner}, {"S": clock.canonical(now)}
        update = Update(
            key=_key(session_id, operation_key),
            sets={
                "status": {"S": "pending"},
                "claim_owner": owner_text,
                "claim_expires_at": {"S": clock.canonical(now + self._lease)},
                "updated_at": at,
                **({} if self._keep is None else {"expires_at": number(clock.epoch_s(now + self._keep))}),
            },
            defaults={"created_at": at},
            adds={"attempts": {"N": "1"}},
            removes=("expires_at",) if self._keep is None else (),
            condition=Condition(
                expression=_FREE,
                values={":failed": {"S": "failed"}, ":pending": {"S": "pending"}, ":owner": owner_text, ":now": at},
            ),
        )
        applied = self._table.update(update, f"claim {operation_key}")
        if applied.accepted:
            return Claim(session_id, operation_key, owner, Verdict.WON)
        is_done = (applied.item or {}).get("status") == {"S": "done"}
        return Claim(session_id, operation_key, owner, Verdict.DONE if is_done else Verdict.HELD)

    def complete(self, claim: Claim) -> None:
        """Record that the work is done, so that nobody repeats it.

        Raises:
            PermanentError: somebody else holds the claim by now.
        """
        owned = Condition(expression="#claim_owner = :owner", values={":owner": {"S": claim.owner}})
        self._settle(claim, Update(key=_key_of(claim), sets=self._status("done"), removes=("error_message",), condition=owned))

    def release(self, claim: Claim, reason: str) -> None:
        """Record that the thing was not done, so that the next claim wins. ``reason`` holds nothing personal.

        Raises:
            PermanentError: it was recorded as done, or somebody else holds the claim by now.
        """
        owned_and_open = Condition(
            expression="#claim_owner = :owner AND #status <> :done",
            values={":owner": {"S": claim.owner}, ":done": {"S": "done"}},
        )
        sets = {**self._status("failed"), "error_message": {"S": reason[:_MAX_REASON_CHARACTERS]}}
        self._settle(claim, Update(key=_key_of(claim), sets=sets, condition=owned_and_open))

    def _status(self, status: str) -> Item:
        return {"status": {"S": status}, "updated_at": {"S": clock.canonical(self._now())}}

    def _settle(self, claim: Claim, update: Update) -> None:
        doing = f"settle the claim on {claim.operation_key}"
        if not self._table.update(update, doing).accepted:
            raise errors.PermanentError(f"could not {doing}: it is done, or held by another owner")


def _key_of(claim: Claim) -> Item:
    return _key(claim.session_id, claim.operation_key)


def _key(session_id: str, operation_key: str) -> Item:
    return {"session_id": {"S": session_id}, "operation_key": {"S": operation_key}}
