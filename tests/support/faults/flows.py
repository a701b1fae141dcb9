"""Every flow to break, by its name in docs/reference/faults.md, and the faults to inject."""

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults import approvals_flows as approvals
from tests.support.faults import jira_flows as jira
from tests.support.faults import shuttle_flows as shuttle
from tests.support.faults.proxy import Fault
from tests.support.faults.runs import Run, break_all, calls_of, complaints_of
from tests.support.faults.world import World
from tests.support.project.examples import THOROUGH

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "faults.md"

Begin = Callable[[World], Run]
Way = tuple[Fault, bool]
"""A fault, and whether it lasts."""

MAIN: dict[str, Begin] = {
    "lease event": jira.LeaseEvent,
    "Jira webhook": jira.Webhook,
    "Jira webhook, comment": jira.Comment,
    "Shuttle order": shuttle.NewJob,
    "Shuttle import": shuttle.Import,
}
"""A flow of each kind of sender, and calls of each protocol: by event, over HTTP, by queue. Broken in every way."""

OTHERS: dict[str, Begin] = {
    "posted lease event": jira.PostedEvent,
    "Jira webhook, deletion": jira.Deletion,
    "Jira webhook, move": jira.Move,
    "Jira webhook, large issue": jira.LargeDelivery,
    "commits webhook": jira.Push,
    "Jira worker, batch": jira.Batch,
    "reconciliation, full": jira.Sweep,
    "reconciliation, changes": jira.CatchUp,
    "draft": approvals.Draft,
    "approval click": approvals.Click,
    "rejection click": approvals.Reject,
    "approval worker, preview": approvals.Preview,
    "approval worker, long preview": approvals.LongPreview,
    "approval worker, issue": approvals.Creation,
    "Shuttle order, large file": shuttle.NewUpload,
    "Shuttle upload": shuttle.CompletedUpload,
    "Shuttle sweep": shuttle.StuckJob,
    "Shuttle export order": shuttle.ExportOrder,
    "Shuttle rollback": shuttle.Rollback,
    "Shuttle sweep, event": shuttle.LeftEvent,
}
"""They take the same paths with other calls. Each call is broken in one way of each kind that a function can distinguish."""

FLOWS = MAIN | OTHERS

EVERY_WAY = [(fault, False) for fault in Fault] + [(fault, True) for fault in (Fault.ERROR, Fault.HALF, Fault.THROTTLE)]
"""Each fault, for once; and for as long as the platform tries again, and a while longer."""
ONE_OF_EACH_KIND = [(Fault.RESET_AFTER, False), (Fault.THROTTLE, False), (Fault.KILL_AFTER, False), (Fault.ERROR, True)]
"""An effect without an answer; one more try; a death; and an outage, whose first call has neither effect nor answer."""
AT_EACH_CALL = EVERY_WAY if THOROUGH else [*ONE_OF_EACH_KIND, (Fault.ERROR, False)]
"""What breaks each call of a flow of ``MAIN``."""
AT_NEW_KINDS = [way for way in EVERY_WAY if way not in AT_EACH_CALL]
"""What breaks the first call of each kind of which no flow before it makes one. These leave the state that one of the others
leaves, here or at the call before: how a call without an answer fails, and how long its caller waits, is its client's doing.
"""
AT_NEW_KINDS_OF_OTHERS = [(Fault.HANG, False), (Fault.HALF, False), (Fault.THROTTLE, True)]
"""The same, for ``OTHER_CALLERS``."""
OTHER_CALLERS = (
    "reconciliation, full",
    "approval worker, preview",
    "approval worker, issue",
    "commits webhook",
    "Shuttle order, large file",
    "Shuttle upload",
)
"""Flows of ``OTHERS`` that together make every kind of call which those of ``MAIN`` do not make."""


def cases(flows: Iterable[str], ways: Sequence[Way]) -> list[Any]:
    """Parameters of a test: each flow with each way to break it."""
    return [
        pytest.param(
            flow,
            fault,
            lasting,
            id=f"{flow}: a call {fault}{', and stays so' if lasting else ''}",
            marks=pytest.mark.xdist_group(f"faults: {flow}"),
        )
        for flow in flows
        for fault, lasting in ways
    ]


def new_kinds(flow: str) -> set[str]:
    """The calls that ``flow`` makes and no flow before it, of ``MAIN`` and ``OTHER_CALLERS``."""
    order = [*MAIN, *OTHER_CALLERS]
    known = {call for each, call in documented() if each in order[: order.index(flow)]}
    return {call for each, call in documented() if each == flow} - known


def assert_holds(world: World, flow: str, fault: Fault, lasting: bool, *, kinds: set[str] | None = None) -> None:
    """The flow holds whatever call is broken so, and docs/reference/faults.md says what the first try comes to.

    With ``kinds``, just the first call of each of these kinds is broken.
    """
    outcomes = break_all(world, FLOWS[flow], fault, lasting=lasting, kinds=kinds)

    complaints = complaints_of(outcomes)
    assert not complaints, "\n".join(complaints)
    answers = {(flow, outcome.call, outcome.answer) for outcome in outcomes}
    says = documented()
    assert {each for each in answers if each[2] not in says.get(each[:2], set())} == set(), (
        "docs/reference/faults.md says otherwise"
    )


def assert_page_names_calls(world: World, flow: str) -> None:
    """docs/reference/faults.md names the calls that the flow makes, and no others."""
    assert {call for name, call in documented() if name == flow} == set(calls_of(world, FLOWS[flow]))


@functools.cache
def documented() -> dict[tuple[str, str], set[str]]:
    """What docs/reference/faults.md says that a fault of a call leads to at first, by flow and call."""
    found: dict[tuple[str, str], set[str]] = {}
    flow = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("### "):
            flow = line.removeprefix("### ")
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 2:
            found[flow, cells[0].strip("`")] = {"killed"} | {answer.strip() for answer in cells[1].split(";")}
    return found
