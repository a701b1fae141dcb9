"""Each check of the soak passes on a history without a fault, and fails on one that violates it or that is empty."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.bench.soak import checks, machine_checks
from tests.bench.soak.checks import Check
from tests.bench.soak.history import CLICK, COMMENT, DRAFT, FORGED, PUSH, PUT, WEBHOOK, Attempt, Sent
from tests.bench.soak.machine_checks import Growth, Raised
from tests.bench.soak.operator import Command
from tests.bench.soak.plan import Fault
from tests.bench.soak.shops import JobResult

AT = "2026-03-01T12:00:00.000000Z"
STATE = ("10007", "Done", None, ("1.0",))
STORED = f'{{"issue_key": "OPS-7", "updated_at": "{AT}"}}'


def sent(kind: str, name: str = "it", *statuses: int, at: float = 10, text: str = STORED, **facts: Any) -> Sent:
    """A request that got these answers, 202 by default."""
    return Sent(kind, name, facts, [Attempt(at, 0.1, status, text) for status in statuses or (202,)])


def same(key: str) -> set[str]:
    return {key}


WEBHOOK_SENT = sent(WEBHOOK, keys=["OPS-7"], event_at=5)
PUSHED = sent(PUSH, sha="a1", keys=["OPS-7"])
EVENT = sent(PUT, id="e1")
APPROVED = [sent(CLICK, session="s", action="approve_draft")]
SHOWN = sent(DRAFT, "Draft 1", session="s", shown=True)
FORGED_SENT = sent(FORGED, "forged", 401, path="/events", key="OPS-9", sha="b2")
NOBODY: dict[str, Counter[str]] = {"sns": Counter()}
ONCE, TWICE = ({"sns": Counter({"e1": count})} for count in (1, 2))
SNS_DOWN = Fault(name="SNS is down", start=10, end=20, raises=frozenset({"sns-failed"}), may_raise=frozenset({"depth"}))
FLAT = [(float(at), 50.0 + at % 3) for at in range(0, 3600, 30)]
LEAK = [(float(at), 50.0 + at / 360) for at in range(0, 3600, 30)]

Make = Callable[[], Check]

PASS: dict[str, Make] = {
    "version": lambda: checks.versions_kept([WEBHOOK_SENT], {("OPS-7", AT): 5}),
    "version of a newer event": lambda: checks.versions_kept([WEBHOOK_SENT], {("OPS-7", AT): 6}),
    "issue": lambda: checks.issues_match("n", {"OPS-7": STATE}, {"OPS-7": STATE}),
    "deleted issue": lambda: checks.issues_match("n", {"OPS-7": None}, {"OPS-7": None}),
    "list": lambda: checks.lists_match({"OPS-7": STATE, "OPS-8": None}, {"OPS": {"OPS-7"}}),
    "commit": lambda: checks.commits_linked([PUSHED], {("OPS-7", "a1")}, same),
    "commit of a moved issue": lambda: checks.commits_linked([PUSHED], {("WEB-1", "a1")}, lambda key: {key, "WEB-1"}),
    "comment": lambda: checks.fetched([sent(COMMENT, keys=["OPS-7", "OPS-8"])], {"OPS-7"}, {"OPS-7"}, same),
    "event": lambda: checks.notified_once([EVENT], ONCE, []),
    "event sent twice after a kill": lambda: checks.notified_once([EVENT], TWICE, [11.0]),
    "approved draft": lambda: checks.drafts_created_once([SHOWN], APPROVED, {"s": "approved"}, {"Draft 1": 1}),
    "undecided draft": lambda: checks.drafts_created_once([SHOWN], [], {}, {}),
    "catalogue": lambda: checks.catalogues_equal({"shop": {"S1": ("1.50", "2")}}, {"shop": {"S1": ("1.50", "2")}}),
    "job": lambda: checks.jobs_as_expected([JobResult("job", {"added": 1}, {"added": 1})]),
    "answers": lambda: checks.senders_know([sent(PUSH, "p", 503, 202)]),
    "patient sender": lambda: checks.nothing_given_up([sent(PUSH, "p", 503, 202)]),
    "forged": lambda: checks.forged_refused([FORGED_SENT], set()),
    "dead letters": lambda: checks.dead_letters_planned({"q": ["poison 1"]}, 1, "poison"),
    "command": lambda: checks.commands_succeeded([Command(1, "reconcile", 0, "")], lambda _: False),
    "memory": lambda: machine_checks.memory_flat([found for found in [machine_checks.growth("f", FLAT)] if found]),
    "queue": lambda: machine_checks.queues_drained({"q": [(90, 19), (95, 1)]}, 100, {}),
    "alarm raised": lambda: machine_checks.alarms_fired([SNS_DOWN], [Raised("sns-failed", 12, 300)]),
    "alarm still on from before": lambda: machine_checks.alarms_fired([SNS_DOWN], [Raised("sns-failed", 2, 11)]),
    "alarm explained": lambda: machine_checks.alarms_explained([SNS_DOWN], [Raised("depth", 30, None)], []),
    "slow machine": lambda: machine_checks.alarms_explained([], [Raised("approvals-slow", 30, None)], [(20, 4.0)]),
    "stalled machine": lambda: machine_checks.alarms_explained([], [Raised("depth", 30, None)], [], [20.0]),
    "alarm over": lambda: machine_checks.alarms_over([Raised("depth", 1, 9)], {"depth": "OK"}),
    "failures alarmed": lambda: machine_checks.failures_alarmed({"a-errors": 2, "b": 0}, [Raised("a-errors", 1, 2)]),
    "process": lambda: machine_checks.processes_replaced([("webhooks", 7)], {("webhooks", 8)}),
    "grants": lambda: machine_checks.calls_granted({"grants": [{"uses": 3}], "refusals": []}),
}

FAIL: dict[str, Make] = {
    "no version": lambda: checks.versions_kept([WEBHOOK_SENT], {}),
    "version of an older event": lambda: checks.versions_kept([WEBHOOK_SENT], {("OPS-7", AT): 4}),
    "answer about another issue": lambda: checks.versions_kept([sent(WEBHOOK, keys=["OPS-8"], event_at=5)], {}),
    "issue in another state": lambda: checks.issues_match("n", {"OPS-7": STATE}, {"OPS-7": ("10007", "To Do", None, ())}),
    "issue not stored": lambda: checks.issues_match("n", {"OPS-7": STATE}, {}),
    "deletion not stored": lambda: checks.issues_match("n", {"OPS-7": None}, {"OPS-7": STATE}),
    "list lacks an issue": lambda: checks.lists_match({"OPS-7": STATE}, {"OPS": set()}),
    "list has a deleted issue": lambda: checks.lists_match({"OPS-7": None}, {"OPS": {"OPS-7"}}),
    "commit not linked": lambda: checks.commits_linked([PUSHED], {("OPS-7", "c3")}, same),
    "comment without an effect": lambda: checks.fetched([sent(COMMENT, keys=["OPS-7"])], {"OPS-7"}, set(), same),
    "event not sent": lambda: checks.notified_once([EVENT], NOBODY, []),
    "event sent twice": lambda: checks.notified_once([EVENT], TWICE, [900.0]),
    "event sent on one of two channels": lambda: checks.notified_once([EVENT], ONCE | {"slack": Counter()}, []),
    "two issues": lambda: checks.drafts_created_once([SHOWN], APPROVED, {"s": "approved"}, {"Draft 1": 2}),
    "no issue": lambda: checks.drafts_created_once([SHOWN], APPROVED, {"s": "approved"}, {}),
    "issue without approval": lambda: checks.drafts_created_once([SHOWN], [], {}, {"Draft 1": 1}),
    "decision of nobody": lambda: checks.drafts_created_once([SHOWN], APPROVED, {"s": "rejected"}, {}),
    "forgotten click": lambda: checks.drafts_created_once([SHOWN], APPROVED, {}, {}),
    "draft never shown": lambda: checks.drafts_created_once([sent(DRAFT, session="s")], [], {}, {}),
    "catalogue with another price": lambda: checks.catalogues_equal({"shop": {"S1": ("1", "2")}}, {"shop": {"S1": ("3", "2")}}),
    "catalogue with a row too many": lambda: checks.catalogues_equal({"shop": {}}, {"shop": {"S1": ("3", "2")}}),
    "no export of a catalogue": lambda: checks.catalogues_equal({"shop": {"S1": ("1", "2")}}, {}),
    "job with other counts": lambda: checks.jobs_as_expected([JobResult("job", {"added": 1}, {"added": 2})]),
    "sender without an answer": lambda: checks.senders_know([sent(PUSH, "p", 0, 202)]),
    "never sent": lambda: checks.senders_know([Sent(PUSH, "p")]),
    "conflict": lambda: checks.senders_know([sent(PUSH, "p", 409)]),
    "given up": lambda: checks.nothing_given_up([sent(PUSH, "p", 503, 503)]),
    "forged and accepted": lambda: checks.forged_refused([sent(FORGED, "f", 202, path="/", key="k", sha="s")], set()),
    "forged and stored": lambda: checks.forged_refused([FORGED_SENT], {"OPS-9"}),
    "another dead letter": lambda: checks.dead_letters_planned({"q": ["poison 1", "an event"]}, 1, "poison"),
    "poison is gone": lambda: checks.dead_letters_planned({}, 1, "poison"),
    "failed command": lambda: checks.commands_succeeded([Command(1, "reconcile", 1, "refused")], lambda _: False),
    "leak": lambda: machine_checks.memory_flat([found for found in [machine_checks.growth("f", LEAK)] if found]),
    "growing queue": lambda: machine_checks.queues_drained({"q": [(10, 0), (90, 19), (95, 22)]}, 100, {}),
    "queue that is not empty": lambda: machine_checks.queues_drained({"q": [(90, 0)]}, 100, {"q": 1}),
    "queue not looked at": lambda: machine_checks.queues_drained({"q": [(10, 0)]}, 100, {}),
    "alarm not raised": lambda: machine_checks.alarms_fired([SNS_DOWN], [Raised("sns-failed", 2, 9)]),
    "alarm without a cause": lambda: machine_checks.alarms_explained([SNS_DOWN], [Raised("depth", 5, None)], []),
    "another alarm": lambda: machine_checks.alarms_explained([SNS_DOWN], [Raised("lost", 15, None)], [(10, 9.0)]),
    "slowness on an idle machine": lambda: machine_checks.alarms_explained(
        [], [Raised("approvals-slow", 30, None)], [(20, 0.5)]
    ),
    "stall long before": lambda: machine_checks.alarms_explained([], [Raised("depth", 300, None)], [], [20.0]),
    "alarm that stays": lambda: machine_checks.alarms_over([Raised("depth", 1, None)], {"depth": "ALARM"}),
    "failures without an alarm": lambda: machine_checks.failures_alarmed({"a-errors": 2}, []),
    "killed for good": lambda: machine_checks.processes_replaced([("webhooks", 7)], {("imports", 8)}),
    "the same process": lambda: machine_checks.processes_replaced([("webhooks", 7)], {("webhooks", 7)}),
    "call without a grant": lambda: machine_checks.calls_granted({"grants": [{"uses": 3}], "refusals": [{"action": "s3:*"}]}),
}

EMPTY: dict[str, Make] = {
    "versions": lambda: checks.versions_kept([], {}),
    "events that were not accepted": lambda: checks.notified_once([sent(PUT, "e", 503)], ONCE, []),
    "memory": lambda: machine_checks.memory_flat([]),
    "alarms": lambda: machine_checks.alarms_explained([SNS_DOWN], [], []),
    "grants": lambda: machine_checks.calls_granted({"grants": [], "refusals": []}),
}


@pytest.mark.parametrize("name", PASS)
def test_a_history_without_a_violation_passes(name: str) -> None:
    assert PASS[name]().passed, PASS[name]().problems


@pytest.mark.parametrize("name", FAIL)
def test_a_violation_fails_with_a_sentence_about_it(name: str) -> None:
    found = FAIL[name]()

    assert not found.passed
    assert len(found.problems) == 1


@pytest.mark.parametrize("name", EMPTY)
def test_a_check_that_looked_at_nothing_fails(name: str) -> None:
    assert not EMPTY[name]().passed


def test_one_outlier_is_not_growth_and_a_short_life_says_nothing() -> None:
    outlier = [*FLAT[:-1], (3600.0, 500.0)]
    found = machine_checks.growth("f", outlier)

    assert isinstance(found, Growth)
    assert found.is_flat
    assert machine_checks.growth("f", FLAT[:10]) is None


def test_alarms_are_on_from_their_first_change_to_the_next() -> None:
    changes = [(1, "a", "OK"), (2, "a", "ALARM"), (3, "b", "ALARM"), (5, "a", "OK")]

    assert machine_checks.raised(changes) == [Raised("a", 2, 5), Raised("b", 3, None)]
