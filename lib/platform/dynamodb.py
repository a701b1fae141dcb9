"""Reads and writes every table: conditional writes as values, transactions, and pages.

Dataclasses say what to write; :class:`Table` sends it. A condition that does not hold is an answer and not an error: the caller
gets the row that is there and decides what that means. In every expression ``#Name`` is the attribute ``Name``, so DynamoDB's
reserved words cause no error.
"""

import functools
import itertools
import random
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from lib.platform import aws, errors
from lib.platform.wording import counted

Item = Mapping[str, Any]
"""A row, a key or expression values in DynamoDB's JSON: ``{"name": {"S": "text"}}``."""

CONFLICT_TRIES = 4
"""How often a write is sent while another transaction holds one of its rows."""
CONFLICT_WAIT_SECONDS = 0.05

_ROWS_PER_BATCH_GET = 100
_ROWS_PER_BATCH_WRITE = 25

Element = TypeVar("Element")

_NAME = re.compile(r"#(\w+)")


def number(value: int) -> dict[str, str]:
    """A whole number in DynamoDB's JSON."""
    return {"N": str(value)}


class ContendedError(errors.ThrottledError):
    """Other transactions held one of the rows at each try. Nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When a write may happen. ``values`` are the ``:names`` of ``expression``."""

    expression: str
    values: Item = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Write a whole row."""

    item: Item = field(repr=False)
    condition: Condition | None = None

    def statement(self, table_name: str) -> dict[str, Any]:
        """The ``Put`` of a transaction, and a PutItem request."""
        return _with_condition({"TableName": table_name, "Item": self.item}, self.condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete a row."""

    key: Item
    condition: Condition | None = None

    def statement(self, table_name: str) -> dict[str, Any]:
        """The ``Delete`` of a transaction, and a DeleteItem request."""
        return _with_condition({"TableName": table_name, "Key": self.key}, self.condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Write nothing, but refuse the transaction unless a row is as expected."""

    key: Item
    condition: Condition

    def statement(self, table_name: str) -> dict[str, Any]:
        """The ``ConditionCheck`` of a transaction."""
        return _with_condition({"TableName": table_name, "Key": self.key}, self.condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Change some attributes of a row.

    Attributes:
        sets: attributes and their new values.
        defaults: attributes that get a value only if they have none.
        adds: numbers to add, and members to add to sets.
        takes: members to remove from sets.
        removes: attributes to remove.
    """

    key: Item
    sets: Item = field(default_factory=dict)
    defaults: Item = field(default_factory=dict)
    adds: Item = field(default_factory=dict)
    takes: Item = field(default_factory=dict)
    removes: Sequence[str] = ()
    condition: Condition | None = None

    def statement(self, table_name: str) -> dict[str, Any]:
        """The ``Update`` of a transaction, and an UpdateItem request."""
        sets = [f"#{name} = :{name}" for name in self.sets]
        sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in self.defaults]
        clauses = (
            ("SET", sets),
            ("ADD", [f"#{name} :{name}" for name in self.adds]),
            ("DELETE", [f"#{name} :{name}" for name in self.takes]),
            ("REMOVE", [f"#{name}" for name in self.removes]),
        )
        expression = " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses if parts)
        changes = (self.sets, self.defaults, self.adds, self.takes)
        values = {f":{name}": value for change in changes for name, value in change.items()}
        request = {"TableName": table_name, "Key": self.key, "UpdateExpression": expression}
        return _with_condition(request, self.condition, expression, values)


Statement = Put | Delete | Check | Update

_OPERATIONS: Mapping[type, str] = {Put: "Put", Delete: "Delete", Check: "ConditionCheck", Update: "Update"}


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of one write.

    Attributes:
        accepted: whether the condition held. If not, nothing was written.
        item: the row as it is now if the write was refused or is an update; the row before a put or a delete. None if there is
            no such row.
    """

    accepted: bool
    item: Item | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A statement whose condition did not hold: its position in the transaction, and the row that is there."""

    position: int
    item: Item | None = field(repr=False)


class Table:
    """One table. Every method raises SwitchboardError if the table can't be reached or refuses.

    Each method's ``doing`` ("read the lease") is in the text of its errors.

    Args:
        client: a DynamoDB client of :mod:`lib.platform.aws`.
        name: the table's name or ARN.
        on_throttle: called when a call was throttled, before its one retry.
        sleep: waits a number of seconds.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        *,
        on_throttle: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._client = client
        self._on_throttle = on_throttle
        self._sleep = sleep

    def get(self, key: Item, doing: str, *, consistent: bool = True) -> Item | None:
        """The row with this key; None if there is none."""
        request = {"TableName": self.name, "Key": key, "ConsistentRead": consistent}
        item: Item | None = self._call(doing, lambda: self._client.get_item(**request)).get("Item")
        return item

    def batch_get(
        self, keys: Iterable[Item], doing: str, *, consistent: bool = True, attributes: str | None = None
    ) -> Iterator[Item]:
        """The rows with these keys, in any order and without those that are not there; 100 per call.

        Args:
            keys: each once.
            doing: see the class.
            consistent: whether the reads are strongly consistent.
            attributes: a projection expression; None for whole rows.

        Raises:
            ThrottledError: a call processed none of its keys.
        """
        options = {"ConsistentRead": consistent} | ({"ProjectionExpression": attributes} if attributes else {})
        for some in _chunks(keys, _ROWS_PER_BATCH_GET):
            pending = some
            while pending:
                request = {self.name: {"Keys": pending, **options}}
                answer = self._call(doing, functools.partial(self._client.batch_get_item, RequestItems=request))
                yield from answer["Responses"].get(self.name, [])
                left = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
                if len(left) == len(pending):
                    raise errors.ThrottledError(f"could not {doing}: none was processed")
                pending = left

    def batch_write(self, writes: Iterable[Put | Delete], doing: str, *, tries: int = 2) -> None:
        """Make these writes, 25 per call. They have no conditions, and each row occurs once.

        What DynamoDB leaves unprocessed is sent again after 500 ms, until it was sent ``tries`` times. On an error, some of
        the writes may have been made.

        Raises:
            ThrottledError: some writes are left.
        """
        for some in _chunks(writes, _ROWS_PER_BATCH_WRITE):
            pending = [_batch_entry(write) for write in some]
            for attempt in range(tries):
                if attempt:
                    self._sleep(aws.THROTTLE_RETRY_DELAY_SECONDS)
                send = functools.partial(self._client.batch_write_item, RequestItems={self.name: pending})
                pending = self._call(doing, send).get("UnprocessedItems", {}).get(self.name, [])
                if not pending:
                    break
            else:
                raise errors.ThrottledError(
                    f"could not {doing}: DynamoDB throttled {len(pending)} of {counted(len(some), 'row')}"
                )

    def query(self, doing: str, **request: Any) -> Iterator[Item]:
        """The rows of a Query. Each page is read when its first row is needed."""
        return self._rows(self._client.query, doing, request)

    def scan(self, doing: str, **request: Any) -> Iterator[Item]:
        """The rows of a Scan, as :meth:`query`. It reads the whole table: for commands that people run."""
        return self._rows(self._client.scan, doing, request)

    def put(self, put: Put, doing: str) -> Applied:
        """Put one row. Raises ContendedError if other transactions held it."""
        return self._write(self._client.put_item, put.statement(self.name) | {"ReturnValues": "ALL_OLD"}, doing)

    def delete(self, delete: Delete, doing: str) -> Applied:
        """Delete one row. Errors as :meth:`put`."""
        return self._write(self._client.delete_item, delete.statement(self.name) | {"ReturnValues": "ALL_OLD"}, doing)

    def update(self, update: Update, doing: str) -> Applied:
        """Update one row. Errors as :meth:`put`."""
        return self._write(self._client.update_item, update.statement(self.name) | {"ReturnValues": "ALL_NEW"}, doing)

    def transact(self, statements: Iterable[Statement], doing: str) -> tuple[Refusal, ...]:
        """Write all ``statements`` or none. An empty result: all are written. Otherwise these refusals prevented it.

        Only throttles and conflicts are retried, with the same token. After a lost answer the statements may be written; their
        conditions make a repeat by the caller harmless.

        Raises:
            ContendedError: other transactions held the rows.
            AmbiguousError: the answer was lost.
        """
        request = {
            "TransactItems": [{_OPERATIONS[type(each)]: each.statement(self.name)} for each in statements],
            "ClientRequestToken": secrets.token_hex(16),
        }
        with aws.translated(doing):
            try:
                self._with_conflict_retries(lambda: self._client.transact_write_items(**request), doing)
            except ClientError as error:
                refused = aws.refusals(error)
                if not refused:
                    raise
                return tuple(Refusal(position, item) for position, item in refused.items())
        return ()

    def _write(self, send: Callable[..., Any], request: dict[str, Any], doing: str) -> Applied:
        with aws.translated(doing):
            try:
                answer = self._with_conflict_retries(functools.partial(send, **request), doing)
            except ClientError as error:
                if not aws.is_condition_failure(error):
                    raise
                return Applied(False, aws.item_in(error))
        return Applied(True, answer.get("Attributes"))

    def _rows(self, read: Callable[..., Any], doing: str, request: dict[str, Any]) -> Iterator[Item]:
        pages = paginate(doing, read, {"TableName": self.name, **request}, on_throttle=self._on_throttle, sleep=self._sleep)
        for page in pages:
            yield from page["Items"]

    def _call(self, doing: str, send: Callable[[], Any]) -> Any:
        return aws.call(doing, send, sleep=self._sleep, on_retry=self._on_throttle)

    def _with_conflict_retries(self, send: Callable[[], Any], doing: str) -> Any:
        """Run ``send``; while another transaction holds a row, retry up to three times within about half a second.

        Concurrent requests on the same rows conflict in normal operation, and nothing was written. If a condition also
        failed, that is the answer, without a retry.
        """
        for tried in range(1, CONFLICT_TRIES + 1):
            try:
                return aws.retry_throttled_once(send, sleep=self._sleep, on_retry=self._on_throttle)
            except ClientError as error:
                if not aws.is_conflict(error) or aws.refusals(error):
                    raise
            if tried < CONFLICT_TRIES:
                self._sleep(CONFLICT_WAIT_SECONDS * 2**tried * random.uniform(0.5, 1))  # noqa: S311 - not for security
        raise ContendedError(f"could not {doing}: other requests changed the same rows")


def paginate(
    doing: str,
    read: Callable[..., Any],
    request: Mapping[str, Any],
    *,
    on_throttle: Callable[[], None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Item]:
    """The pages of a Query or Scan, each read when it is needed.

    Args:
        doing: names the call in an error ("read the issues").
        read: the client's ``query`` or ``scan``.
        request: of the first page.
        on_throttle: called when a call was throttled, before its one retry.
        sleep: waits a number of seconds.

    Raises:
        SwitchboardError: the table can't be reached or refuses.
    """
    while True:
        page: Item = aws.call(doing, functools.partial(read, **request), sleep=sleep, on_retry=on_throttle)
        yield page
        if not page.get("LastEvaluatedKey"):
            return
        request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}


def _chunks(elements: Iterable[Element], size: int) -> Iterator[list[Element]]:
    pending = iter(elements)
    while chunk := list(itertools.islice(pending, size)):
        yield chunk


def _batch_entry(write: Put | Delete) -> dict[str, Any]:
    if write.condition is not None:
        raise ValueError("a batch takes no conditions")
    return {"PutRequest": {"Item": write.item}} if isinstance(write, Put) else {"DeleteRequest": {"Key": write.key}}


def _with_condition(
    request: dict[str, Any], condition: Condition | None, expression: str = "", values: Item | None = None
) -> dict[str, Any]:
    values = dict(values or {})
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
