"""How the Shuttle table is written: statements built by pure functions, and the one way to run several as a transaction.

A condition that fails is an answer here and no error: the caller is told which statements were refused and what stood
there, and decides what that means.
"""

import random
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.platform import aws, errors
from lib.shuttle import items, keys

#: Two transactions on one row at once: DynamoDB refuses one, and it may try again. Nothing was written.
CONFLICT_TRIES = 4
CONFLICT_WAIT_SECONDS = 0.05

_NAME = re.compile(r"#(\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When a statement may be run. ``#Status`` in ``expression`` is the attribute Status; ``values`` are its ``:names``."""

    expression: str
    values: Mapping[str, items.Attributes] = field(default_factory=dict)


#: No row stands under the key.
ABSENT = Condition(expression="attribute_not_exists(#PK)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Write a whole row."""

    item: items.Attributes
    condition: Condition | None = None

    def statement(self, table_name: str) -> dict[str, Any]:
        """The ``Put`` of a transaction; a PutItem request as well."""
        return _with_condition({"TableName": table_name, "Item": self.item}, "", {}, self.condition)

    def operation(self, table_name: str) -> dict[str, Any]:
        """The entry in TransactWriteItems."""
        return {"Put": self.statement(table_name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Write nothing, but let the transaction stand only if a row is as it must be."""

    key: keys.Key
    condition: Condition

    def operation(self, table_name: str) -> dict[str, Any]:
        """The entry in TransactWriteItems."""
        check = {"TableName": table_name, "Key": self.key.attributes()}
        return {"ConditionCheck": _with_condition(check, "", {}, self.condition)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Change some attributes of a row: set them, add to numbers and sets, take from sets, remove them."""

    key: keys.Key
    sets: Mapping[str, items.Attributes] = field(default_factory=dict)
    adds: Mapping[str, items.Attributes] = field(default_factory=dict)
    takes: Mapping[str, items.Attributes] = field(default_factory=dict)
    removes: Sequence[str] = ()
    condition: Condition | None = None

    def statement(self, table_name: str) -> dict[str, Any]:
        """The ``Update`` of a transaction; an UpdateItem request as well."""
        clauses = (
            ("SET", [f"#{name} = :{name}" for name in self.sets]),
            ("ADD", [f"#{name} :{name}" for name in self.adds]),
            ("DELETE", [f"#{name} :{name}" for name in self.takes]),
            ("REMOVE", [f"#{name}" for name in self.removes]),
        )
        expression = " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses if parts)
        values = {f":{name}": value for part in (self.sets, self.adds, self.takes) for name, value in part.items()}
        request = {"TableName": table_name, "Key": self.key.attributes(), "UpdateExpression": expression}
        return _with_condition(request, expression, values, self.condition)

    def operation(self, table_name: str) -> dict[str, Any]:
        """The entry in TransactWriteItems."""
        return {"Update": self.statement(table_name)}


Statement = Put | Check | Update


@dataclass(frozen=True, slots=True)
class Refusal:
    """A statement whose condition did not hold, by its place in the transaction, and the row that stood there."""

    position: int
    standing: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of one conditional update: the row as it is now, or, refused, as it stands (None if there is none)."""

    accepted: bool
    item: Mapping[str, Any] | None


def apply(client: Any, table_name: str, update: Update, doing: str, *, sleep: Callable[[float], None] = time.sleep) -> Applied:
    """Run one update.

    Raises:
        ThrottledError: transactions on the row did not end, or the table is throttled.
        SwitchboardError: the table can't be reached or refuses.
    """
    request = update.statement(table_name) | {"ReturnValues": "ALL_NEW"}
    try:
        answer = _past_conflicts(lambda: client.update_item(**request), doing, sleep)
    except ClientError as error:
        if aws.is_condition_failure(error):
            return Applied(False, error.response.get("Item"))
        raise aws.translate(error, doing) from error
    except BotoCoreError as error:
        raise aws.translate(error, doing) from error
    return Applied(True, answer["Attributes"])


def put(client: Any, table_name: str, row: Put, doing: str, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Put one row. False, and nothing written, if its condition does not hold.

    Raises:
        SwitchboardError: as :func:`apply`.
    """
    request = row.statement(table_name)
    try:
        _past_conflicts(lambda: client.put_item(**request), doing, sleep)
    except (ClientError, BotoCoreError) as error:
        if aws.is_condition_failure(error):
            return False
        raise aws.translate(error, doing) from error
    return True


def transact(
    client: Any,
    table_name: str,
    statements: Iterable[Statement],
    doing: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Refusal, ...]:
    """Run all ``statements`` or none. Empty: they stand. Otherwise: nothing was written, for these refusals.

    Only throttles and conflicts are tried again, under the same token. A lost answer is not: the statements may stand, and
    it is their conditions that make a repeat by the caller harmless.

    Raises:
        ThrottledError: other transactions on the rows did not end, or the table is throttled.
        AmbiguousError: the answer was lost.
        SwitchboardError: the table can't be reached or refuses.
    """
    request = {
        "TransactItems": [statement.operation(table_name) for statement in statements],
        "ClientRequestToken": secrets.token_hex(16),
    }
    try:
        _past_conflicts(lambda: client.transact_write_items(**request), doing, sleep)
    except (ClientError, BotoCoreError) as error:
        refused = aws.refusals(error)
        if not refused:
            raise aws.translate(error, doing) from error
        return tuple(Refusal(position, standing) for position, standing in refused.items())
    return ()


def _past_conflicts(call: Callable[[], Any], doing: str, sleep: Callable[[float], None]) -> Any:
    """Run ``call``; while a transaction on the same row is in the way, try again, up to three times in half a second.

    Such a conflict is the ordinary end of two requests at once on one shop and no sign of load; nothing was written. A
    condition that failed beside it says enough and is not tried again.
    """
    for tried in range(1, CONFLICT_TRIES + 1):
        try:
            return aws.retry_throttled_once(call, sleep=sleep)
        except ClientError as error:
            if not aws.is_conflict(error) or aws.refusals(error):
                raise
        if tried < CONFLICT_TRIES:
            sleep(CONFLICT_WAIT_SECONDS * 2**tried * random.uniform(0.5, 1))  # noqa: S311 - spreads, hides nothing
    raise errors.ThrottledError(f"could not {doing}: other requests changed the same rows")


def _with_condition(
    request: dict[str, Any], expression: str, values: Mapping[str, Any], condition: Condition | None
) -> dict[str, Any]:
    values = dict(values)
    if condition is not None:
        request |= {"ConditionExpression": condition.expression, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        expression = f"{expression} {condition.expression}"
        values |= condition.values
    names = {f"#{name}": name for name in _NAME.findall(expression)}
    if names:
        request["ExpressionAttributeNames"] = names
    if values:
        request["ExpressionAttributeValues"] = values
    return request
