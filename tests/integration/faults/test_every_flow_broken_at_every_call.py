"""Every flow, broken at every call it makes, in every way a call can break: nothing that was acknowledged is lost, nothing is
told to nobody, deleted wrongly or done twice, and when the line is mended the next try ends where it should.

Given a flow's calls, recorded once; when one of them hangs, is cut, refused, throttled, half answered or finds its process
killed, and whoever sent it tries again as they would; then what each flow says in ``never``, ``kept`` and ``ended`` holds, and
what came of the first try is what docs/faults.md says.
"""

import pytest

from tests.support.fault_flows import CASES, FLOWS, documented
from tests.support.fault_flows_shuttle import DeepCheck
from tests.support.fault_proxy import Fault
from tests.support.fault_runs import break_all, calls_of, complaints_of
from tests.support.fault_world import World


@pytest.mark.parametrize(
    ("flow", "fault", "lasting"),
    [pytest.param(*case, id=f"{case[0]}: a call {case[1]}{', and stays so' if case[2] else ''}") for case in CASES],
)
def test_a_flow_holds_whatever_call_is_broken(world: World, flow: str, fault: Fault, lasting: bool) -> None:
    outcomes = break_all(world, FLOWS[flow], fault, lasting=lasting)

    assert complaints_of(outcomes) == []
    told = {(flow, outcome.call, outcome.told) for outcome in outcomes}
    says = documented()
    assert {each for each in told if each[2] not in says.get(each[:2], set())} == set(), "docs/faults.md says otherwise"


@pytest.mark.parametrize("flow", FLOWS)
def test_the_page_names_the_calls_that_a_flow_makes_and_no_others(world: World, flow: str) -> None:
    assert {call for name, call in documented() if name == flow} == set(calls_of(world, FLOWS[flow]))


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.ERROR, Fault.THROTTLE, Fault.HALF])
def test_the_deep_health_check_tells_of_a_broken_call_and_leaves_nothing_behind(world: World, fault: Fault) -> None:
    outcomes = break_all(world, DeepCheck, fault, lasting=False)

    assert complaints_of(outcomes) == []
    assert {outcome.told for outcome in outcomes} <= {"ok", "1 check failed"}
