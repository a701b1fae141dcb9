"""First-wins claims on the operations table (``session_id``, ``operation_key``).

A claim says who may do a thing that must be done once. It expires, so that a crash does not hold it for ever::

    claim ──► pending ──┬─ complete ─► done      never again
              │         ├─ release ──► failed    the next claim wins
              │         └─ crash …… lease over   the next claim wins
              └─ somebody else's claim meanwhile: held

What it does not promise: a holder that stalls past its lease and wakes up may act beside the next one. Keep the lease
longer than the function's timeout.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.platform import aws, clock


class Verdict(enum.Enum):
    """What a claim came to."""

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
    """Claims in one table.

    Args:
        client: a DynamoDB client.
        table_name: the operations table.
        lease: how long a claim holds without being completed.
        keep: how long the row stays, for the audit and against late duplicates; None: for ever.
        now: the clock.
    """

    def __init__(
        self,
        client: Any,
        table_name: str,
        *,
        lease: timedelta,
        keep: timedelta | None = timedelta(days=14),
        now: clock.Clock = clock.utc_now,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._lease = lease
        self._keep = keep
        self._now = now

    def claim(self, session_id: str, operation_key: str, owner: str) -> Claim:
        """Try to claim; ``owner`` must be unique to this attempt.

        One conditional write, no read. A lost answer to an earlier try of the same owner counts as won.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        now = self._now()
        expiry, ttl = _expiry(now, self._keep)
        try:
            aws.retry_throttled_once(
                lambda: self._client.update_item(
                    TableName=self._table_name,
                    Key=_key(session_id, operation_key),
                    UpdateExpression=(
                        "SET #status = :pending, claim_owner = :owner, claim_expires_at = :lease_end, updated_at = :now, "
                        f"created_at = if_not_exists(created_at, :now){expiry} ADD attempts :one"
                    ),
                    ConditionExpression=(
                        "attribute_not_exists(session_id) OR #status = :failed "
                        "OR (#status = :pending AND (claim_owner = :owner OR claim_expires_at <= :now))"
                    ),
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues={
                        ":pending": {"S": "pending"},
                        ":failed": {"S": "failed"},
                        ":owner": {"S": owner},
                        ":lease_end": {"S": clock.canonical(now + self._lease)},
                        ":now": {"S": clock.canonical(now)},
                        ":one": {"N": "1"},
                    }
                    | ttl,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            )
        except (ClientError, BotoCoreError) as error:
            if not aws.is_condition_failure(error):
                raise aws.translate(error, f"claim {operation_key}") from error
            standing = error.response.get("Item", {}) if isinstance(error, ClientError) else {}
            done = standing.get("status", {}).get("S") == "done"
            return Claim(session_id, operation_key, owner, Verdict.DONE if done else Verdict.HELD)
        return Claim(session_id, operation_key, owner, Verdict.WON)

    def complete(self, claim: Claim) -> None:
        """Record that the thing was done, so that nobody does it again.

        Raises:
            SwitchboardError: the table can't be reached or refuses, or the claim is another's by now.
        """
        self._settle(claim, "done", None)

    def release(self, claim: Claim, reason: str) -> None:
        """Record that the thing was not done, so that the next claim wins. ``reason`` holds nothing personal.

        What was recorded as done stays done.

        Raises:
            SwitchboardError: the table can't be reached or refuses, or the claim is done or another's by now.
        """
        self._settle(claim, "failed", reason)

    def _settle(self, claim: Claim, status: str, reason: str | None) -> None:
        values = {":status": {"S": status}, ":owner": {"S": claim.owner}, ":now": {"S": clock.canonical(self._now())}}
        update = "SET #status = :status, updated_at = :now"
        condition = "claim_owner = :owner"
        if reason is None:
            update += " REMOVE error_message"
        else:
            update += ", error_message = :reason"
            condition += " AND #status <> :done"
            values |= {":reason": {"S": reason[:500]}, ":done": {"S": "done"}}
        try:
            aws.retry_throttled_once(
                lambda: self._client.update_item(
                    TableName=self._table_name,
                    Key=_key(claim.session_id, claim.operation_key),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues=values,
                )
            )
        except (ClientError, BotoCoreError) as error:
            raise aws.translate(error, f"settle the claim on {claim.operation_key}") from error


def _expiry(now: datetime, keep: timedelta | None) -> tuple[str, dict[str, Any]]:
    """What of an update expression sets or removes the row's expiry, and its values."""
    if keep is None:
        return " REMOVE expires_at", {}
    return ", expires_at = :ttl", {":ttl": {"N": str(clock.epoch_s(now + keep))}}


def _key(session_id: str, operation_key: str) -> dict[str, dict[str, str]]:
    return {"session_id": {"S": session_id}, "operation_key": {"S": operation_key}}
