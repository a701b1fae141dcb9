"""The Query requests of the Shuttle table, as values. Pure: :class:`lib.shuttle.repository.Repository` sends them.

Never a Scan. Expired rows are left out: TTL deletes days late
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lib.platform.contract import SHUTTLE
from lib.platform.dynamodb import Item
from lib.shuttle import items
from lib.shuttle.validation import require

#: How many rows a Query requests at a time by default.
PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Sort:
    """A condition on the sort key ``#sk``; without an expression every row matches."""

    expression: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


EVERYTHING = Sort()


def equals(value: str) -> Sort:
    """The sort key is ``value``."""
    return Sort("#sk = :sk", {":sk": value})


def begins_with(prefix: str) -> Sort:
    """The sort key begins with ``prefix``."""
    return Sort("begins_with(#sk, :sk)", {":sk": prefix})


def between(low: str, high: str) -> Sort:
    """The sort key is from ``low`` to ``high``, both included.

    Raises:
        InvalidInputError: the range ends before it begins, which DynamoDB refuses.
    """
    require(low <= high, "the range ends before it begins")
    return Sort("#sk BETWEEN :low AND :high", {":low": low, ":high": high})


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One access pattern: which rows of the table or of an index, in which order.

    Attributes:
        start: the row before the first one wanted, as DynamoDB names it (table key and index key).
        exact: all rows, with expired ones, and from the table as they are now.
        for_deletion: as exact, but only the keys of the rows.
    """

    partition: str
    sort: Sort = EVERYTHING
    index: str = ""
    newest_first: bool = False
    page_size: int = PAGE_SIZE
    start: Item | None = None
    exact: bool = False
    for_deletion: bool = False

    def request(self, now: datetime) -> dict[str, Any]:
        """The Query request, without the table's name."""
        hash_name, range_name = SHUTTLE.key_of(self.index)
        values = {":pk": {"S": self.partition}, ":now": items.ttl_attribute(now)}
        values |= {name: {"S": value} for name, value in self.sort.values.items()}
        request: dict[str, Any] = {
            "KeyConditionExpression": " AND ".join(filter(None, ("#pk = :pk", self.sort.expression))),
            "FilterExpression": "attribute_not_exists(#ttl) OR #ttl > :now",
            "ExpressionAttributeNames": {"#pk": hash_name, "#ttl": items.TTL_ATTRIBUTE}
            | ({"#sk": range_name} if self.sort.expression else {}),
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not self.newest_first,
            "Limit": self.page_size,
        }
        if self.exact or self.for_deletion:
            request["ConsistentRead"] = not self.index
            del request["FilterExpression"], request["ExpressionAttributeNames"]["#ttl"], values[":now"]
        if self.for_deletion:
            request["ProjectionExpression"] = "PK, SK"
        if self.index:
            request["IndexName"] = self.index
        if self.start is not None:
            request["ExclusiveStartKey"] = self.start
        return request
