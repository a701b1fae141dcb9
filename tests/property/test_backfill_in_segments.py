"""Whatever happens to messages and workers, a backfill in segments ends in the table of one undisturbed run."""

import dataclasses
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lib.operations.cloud_backfill import State
from tests.support.faults.world import Killed
from tests.support.jira.backfill import REDELIVERY, World, by_command, legacy, text

ROWS = [
    *(legacy(number, f"2025-01-0{day}T10:00:00Z") for number in range(1, 8) for day in (1, 2)),
    legacy(8, fix_versions={"L": [{"S": "1"}, {"S": "2"}]}),
    {**text(issue_key="OPS-9", updated_at="2025-01-01T10:00:00"), "status": {"S": "no offset"}},
]
WANTED = by_command(ROWS)


@dataclasses.dataclass(frozen=True)
class Event:
    """What happens next: a delivery of one of the messages, or what a person does."""

    what: str
    message: int
    pages: int
    at_call: int
    minutes: int


EVENTS = st.builds(
    Event,
    st.sampled_from(["deliver", "deliver", "kill", "kill", "at the same time", "again", "stop", "resume"]),
    message=st.integers(0, 9),
    pages=st.integers(1, 4),
    at_call=st.integers(1, 40),
    minutes=st.sampled_from([0, 0, 2, 16]),
)


class Disturbed:
    """A world in which events happen."""

    def __init__(self, segments: int) -> None:
        self.world = World(ROWS, segments)
        self.world.start()
        self.sent: dict[str, str] = dict(self.world.messages)

    def happen(self, event: Event) -> None:
        world = self.world
        world.now += REDELIVERY / 16 * event.minutes
        self.sent |= world.messages
        match event.what:
            case "stop":
                world.cloud.stop()
            case "resume" if world.cloud.status().state is not State.DONE:
                world.cloud.resume()
            case "again":  # SQS delivers a message that was deleted
                identifier = sorted(self.sent)[event.message % len(self.sent)]
                world.messages.setdefault(identifier, self.sent[identifier])
                world.deliver(identifier, pages=event.pages)
            case "deliver" | "kill" | "at the same time" if world.messages:
                self._deliver(event)

    def _deliver(self, event: Event) -> None:
        world, calls = self.world, iter(range(1, 10_000))
        names = sorted(world.messages)

        def on_call(_: str) -> None:
            if next(calls) != event.at_call:
                return
            world.on_call = lambda _: None
            if event.what == "kill":
                raise Killed
            if event.what == "at the same time":
                world.now += REDELIVERY / 16 * event.minutes
                other = names[(event.message + event.pages) % len(names)]
                if other in world.messages:
                    world.deliver(other, pages=event.pages)

        world.on_call = on_call if event.what != "deliver" else lambda _: None
        try:
            world.deliver(names[event.message % len(names)], pages=event.pages)
        except Killed:
            pass
        finally:
            world.on_call = lambda _: None


@settings(max_examples=40, deadline=None)
@given(segments=st.integers(1, 3), events=st.lists(EVENTS, max_size=25))
def test_any_duplicates_kills_and_stops_end_in_the_same_table(segments: int, events: list[Any]) -> None:
    disturbed = Disturbed(segments)
    for event in events:
        disturbed.happen(event)
    world = disturbed.world
    if world.cloud.status().state in (State.STOPPING, State.STOPPED):
        world.cloud.resume()

    status = world.drain()

    assert status.state is State.DONE, "no segment was left without a message"
    assert world.stored() == WANTED
    report = status.report
    assert (report.scanned, report.skipped, status.verification.rows) == (len(ROWS), 1, len(ROWS) - 1)
    assert report.stored + report.superseded + report.duplicate == len(ROWS) - 1, "each row is counted once"
    assert status.verification.behind == 0
    assert len(world.cloud.skipped(status.run.run_id)) == 1
