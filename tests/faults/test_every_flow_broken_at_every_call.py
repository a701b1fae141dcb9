"""A flow of each kind, broken at every call it makes, in every way a call can break: nothing that was acknowledged is lost,
nothing is lost, deleted wrongly or done twice, and the next try after the connection recovers ends where it should.

Given a flow's calls, recorded once; when one of them hangs, is cut, refused, throttled, half answered or finds its process
killed, and whoever sent it tries again as they would; then what each flow says in ``never``, ``kept`` and ``ended`` holds, and
the first try ends as docs/reference/faults.md says. The other flows are in test_other_flows_broken_at_every_call.py.
"""

import pytest

from tests.support.faults.flows import (
    AT_EACH_CALL,
    AT_NEW_KINDS,
    MAIN,
    assert_holds,
    assert_page_names_calls,
    cases,
    new_kinds,
)
from tests.support.faults.proxy import Fault
from tests.support.faults.runs import break_all, calls_of, complaints_of
from tests.support.faults.shuttle_flows import DeepCheck
from tests.support.faults.world import World
from tests.support.project.examples import THOROUGH


@pytest.mark.parametrize(("flow", "fault", "lasting"), cases(MAIN, AT_EACH_CALL))
def test_a_flow_holds_whatever_call_is_broken(world: World, flow: str, fault: Fault, lasting: bool) -> None:
    assert_holds(world, flow, fault, lasting)


@pytest.mark.parametrize(("flow", "fault", "lasting"), cases(filter(new_kinds, MAIN), AT_NEW_KINDS))
def test_a_flow_holds_whatever_kind_of_call_is_broken(world: World, flow: str, fault: Fault, lasting: bool) -> None:
    assert_holds(world, flow, fault, lasting, kinds=new_kinds(flow))


@pytest.mark.parametrize("flow", MAIN)
def test_the_page_names_the_calls_that_a_flow_makes_and_no_others(world: World, flow: str) -> None:
    assert_page_names_calls(world, flow)


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.ERROR, Fault.THROTTLE, Fault.HALF])
def test_the_deep_health_check_reports_a_broken_call_and_cleans_up(world: World, fault: Fault) -> None:
    each_call = fault is Fault.RESET_AFTER or THOROUGH  # otherwise the first of each kind

    outcomes = break_all(world, DeepCheck, fault, lasting=False, kinds=None if each_call else set(calls_of(world, DeepCheck)))

    assert complaints_of(outcomes) == []
    assert {outcome.answer for outcome in outcomes} <= {"ok", "1 check failed"}
