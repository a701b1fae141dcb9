"""Whether a job may be created: the plan's limits, checked and used up in one transaction (docs/adr/0061).

::

    request A ─┐  slots {j1}, limit 2     both read "one free"
    request B ─┘
    A: transaction ─► slots {j1, jA}, day 4 → 5, month …, job row        written
    B: transaction ─► size(slots) < 2 does not hold                      refused: nothing written

A slot is a job id in a set, not a number in a counter: adding and removing are idempotent, and the set shows which jobs
hold them. The transaction that ends a job removes its id (:mod:`.lifecycle`), so no crash can lose a slot. An
import counts for its day and month when it is created, and cancelling does not give it back: otherwise creating and
cancelling would be free.
"""

import hashlib
from collections.abc import Collection
from dataclasses import MISSING, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from lib.platform import errors
from lib.platform.dynamodb import Check, Condition, Put, Statement, Update, number
from lib.shuttle import entities, items, keys
from lib.shuttle.entities import BillingState, Shop, UsageCounters
from lib.shuttle.items import ABSENT
from lib.shuttle.jobs import metering
from lib.shuttle.jobs.job import DuplicateRule, FileFormat, Job, JobKind, JobMode
from lib.shuttle.jobs.plans import PlanLimits

#: How long a client token is remembered.
CLIENT_TOKEN_KEPT = timedelta(hours=24)


_ADVICE = {
    "concurrent_jobs": "wait until a job has ended, or cancel one",
    "daily_imports": "wait until the next day (UTC)",
    "monthly_imports": "wait until the next month (UTC)",
}


class LimitExceededError(errors.LimitReachedError):
    """The shop's plan allows no more. ``limit`` is the name of the limit (a field of PlanLimits), ``allowed`` its value."""

    def __init__(self, limit: str, allowed: int) -> None:
        advice = _ADVICE[limit] if allowed else "choose another plan"
        super().__init__(f"the plan's limit is reached: {limit} is {allowed}; {advice}")
        self.limit = limit
        self.allowed = allowed


class BillingInactiveError(errors.InvalidInputError):
    """The shop does not pay, so it can't create jobs."""

    code = "billing_inactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder:
    """An order of a job. Two orders with the same ``client_token`` within 24 hours are one job."""

    client_token: str
    kind: JobKind
    mode: JobMode | None
    file_format: FileFormat
    file_bytes: int | None = None
    dry_run: bool = False
    duplicate_rule: DuplicateRule = DuplicateRule.LAST
    delimiter: str | None = None
    columns: tuple[str, ...] = ()
    gzip: bool = False
    version: int | None = None
    changed_since: int | None = None

    def __post_init__(self) -> None:
        keys.opaque_id(self.client_token, "client token")

    def wanted(self) -> dict[str, Any]:
        """The fields of the order that are also those of its job."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "client_token"}

    def fingerprint(self) -> str:
        """Distinguishes this order from another one with the same token."""
        parts = [(name, str(value)) for name, value in self.wanted().items()]
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def admit(shop: Shop, order: JobOrder) -> None:
    """Refuse what can be refused without a transaction.

    Raises:
        BillingInactiveError: the shop does not pay.
        PayloadTooLargeError: the plan does not allow a file of that size.
        LimitExceededError: the plan allows none at all.
    """
    if shop.billing_state is not BillingState.ACTIVE:
        raise BillingInactiveError(f"the shop's billing is {shop.billing_state}")
    if (order.file_bytes or 0) > shop.limits.max_file_bytes:
        raise errors.PayloadTooLargeError(f"the plan allows files of up to {shop.limits.max_file_bytes} bytes")
    applying = _LIMIT_POSITIONS.values() if order.kind is JobKind.IMPORT else ("concurrent_jobs",)
    for limit in applying:
        if getattr(shop.limits, limit) == 0:
            raise LimitExceededError(limit, 0)


def statements(shop: Shop, order: JobOrder, job: Job, now: datetime) -> list[Statement]:
    """The transaction that creates ``job``. The token comes first, so that a repeat is recognized before anything else."""
    domain, allowed = shop.shop_domain, shop.limits
    is_import = order.kind is JobKind.IMPORT
    counters = UsageCounters(imports=1) if is_import else UsageCounters(exports=1)
    return [
        _remember(domain, order, job, now),
        _unchanged(shop),
        Update(
            key=keys.slots(domain).attributes(),
            sets={"EntityType": {"S": "Slots"}},
            adds={"ActiveJobs": {"SS": [job.job_id]}},
            condition=Condition(
                expression="attribute_not_exists(#ActiveJobs) OR size(#ActiveJobs) < :allowed",
                values={":allowed": number(allowed.concurrent_jobs)},
            ),
        ),
        metering.daily(domain, now, counters, _below("Imports", allowed.daily_imports) if is_import else None),
        metering.monthly(domain, now, counters, _below("Imports", allowed.monthly_imports) if is_import else None),
        Put(item=entities.to_item(job), condition=ABSENT),
    ]


#: The positions of :func:`statements`.
TOKEN_POSITION = 0
_SHOP_POSITION = 1
_LIMIT_POSITIONS = {2: "concurrent_jobs", 3: "daily_imports", 4: "monthly_imports"}


def refusal(shop: Shop, positions: Collection[int]) -> errors.SwitchboardError:
    """Why the transaction was refused, given the ``positions`` of the refused statements.

    LimitExceededError: a limit is reached. UnavailableError: the shop's plan or billing changed in the meantime, and the next
    try reads the new one.
    """
    if _SHOP_POSITION in positions:
        return errors.UnavailableError("the shop's plan or billing changed in the meantime")
    for position, limit in _LIMIT_POSITIONS.items():
        if position in positions:
            return LimitExceededError(limit, getattr(shop.limits, limit))
    return errors.UnavailableError("the new job's id was taken")


def free_slot(domain: str, job_id: str) -> Update:
    """Free the slot of a job that ended. Idempotent."""
    return Update(key=keys.slots(domain).attributes(), takes={"ActiveJobs": {"SS": [job_id]}})


_DEFAULTS = {
    items.attribute_name(field.name): number(field.default) for field in fields(PlanLimits) if field.default is not MISSING
}


def _remember(domain: str, order: JobOrder, job: Job, now: datetime) -> Put:
    return Put(
        item=keys.request(domain, order.client_token).attributes()
        | {
            "EntityType": {"S": "Request"},
            "JobId": {"S": job.job_id},
            "Fingerprint": {"S": order.fingerprint()},
            items.TTL_ATTRIBUTE: items.ttl_attribute(now + CLIENT_TOKEN_KEPT),
        },
        condition=Condition(
            expression=f"attribute_not_exists(#PK) OR #{items.TTL_ATTRIBUTE} <= :now",
            values={":now": items.ttl_attribute(now)},
        ),
    )


def _unchanged(shop: Shop) -> Check:
    """The limits, read before the transaction, must still be the same."""
    expression = "#Plan = :plan AND #BillingState = :billing AND "
    values: items.Attributes = {":plan": {"S": shop.plan.value}, ":billing": {"S": shop.billing_state.value}}
    if shop.feature_limits is None:
        expression += "attribute_not_exists(#FeatureLimits)"
    else:
        stored = items.to_attributes(shop.feature_limits)
        expression += "(#FeatureLimits = :limits OR #FeatureLimits = :agreed)"
        values[":limits"] = {"M": stored}
        # Limits that were agreed without a default are read with it.
        values[":agreed"] = {"M": {name: limit for name, limit in stored.items() if limit != _DEFAULTS.get(name)}}
    return Check(key=shop.key().attributes(), condition=Condition(expression=expression, values=values))


def _below(counter: str, allowed: int) -> Condition:
    expression = f"attribute_not_exists(#{counter}) OR #{counter} < :allowed"
    return Condition(expression=expression, values={":allowed": number(allowed)})
