"""What a job adds to its shop's usage: statements for the day and the month, part of the transaction that is metered.

Days and months are UTC. Adds are atomic, and stand or fall with the job's own change, so that nothing is counted twice
or not at all.
"""

import dataclasses
from datetime import datetime

from lib.shuttle import entities, items
from lib.shuttle.entities import UsageCounters, UsageDaily, UsageMonthly
from lib.shuttle.jobs.job import Outcome
from lib.shuttle.transactions import Condition, Update
from lib.shuttle.validation import whole_second


def daily(domain: str, now: datetime, counters: UsageCounters, condition: Condition | None = None) -> Update:
    """Add ``counters`` to the shop's day, making its row if it is the first."""
    day = now.date()
    expires_at = whole_second(now + entities.USAGE_DAILY_KEPT)
    return _add(UsageDaily(shop_domain=domain, day=day, expires_at=expires_at), counters, condition)


def monthly(domain: str, now: datetime, counters: UsageCounters, condition: Condition | None = None) -> Update:
    """Add ``counters`` to the shop's month, making its row if it is the first."""
    return _add(UsageMonthly(shop_domain=domain, month=month_of(now)), counters, condition)


def of(outcome: Outcome) -> UsageCounters:
    """What a job that ended adds to its shop's usage."""
    failed = outcome.failure is not None
    return UsageCounters(
        jobs_completed=0 if failed else 1,
        jobs_failed=1 if failed else 0,
        rows_read=outcome.rows_read,
        rows_failed=outcome.rows_failed,
        bytes_read=outcome.bytes_read,
    )


def month_of(moment: datetime) -> str:
    """The month of an instant in UTC, as ``2026-01``."""
    return f"{moment:%Y-%m}"


def _add(row: UsageDaily | UsageMonthly, counters: UsageCounters, condition: Condition | None) -> Update:
    counted = {field.name for field in dataclasses.fields(UsageCounters)}
    counter_attributes = {items.attribute_name(name) for name in counted}
    key = row.key().attributes().keys()
    return Update(
        key=row.key(),
        sets={
            name: value for name, value in entities.to_item(row).items() if name not in counter_attributes and name not in key
        },
        adds={items.attribute_name(name): {"N": str(value)} for name in sorted(counted) if (value := getattr(counters, name))},
        condition=condition,
    )
