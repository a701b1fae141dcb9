"""How the Shuttle table is read: one GetItem, or one Query whose pages are fetched as they are asked for. Never a Scan.

What a request looks like is decided by pure functions; :class:`Reader` sends them. Expired rows are left out: TTL
deletes days late (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html).
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lib.platform import aws, clock, errors
from lib.shuttle import items, keys
from lib.shuttle.validation import require

Item = Mapping[str, Any]

#: How many rows a Query asks for at a time, unless the caller says otherwise.
PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Everything:
    """No condition on the sort key."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The sort key is ``value``."""

    value: str


@dataclass(frozen=True, slots=True)
class BeginsWith:
    """The sort key begins with ``prefix``."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Between:
    """The sort key is from ``low`` to ``high``, both included. DynamoDB refuses a range that ends before it begins."""

    low: str
    high: str

    def __post_init__(self) -> None:
        require(self.low <= self.high, "the range ends before it begins")


Sort = Everything | Equals | BeginsWith | Between


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One access pattern: which rows of which index, in which order.

    ``start`` is the row before the first one wanted, as DynamoDB names it (table key and index key).
    """

    partition: str
    sort: Sort = Everything()
    index: str = ""
    hash_name: str = "PK"
    range_name: str = "SK"
    newest_first: bool = False
    page_size: int = PAGE_SIZE
    start: Item | None = None

    def request(self, table_name: str, now: datetime) -> dict[str, Any]:
        """The Query request, but for the place where a later page starts."""
        condition, names, values = _sort_condition(self.sort)
        request = {
            "TableName": table_name,
            "KeyConditionExpression": "#pk = :pk" + condition,
            "FilterExpression": "attribute_not_exists(#ttl) OR #ttl > :now",
            "ExpressionAttributeNames": {"#pk": self.hash_name, "#ttl": items.TTL_ATTRIBUTE}
            | dict.fromkeys(names, self.range_name),
            "ExpressionAttributeValues": {":pk": {"S": self.partition}, ":now": items.ttl_attribute(now)} | values,
            "ScanIndexForward": not self.newest_first,
            "Limit": self.page_size,
        }
        if self.index:
            request["IndexName"] = self.index
        if self.start is not None:
            request["ExclusiveStartKey"] = dict(self.start)
        return request


def gsi(index: str, partition: str, sort: Sort = Everything(), **rest: Any) -> Query:
    """A query of GSI1, GSI2 or GSI3."""
    return Query(partition=partition, sort=sort, index=index, hash_name=f"{index}PK", range_name=f"{index}SK", **rest)


class Reader:
    """Reads one table.

    Args:
        client: a DynamoDB client.
        table_name: the Shuttle table.
        now: the clock; rows expired by it are not there.
    """

    def __init__(self, client: Any, table_name: str, now: clock.Clock = clock.utc_now) -> None:
        self._client = client
        self._table_name = table_name
        self.now = now

    def get(self, key: keys.Key, what: str, *, consistent: bool = True) -> Item:
        """The row under ``key``; ``what`` ("the job") names it in an error.

        Raises:
            NotFoundError: it is not there, or has expired.
            SwitchboardError: the table can't be reached or refuses.
        """
        answer = aws.call(
            f"read {what}",
            lambda: self._client.get_item(TableName=self._table_name, Key=key.attributes(), ConsistentRead=consistent),
        )
        item: Item | None = answer.get("Item")
        if item is None or _has_expired(item, self.now()):
            raise errors.NotFoundError(f"{what} is not there")
        return item

    def rows(self, query: Query, what: str) -> Iterator[Item]:
        """The rows of ``query``, a page at a time and no page before its first row is asked for.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        request = query.request(self._table_name, self.now())
        while True:
            page: Item = aws.call(f"read {what}", functools.partial(self._client.query, **request))
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request = request | {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _has_expired(item: Item, now: datetime) -> bool:
    expiry = item.get(items.TTL_ATTRIBUTE)
    return expiry is not None and int(expiry["N"]) <= clock.epoch_s(now)


def _sort_condition(sort: Sort) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    match sort:
        case Equals(value):
            return " AND #sk = :sk", ("#sk",), {":sk": {"S": value}}
        case BeginsWith(prefix):
            return " AND begins_with(#sk, :sk)", ("#sk",), {":sk": {"S": prefix}}
        case Between(low, high):
            return " AND #sk BETWEEN :low AND :high", ("#sk",), {":low": {"S": low}, ":high": {"S": high}}
        case Everything():
            return "", (), {}
