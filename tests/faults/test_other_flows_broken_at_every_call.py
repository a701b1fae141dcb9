"""The flows that resemble those of test_every_flow_broken_at_every_call.py but make other calls. Each call is broken
in one way of each kind that a function can distinguish. Some make calls of kinds that no flow before them makes: the first of
each such kind is broken in three more ways.

This is a separate file so that another process can run it at the same time.
"""

import pytest

from tests.support.faults.flows import (
    AT_NEW_KINDS_OF_OTHERS,
    MAIN,
    ONE_OF_EACH_KIND,
    OTHER_CALLERS,
    OTHERS,
    assert_holds,
    assert_page_names_calls,
    cases,
    documented,
    new_kinds,
)
from tests.support.faults.proxy import Fault
from tests.support.faults.world import World


@pytest.mark.parametrize(("flow", "fault", "lasting"), cases(OTHERS, ONE_OF_EACH_KIND))
def test_a_flow_holds_whatever_call_is_broken(world: World, flow: str, fault: Fault, lasting: bool) -> None:
    assert_holds(world, flow, fault, lasting)


@pytest.mark.parametrize(("flow", "fault", "lasting"), cases(OTHER_CALLERS, AT_NEW_KINDS_OF_OTHERS))
def test_a_flow_holds_whatever_kind_of_call_is_broken(world: World, flow: str, fault: Fault, lasting: bool) -> None:
    assert_holds(world, flow, fault, lasting, kinds=new_kinds(flow))


@pytest.mark.parametrize("flow", OTHERS)
def test_the_page_names_the_calls_that_a_flow_makes_and_no_others(world: World, flow: str) -> None:
    assert_page_names_calls(world, flow)


def test_every_kind_of_call_is_broken_in_every_way() -> None:
    assert {call for flow, call in documented() if flow in {*MAIN, *OTHER_CALLERS}} == {call for _, call in documented()}
