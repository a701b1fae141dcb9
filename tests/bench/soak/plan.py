"""Which faults there are, when, and which alarms each must and may raise. Pure: a seed gives the same plan."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

FIRST, LAST = 0.08, 0.85
"""The share of the time in which faults begin and end: before it memory settles, and after it the load goes on without any."""
POISON_AT = 0.9
SUSTAINED_SECONDS = 30.0
LONG_MINUTES = 40
"""From so many minutes on, there are the faults after which a job is leased, and refusals last long enough for their alarm."""
_ROUND_SECONDS = 75.0
"""The least time per fault for a second round of all of them."""
REFUSALS_SECONDS = 1_080.0
"""The alarm wants more than 20 refusals in each of three periods of 5 minutes."""
SHORT_GRACE, LONG_GRACE = 180.0, 3_600.0

AwsFaults = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        name: what it is, in words.
        start: seconds since the start.
        end: likewise.
        aws: faults of the AWS API.
        jira: faults of the Jira stand-in.
        slack: faults of the Slack stand-in.
        kill: the function whose processes are killed.
        provoke: what is sent because of it, so that its alarms do not depend on chance.
        raises: the alarms that must be raised.
        sustained: those that must be raised if it lasts SUSTAINED_SECONDS: a check is tried again for a while.
        may_raise: the alarms that it explains.
        grace: how many seconds after the end it explains an alarm: retries fail later.
    """

    name: str
    start: float = 0.0
    end: float = 0.0
    aws: AwsFaults = ()
    jira: AwsFaults = ()
    slack: AwsFaults = ()
    kill: str = ""
    provoke: Sequence[str] = ()
    raises: frozenset[str] = frozenset()
    sustained: frozenset[str] = frozenset()
    may_raise: frozenset[str] = frozenset()
    grace: float = SHORT_GRACE

    def explains(self, alarm: str, at: float) -> bool:
        """Whether it is a cause of an alarm that was raised at a time."""
        return alarm in self.raises | self.sustained | self.may_raise and self.start <= at <= self.end + self.grace


@dataclass(frozen=True, slots=True)
class Plan:
    """A seeded plan. ``faults`` are in the order of their start."""

    seed: int
    seconds: float
    faults: tuple[Fault, ...] = field(default_factory=tuple)


def _throttle(service: str, function: str, operation: str = "", error: str = "ThrottlingException") -> dict[str, Any]:
    return {"service": service, "error": error, "function": function, "operation": operation}


_DYNAMODB = "ProvisionedThroughputExceededException"
_EVERY_CALL = 1_000_000
_HTTP = "http-server-errors"
_WORKER = frozenset(
    {
        "jira_worker-errors",
        "jira-work-dead-letters-depth",
        "approval-work-dead-letters-depth",
        "issue-creation-failed",
    }
)
_RECONCILIATION = frozenset(
    f"{project}-reconciliation-{what}" for project in ("OPS", "WEB", "PROJ") for what in ("refused", "failed")
) | {"reconciliation-errors", "reconciliation-failures-depth", "reconciliation-correlation-not-queued"}
_NOTIFICATION = frozenset({"notification-errors", "notification-failures-depth"})
_ENRICHMENT = frozenset({"enrichment-circuit-open", "enrichment-latency"})
_DEEP = "health"
_JIRA_FAILS = _WORKER | _RECONCILIATION | {"health-jira"}


def _jira(**fault: Any) -> list[dict[str, Any]]:
    return [{"path": "/rest/*", "times": _EVERY_CALL, **fault}]


KINDS: tuple[Fault, ...] = (
    Fault(
        name="DynamoDB throttles webhooks",
        aws=[_throttle("dynamodb", "webhooks", error=_DYNAMODB)],
        provoke=["webhook"] * 3,
        raises=frozenset({_HTTP}),
    ),
    Fault(
        name="DynamoDB throttles notification",
        aws=[_throttle("dynamodb", "notification", error=_DYNAMODB)],
        provoke=["put"] * 6,
        raises=frozenset({"enrichment-circuit-open"}),
        may_raise=_NOTIFICATION | _ENRICHMENT | {_HTTP},
    ),
    Fault(
        name="DynamoDB throttles jira_worker",
        aws=[_throttle("dynamodb", "jira_worker", error=_DYNAMODB)],
        provoke=["webhook", "comment"],
        may_raise=_WORKER,
    ),
    Fault(
        name="DynamoDB throttles shuttle",
        aws=[_throttle("dynamodb", "shuttle", error=_DYNAMODB)],
        may_raise=frozenset({_HTTP}),
    ),
    Fault(
        name="SNS throttles notification",
        aws=[_throttle("sns", "notification")],
        provoke=["put"] * 3,
        raises=frozenset({"sns-notifications-failed", *_NOTIFICATION}),
        may_raise=frozenset({_HTTP}),
        grace=LONG_GRACE,  # its dead letters are sent back later
    ),
    Fault(
        name="SQS throttles webhooks and approvals",
        aws=[_throttle("sqs", name, "SendMessage") for name in ("webhooks", "approvals")],
        provoke=["webhook"] * 3,
        raises=frozenset({"webhooks-correlation-not-queued"}),
        may_raise=frozenset({_HTTP}),
    ),
    Fault(
        name="Jira is down",
        jira=_jira(status=503),
        provoke=[_DEEP, "comment", "comment"],
        sustained=frozenset({"health-jira"}),
        may_raise=_JIRA_FAILS,
        grace=LONG_GRACE,
    ),
    Fault(name="Jira answers 429", jira=_jira(error="rate_limited"), provoke=["comment"], may_raise=_JIRA_FAILS, grace=600.0),
    Fault(name="Jira is slow", jira=_jira(hang=3), provoke=["comment"], may_raise=_JIRA_FAILS),
    Fault(
        name="Slack is down",
        slack=[{"path": "/api/*", "times": _EVERY_CALL, "status": 503}],
        provoke=["put"] * 3,
        raises=frozenset({"slack-notifications-failed", *_NOTIFICATION}),
        may_raise=frozenset({_HTTP, "approval-work-dead-letters-depth", "jira_worker-errors"}),
        grace=LONG_GRACE,
    ),
    *(
        Fault(
            name=f"kill -9 {function}",
            kill=function,
            provoke=provoke,
            may_raise=frozenset({f"{function}-errors"}) | more,
            grace=grace,
        )
        for function, provoke, more, grace in (
            ("notification", ["put", "posted"], frozenset({_HTTP, "notification-failures-depth"}), SHORT_GRACE),
            ("webhooks", ["webhook", "push"], frozenset({_HTTP}), SHORT_GRACE),
            ("approvals", ["draft"], frozenset({_HTTP, "approvals-slow"}), SHORT_GRACE),
            ("jira_worker", ["comment", "webhook"], _WORKER, LONG_GRACE),
            ("shuttle", [], frozenset({_HTTP}), SHORT_GRACE),
            ("reconciliation", ["reconcile"], _RECONCILIATION, SHORT_GRACE),
        )
    ),
)

_IMPORTS = frozenset({"imports-errors", "shuttle-jobs-dead-letters-depth", "shuttle-jobs-age"})
LEASED: tuple[Fault, ...] = (
    Fault(name="kill -9 imports", kill="imports", may_raise=_IMPORTS, grace=LONG_GRACE),
    Fault(
        name="DynamoDB throttles imports",
        aws=[_throttle("dynamodb", "imports", error=_DYNAMODB)],
        may_raise=_IMPORTS,
        grace=LONG_GRACE,
    ),
)
"""After these, a job waits until the lease of its worker ends, 17 minutes later: they come early, in a long run."""
POISON = Fault(
    name="poison messages",
    provoke=["poison"],
    raises=frozenset({"notification-failures-depth", "shuttle-jobs-dead-letters-depth"}),
    may_raise=frozenset({"notification-errors", "imports-errors"}),
    grace=LONG_GRACE,
)
REFUSALS = Fault(name="wrong signatures", provoke=[], may_raise=frozenset({"http-refusals"}), grace=600.0)


def make_plan(seed: int, minutes: float) -> Plan:
    """The faults of a run of so many minutes. Those of services and processes do not overlap."""
    seconds = minutes * 60
    chance = random.Random(seed)
    is_long = minutes >= LONG_MINUTES
    first, last = FIRST * seconds, LAST * seconds
    rounds = max(1, int((last - first) // (len(KINDS) * _ROUND_SECONDS)))
    kinds: list[Fault] = []
    for _ in range(rounds):
        kinds += chance.sample(KINDS, len(KINDS))
    if is_long:
        kinds[2:2] = LEASED
    slot = (last - first) / len(kinds)
    lasts = max(min(8.0, slot), 0.4 * slot)
    faults = [
        replace(
            kind,
            start=first + number * slot,
            end=first + number * slot + lasts,
            raises=kind.raises | (kind.sustained if lasts >= SUSTAINED_SECONDS else frozenset()),
        )
        for number, kind in enumerate(kinds)
    ]
    length = REFUSALS_SECONDS if is_long else 0.3 * seconds
    begin = 0.4 * seconds
    refusals = replace(REFUSALS, raises=frozenset({"http-refusals"})) if is_long else REFUSALS
    faults.append(replace(refusals, start=begin, end=begin + length))
    faults.append(replace(POISON, start=POISON_AT * seconds, end=POISON_AT * seconds))
    return Plan(seed, seconds, tuple(sorted(faults, key=lambda fault: fault.start)))
