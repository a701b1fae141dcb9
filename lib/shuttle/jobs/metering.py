"""What a job adds to its shop's usage: statements for the day and the month, part of the transaction that is metered.

Days and months are UTC. The counters are added in the same transaction as the job's own change, so that nothing is counted
twice or left out.
"""

import dataclasses
from datetime import datetime

from lib.platform.dynamodb import Condition, Update, number
from lib.shuttle import entities, items
from lib.shuttle.entities import UsageCounters, UsageDaily, UsageMonthly
from lib.shuttle.jobs.job import Outcome
from lib.shuttle.validation import whole_second


def daily(domain: str, now: datetime, counters: UsageCounters, condition: Condition | None = None) -> Update:
    """Add ``counters`` to the shop's day, creating its row if needed."""
    expires_at = whole_second(now + entities.USAGE_DAILY_KEPT)
    return _add(UsageDaily(shop_domain=domain, day=now.date(), expires_at=expires_at), counters, condition)


def monthly(domain: str, now: datetime, counters: UsageCounters, condition: Condition | None = None) -> Update:
    """Add ``counters`` to the shop's month, creating its row if needed."""
    return _add(UsageMonthly(shop_domain=domain, month=f"{now:%Y-%m}"), counters, condition)


def of(outcome: Outcome) -> UsageCounters:
    """What a finished job adds to its shop's usage."""
    has_failed = outcome.failure is not None
    return UsageCounters(
        jobs_completed=int(not has_failed),
        jobs_failed=int(has_failed),
        rows_read=outcome.rows_read,
        rows_failed=outcome.rows_failed,
        bytes_read=outcome.bytes_read,
    )


def _add(row: UsageDaily | UsageMonthly, counters: UsageCounters, condition: Condition | None) -> Update:
    key = row.key().attributes()
    added = {items.attribute_name(name): count for name, count in dataclasses.asdict(counters).items()}
    return Update(
        key=key,
        sets={name: value for name, value in entities.to_item(row).items() if name not in added and name not in key},
        adds={name: number(count) for name, count in sorted(added.items()) if count},
        condition=condition,
    )
