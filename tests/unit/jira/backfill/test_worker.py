"""What the function does with one message: positions, owners, errors, the bound, and stops."""

from typing import Any

import pytest

from lib.jira.backfill.messages import MAX_PARTS, Part, read_part
from lib.jira.backfill.pace import Pace
from lib.jira.backfill.progress import LEASE
from lib.operations.cloud_backfill import STALLED_AFTER, State
from lib.platform import errors
from tests.support.aws.wire import aws_error
from tests.support.faults.world import Killed
from tests.support.jira.backfill import World, by_command, legacy, text
from tests.support.stopwatch import Stopwatch

ROWS = [legacy(number) for number in range(1, 13)]
"""In pages of five rows."""


def outcomes(world: World) -> list[str]:
    return [line["outcome"] for line in world.lines if line["message"] == "backfill_part"]


def test_a_segment_is_stored_then_compared_in_one_invocation() -> None:
    world = World(ROWS)
    world.start()

    assert world.deliver("m-1")

    status = world.cloud.status()
    assert (status.state, status.report.stored, status.verification.rows) == (State.DONE, 12, 12)
    assert (world.messages, outcomes(world)) == ({}, ["done"])
    assert world.stored() == by_command(ROWS)


def test_what_is_left_is_handed_on_by_the_next_message() -> None:
    world = World(ROWS)
    world.start()

    assert world.deliver("m-1", pages=2)

    assert read_part(world.messages["m-2"]) == Part(run_id=world.cloud.status().run.run_id, segment=0, number=2)
    assert world.cloud.status().report.scanned == 10
    world.deliver("m-2")
    assert world.source.scans[2][1] == {"issue_key": {"S": "OPS-10"}, "updated_at": {"S": "2025-01-01T10:00:00Z"}}
    assert world.cloud.status().state is State.DONE


def test_a_killed_workers_segment_continues_at_its_last_page() -> None:
    world = World(ROWS)
    world.start()

    def kill_in_the_third_page(_: str) -> None:
        if len(world.source.scans) == 3:
            raise Killed

    world.on_call = kill_in_the_third_page
    with pytest.raises(Killed):
        world.deliver("m-1")
    world.on_call = lambda _: None

    assert not world.deliver("m-1"), "its lease is not over yet: the message is kept"
    status = world.drain()

    assert (status.report.scanned, status.report.stored + status.report.duplicate) == (12, 12)
    assert world.stored() == by_command(ROWS)


def test_a_message_for_a_segment_that_is_worked_on_is_deleted() -> None:
    world = World(ROWS)
    world.start()

    def deliver_another(_: str) -> None:
        if len(world.source.scans) == 2:
            world.on_call = lambda _: None
            world.cloud.resume()
            assert world.deliver("m-2")

    world.on_call = deliver_another
    world.deliver("m-1")

    assert outcomes(world) == ["held", "done"]
    assert world.cloud.status().report.scanned == 12


def test_a_worker_that_is_slower_than_its_lease_stops_at_its_next_page() -> None:
    world = World(ROWS)
    world.start()

    def lose_the_segment(_: str) -> None:
        if len(world.source.scans) == 2:
            world.on_call = lambda _: None
            world.now += 2 * LEASE
            world.cloud.resume()
            world.deliver("m-2")

    world.on_call = lose_the_segment
    assert world.deliver("m-1")

    assert outcomes(world) == ["done", "held"]
    assert world.cloud.status().report.scanned == 12, "no page is counted twice"


def test_a_stop_is_noticed_and_a_resume_continues() -> None:
    world = World(ROWS)
    world.start()
    world.cloud.stop()

    assert world.deliver("m-1")
    assert (outcomes(world), world.cloud.status().state, world.messages) == (["not_running"], State.STOPPED, {})

    world.cloud.resume(writes_per_second=7)
    assert world.cloud.status().run.writes_per_second == 7
    assert world.drain().state is State.DONE


def test_a_resume_during_the_last_page_of_a_stopped_worker_is_not_lost() -> None:
    """Its message finds the segment taken and is deleted, so the worker itself sends the next one."""
    world = World(ROWS)
    world.start()

    def resume_before_the_release(name: str) -> None:
        if len(world.source.scans) == 1 and name == "put_item":
            world.on_call = lambda _: None
            world.now += LEASE / 4  # so that it looks
            world.cloud.stop()
            world.on_call = resume_when_it_has_looked

    def resume_when_it_has_looked(name: str) -> None:
        if name == "update_item" and stopped_looks:
            world.on_call = lambda _: None
            world.cloud.resume()
            assert world.deliver("m-2")
        if name == "query":
            stopped_looks.append(name)

    stopped_looks: list[str] = []
    world.on_call = resume_before_the_release
    assert world.deliver("m-1")

    assert outcomes(world) == ["held", "continued"]
    assert world.drain().state is State.DONE


def test_a_failing_segment_shows_its_error_and_becomes_a_dead_letter() -> None:
    world = World(ROWS)
    world.start()

    def deny(name: str) -> None:
        if name == "scan":
            raise errors.AccessDeniedError("could not scan the table: AccessDeniedException")

    world.on_call = deny
    assert [world.deliver("m-1") for _ in range(5)] == [False] * 5

    status = world.cloud.status()
    assert (status.state, status.failed) == (State.FAILED, (0,))
    assert status.notes == ("segment 0: could not scan the table: AccessDeniedException",)
    world.on_call = lambda _: None
    world.messages.clear()
    world.cloud.resume()
    assert world.drain().state is State.DONE


def test_a_segment_without_progress_for_too_long_counts_as_failed() -> None:
    world = World(ROWS)
    world.start()
    world.messages.clear()

    assert world.cloud.status().state is State.RUNNING
    world.now += STALLED_AFTER

    assert world.cloud.status().state is State.FAILED


def test_a_row_that_dynamodb_refuses_is_recorded_and_skipped() -> None:
    world = World([*ROWS, text(issue_key="OPS-99", updated_at="never")])
    put = world.issues.put_item

    def refuse(**request: Any) -> Any:
        if request["Item"]["issue_key"] == {"S": "OPS-3"}:
            raise aws_error("ValidationException")
        return put(**request)

    world.issues.put_item = refuse  # type: ignore[method-assign]
    world.start()
    status = world.drain()

    assert (status.state, status.report.skipped, status.verification.behind) == (State.DONE, 2, 1)
    skipped = world.cloud.skipped(status.run.run_id)
    assert sorted(reason.split(" ")[0] for reason in skipped) == ["OPS-3", "OPS-99"]


def test_a_throttled_table_is_tried_again_at_half_the_pace() -> None:
    world = World(ROWS)
    world.start()
    throttled = iter(["put_item"] * 3)

    def throttle(name: str) -> None:
        if name == "put_item" and next(throttled, None):
            raise aws_error("ThrottlingException")

    world.on_call = throttle
    assert world.deliver("m-1")

    assert world.cloud.status().state is State.DONE


def test_a_backfill_that_is_running_is_not_started_again() -> None:
    world = World(ROWS)
    world.start()

    with pytest.raises(errors.InvalidInputError, match="is not finished: follow it, or stop it first"):
        world.start()
    world.drain()
    again = world.start(compare_only=True)

    assert (again.comparing, world.drain().verification.rows) == (True, 12)
    assert world.cloud.status().report.scanned == 0
    with pytest.raises(errors.InvalidInputError, match="is done"):
        world.cloud.resume()


def test_without_a_backfill_there_is_no_status() -> None:
    with pytest.raises(errors.NotFoundError, match="no backfill was started"):
        World(ROWS).cloud.status()


@pytest.mark.parametrize(
    "body",
    ["", "{}", '{"kind":"backfill"}', '{"kind":"backfill","run_id":"r","segment":32,"number":1}']
    + [f'{{"kind":"backfill","run_id":"r","segment":0,"number":{number}}}' for number in (0, MAX_PARTS + 1)],
)
def test_a_message_of_another_form_is_refused(body: str) -> None:
    with pytest.raises(errors.InvalidInputError):
        read_part(body)


@pytest.mark.parametrize(("throttles", "seconds"), [(0, 98 / 10), (1, 98 / 5), (9, 98 * 32 / 10)])
def test_writes_are_bounded_and_slower_after_throttles(throttles: int, seconds: float) -> None:
    time = Stopwatch(0)
    pace = Pace(10, now=time, sleep=time.sleep)
    for _ in range(throttles):
        pace.slow()

    for _ in range(50):
        pace.take(2)

    assert time.seconds == pytest.approx(seconds)
    for _ in range(20):
        pace.recover()
    before = time.seconds
    for _ in range(51):
        pace.take(2)
    assert time.seconds - before <= 102 * 32 / 10 / 4


def test_unused_writes_of_the_last_second_only_may_be_made_up() -> None:
    time = Stopwatch(0)
    pace = Pace(10, now=time, sleep=time.sleep)
    time.seconds = 100.0

    for _ in range(30):
        pace.take(1)

    assert time.seconds == pytest.approx(101.9)


def test_the_message_of_a_worker_killed_after_its_last_page_is_deleted() -> None:
    world = World(ROWS)
    world.start()
    body = world.messages["m-1"]
    world.deliver("m-1")
    world.messages["m-1"] = body

    assert world.deliver("m-1")
