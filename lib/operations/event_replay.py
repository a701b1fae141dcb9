"""Decides how an operator can repeat an event, if at all. Pure.

A repeat sends nothing twice: claims keep an event from being sent again (docs/adr/0018), a delivery that arrives twice changes
nothing, and the worker looks for an issue before it creates one.
"""

from dataclasses import dataclass
from enum import StrEnum

from lib.jira import issues
from lib.operations.arrivals import Event, Outcome
from lib.operations.event_details import Letter
from lib.operations.flows import Flow


class Way(StrEnum):
    """How an event is repeated."""

    SEND_BACK = "send back"
    """Its dead letter goes back to its function or queue: ``redrive``."""
    FETCH = "fetch"
    """Its issue is fetched from Jira again: ``issues fetch``."""
    RETRY = "retry"
    """The issue of its draft is tried again: ``operations retry``."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Replay:
    """How to repeat an event, a sentence that says what this does or why it is impossible, and the command line."""

    way: Way
    sentence: str
    command: str = ""


def replay_of(event: Event, letter: Letter | None) -> Replay:
    """How to repeat ``event``; ``letter`` is its dead letter, if it has one."""
    if letter is not None and letter.letter.refused:
        return Replay(Way.NONE, f"Its dead letter can't go back: {letter.letter.refused}.")
    if letter is not None:
        return Replay(Way.SEND_BACK, _SEND_BACK[event.flow], f"redrive --id {letter.letter.message_id}")
    match event.flow:
        case Flow.LEASES:
            return Replay(Way.NONE, _LEASES[event.outcome])
        case Flow.JIRA:
            return _of_delivery(event)
        case Flow.APPROVALS:
            return _of_approval(event)
        case Flow.JOBS:
            return Replay(Way.NONE, _JOBS[event.outcome])


_SEND_BACK = {
    Flow.LEASES: "Its dead letter goes back to the function. Channels that have sent it do not send it again.",
    Flow.JIRA: "A dead letter about its issue goes back to the worker's queue. What was stored is not stored twice.",
    Flow.APPROVALS: "Its dead letter goes back to the worker's queue. The worker looks for the issue before it creates one.",
    Flow.JOBS: "Its dead letter goes back to the job queue. A job that has ended does not run again.",
}
_LEASES = {
    Outcome.DONE: "It was sent. Its claims are kept for 400 days, so a replay would send nothing.",
    Outcome.IGNORED: "It is not sent, for the reason above, however often it arrives.",
    Outcome.REFUSED: "It was not accepted, and is not stored. Its sender has to send it again.",
    Outcome.FAILED: "It has no dead letter: Lambda still retries it, for up to 6 hours, or it was sent back or dropped.",
}
_JOBS = {
    Outcome.DONE: "A job runs once. For another run, its shop orders a new job.",
    Outcome.IGNORED: "A cancelled job does not run. Its shop can order a new one.",
    Outcome.REFUSED: "It was not accepted. Its shop has to order it again.",
    Outcome.FAILED: "A job that failed does not run again. When the file is right, its shop orders a new job.",
}


def _of_delivery(event: Event) -> Replay:
    if event.outcome is Outcome.REFUSED:
        return Replay(
            Way.NONE, "It was not accepted, and is not stored. Fix the cause, then send it again from Jira or the Git host."
        )
    if event.type == "push":
        return Replay(Way.NONE, "Pushes are not stored. Git hosts can deliver one again; stored commits do not change.")
    if issues.is_issue_key(event.about):
        sentence = f"{event.about} is fetched from Jira as it is now. Deliveries are not stored, and Jira has the later state."
        return Replay(Way.FETCH, sentence, f"issues fetch {event.about}")
    if event.outcome is Outcome.FAILED:
        return Replay(Way.NONE, "Jira sends it again. Otherwise reconciliation finds what changed, within 15 minutes.")
    return Replay(Way.NONE, "There is nothing to repeat.")


def _of_approval(event: Event) -> Replay:
    if event.outcome is Outcome.REFUSED and event.type == "draft":
        return Replay(Way.NONE, "It was not accepted. Its sender has to submit it again, which is safe.")
    if event.about:
        sentence = "If its preview or its issue failed, you can retry it. The worker looks for the issue before it creates one."
        return Replay(Way.RETRY, sentence, f"operations retry {event.about}")
    return Replay(Way.NONE, "Clicks are not stored. The person can click again.")
