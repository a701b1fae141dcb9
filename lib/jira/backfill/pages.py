"""Processes one page of a legacy table: reads it, stores its rows, or compares them with the stored issues."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from lib.jira.backfill.legacy_rows import name_of, read_legacy
from lib.jira.backfill.report import KEPT_REASONS, Report, Verification
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import Outcome
from lib.jira.webhooks import Delivery
from lib.platform import aws, errors
from lib.platform.dynamodb import Item

Result = TypeVar("Result")

PAGE_SIZE = 100
"""Rows per page, at most: what one BatchGetItem compares, and what is repeated after a crash."""

Store = Callable[[Delivery], Outcome]
"""Stores one delivery, with retries."""

Wait = Callable[[int, errors.SwitchboardError], bool]
"""Gets the number of a failed attempt and its error, waits, and returns whether to try again."""


def scan(
    client: Any, table: str, segment: int, segments: int, start: Mapping[str, Any] | None, *, page_size: int = PAGE_SIZE
) -> Item:
    """A page of a parallel scan, after the key ``start``.

    Raises:
        SwitchboardError: the table can't be read.
    """
    with aws.translated(f"scan {table}"):
        page: Item = client.scan(
            TableName=table,
            Segment=segment,
            TotalSegments=segments,
            Limit=page_size,
            **({"ExclusiveStartKey": start} if start else {}),
        )
    return page


def store(items: Iterable[Mapping[str, Any]], record: Store | None, keys: tuple[str, ...] = ()) -> Report:
    """Store rows; without ``record``, only read them. All reasons for skipped rows are in the report.

    A row that can never be stored is skipped, and named by its attributes ``keys`` too. An error that concerns every row is
    raised.

    Raises:
        SwitchboardError: a row could not be stored now.
    """
    outcomes: Counter[Outcome] = Counter()
    reasons: list[str] = []
    scanned = 0
    for item in items:
        scanned += 1
        try:
            delivery = read_legacy(item)
            if record is not None:
                outcomes[record(delivery)] += 1
        except errors.PermanentError as error:
            if not _concerns_row(error):
                raise
            reasons.append(f"{name_of(item, keys)}: {error}")
    return Report(
        scanned=scanned,
        stored=outcomes[Outcome.STORED],
        superseded=outcomes[Outcome.SUPERSEDED],
        duplicate=outcomes[Outcome.DUPLICATE],
        skipped=len(reasons),
        reasons=tuple(reasons),
    )


def compare(items: Iterable[Mapping[str, Any]], reader: IssueReader) -> Verification:
    """Compare rows with the HEAD of their issues: it must exist and be equal or later. Rows that can't be read are left out.

    Raises:
        SwitchboardError: the issues can't be read.
    """
    wanted: list[tuple[str, str]] = []
    for item in items:
        try:
            delivery = read_legacy(item)
        except errors.InvalidInputError:
            continue
        wanted.append((delivery.issue_key, delivery.stamp.version_at))
    heads = reader.heads([key for key, _ in wanted])
    behind = [key for key, at in wanted if key not in heads or heads[key].stamp.version_at < at]
    return Verification(len(wanted), len(behind), tuple(behind[:KEPT_REASONS]))


def _concerns_row(error: errors.PermanentError) -> bool:
    """Whether it is about this row only: it can't be read, or DynamoDB does not take it (too large, an empty key)."""
    return isinstance(error, errors.InvalidInputError) or aws.error_code(error.__cause__ or error) == "ValidationException"


def with_retries(call: Callable[[], Result], wait: Wait) -> Result:
    """The result of ``call``, retried as often as ``wait`` allows. A backfill is faster than a table now and then."""
    attempt = 0
    while True:
        try:
            return call()
        except (errors.RetryableError, errors.AmbiguousError) as error:
            attempt += 1
            if not wait(attempt, error):
                raise
