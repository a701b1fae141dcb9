"""One approval creates at most one issue, which is recorded, under any crash, failure, conflict, order and repetition.

Each history is a string of bytes that choose, step by step, which actor continues, what fails, how time passes and what
the queue delivers. The effects of all actors interleave one by one. Then the faults end, and the final state is checked.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.approvals import drafts, preview, preview_pages, records
from lib.approvals.drafts import Draft
from lib.approvals.interactions import RETRY_ACTION, Verb
from lib.approvals.messages import CreateIssue
from lib.approvals.operations import OperationId
from lib.approvals.records import OperationStatus, SessionState
from lib.approvals.wording import Verdict
from lib.approvals.workflow import Policy
from lib.platform import errors
from tests.support.approvals.builders import make_draft
from tests.support.approvals.cloud import buttons_of
from tests.support.approvals.world import FAULTS, LONGEST_LAG, SERVICE_TIMEOUT, WORKER_TIMEOUT, World
from tests.support.concurrency import Actor
from tests.support.project.examples import examples

MOST_ACTORS = 4

lags = st.lists(
    st.integers(0, int(LONGEST_LAG.total_seconds()) - 60).map(lambda s: timedelta(seconds=s)), min_size=1, max_size=3
)
lates = st.lists(st.integers(1, 55).map(lambda s: timedelta(seconds=s)), min_size=1, max_size=2)
clicks = st.lists(
    st.tuples(st.sampled_from(["U0ANN", "U0BOB"]), st.sampled_from([Verb.APPROVE, Verb.APPROVE, Verb.REJECT]), st.booleans()),
    min_size=2,
    max_size=4,
)
extras = st.tuples(st.integers(0, 3), st.integers(0, 4))
"""How often Retry is clicked, and waiting drafts are swept."""
begins = st.sampled_from(["submitted", "shown", "raced", "raced"])
"""How far the first draft is when the history begins: submitted, shown, or approved and given to three workers at once."""
# Bytes, since a list of integers is mostly zeros: nearly every history would be the one in which all goes well.
choices = st.binary(min_size=60, max_size=250)


def test_all_searches_together_exceed_the_allowed_lag() -> None:
    assert sum(Policy().look_delays, timedelta(0)) > LONGEST_LAG


@pytest.fixture(scope="module", autouse=True)
def _short_pages() -> Iterator[None]:
    """A few sentences fill three messages, so that most of a history is not spent on counting characters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview_pages, "_MAX_PAGE", 500)
        yield


@settings(
    max_examples=examples(80, thorough=1_500),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(lags, lates, clicks, extras, st.booleans(), begins, st.sampled_from(["", "long " * 150]), choices)
def test_one_approval_makes_one_issue_that_is_accounted_for(
    lags, lates, clicks, extras, changes, begin, solution, choices
) -> None:
    world = World(lags=lags, lates=lates)
    first = make_draft(solution=solution)
    second = make_draft(title="Refuse uploads of more than 1 GB", solution=solution)
    world.service.submit(first)
    if begin != "submitted":
        message = world.show(first)
    history = _History(world, [first, *([second] if changes else [])], clicks, *extras)
    if begin == "raced":
        world.run(world.click("U0BOB", Verb.APPROVE, first, drafts.draft_hash(first), message))
        history.race()

    for choice, nuance in itertools.pairwise(choices):
        history.step(choice, nuance)
    history.finish()
    world.settle()

    _every_issue_is_recorded(world)
    _every_approval_has_come_to_an_end(world)
    _sessions_agree_with_their_rows(world)
    _answers_to_people_are_true(world, history)
    _previews_show_what_is_true(world)
    _requesters_can_read_the_end(world)
    _reminders_are_on_record(world)
    _decisions_are_on_drafts_that_were_shown_whole(world)
    _who_is_to_decide_can(world)


class _History:
    def __init__(
        self, world: World, versions: list[Draft], clicks: list[tuple[str, Verb, bool]], retries: int, sweeps: int
    ) -> None:
        self.world = world
        self.sweeps = sweeps
        self.retries = retries
        self.versions = versions
        self.clicks = list(clicks)
        self.actors: list[Actor] = []
        self.clicked: list[tuple[Actor, str, Verb, str]] = []
        self.submitted = 1

    def race(self) -> None:
        """The queue delivers each order of an issue three times, and nobody has begun."""
        orders = [queued for queued in self.world.queue if isinstance(queued.message, CreateIssue)]
        self.actors += [self.world.deliver(order) for order in orders for _ in range(3)]

    def step(self, choice: int, nuance: int) -> None:
        options = self._options(nuance)
        options[choice % len(options)]()
        self.world.advance(timedelta(milliseconds=20))
        self._reap()

    def finish(self) -> None:
        while self.clicks:
            self._click()
        for actor in self.actors:
            self.world.run(actor)
        # A drafter who got no answer submits again.
        with contextlib.suppress(errors.InvalidInputError):  # the one before is on its way to Jira
            self.world.service.submit(self.versions[self.submitted - 1])

    def _options(self, nuance: int) -> list[Callable[[], None]]:
        options: list[Callable[[], None]] = []
        for actor in self.actors:
            assert actor.pending is not None
            faults = FAULTS[actor.pending]
            fate = faults[nuance % len(faults)]
            decisive = actor.pending == "jira.create"
            options += [partial(actor.step, "go")] * (3 if decisive else 9)
            options += [partial(actor.step, fate)] * (4 if decisive else 1)
        if len(self.actors) < MOST_ACTORS:
            if self.clicks:
                options += [self._click] * 2
            if self.submitted < len(self.versions):
                options.append(self._submit)
            if self.retries and any(RETRY_ACTION in buttons_of({"blocks": each.blocks}) for each in self.world.slack.values()):
                options += [self._retry] * 2
            if self.sweeps:
                options.append(self._sweep)
            if self.world.queue:
                # A message in flight may be delivered again: SQS promises at least once.
                queued = self.world.queue[nuance % len(self.world.queue)]
                options += [lambda: self.actors.append(self.world.deliver(queued))] * 3
        options.append(lambda: self.world.advance(timedelta(seconds=(2, 12, 95, 400)[nuance % 4])))
        return options

    def _click(self) -> None:
        user, verb, on_latest = self.clicks.pop()
        draft = self.versions[self.submitted - 1 if on_latest else 0]
        of_hash = drafts.draft_hash(draft)
        actor = self.world.click(user, verb, draft, of_hash, self.world.buttons(draft))
        self.actors.append(actor)
        self.clicked.append((actor, user, verb, of_hash))

    def _retry(self) -> None:
        """A click on Retry, on the latest draft's message: sometimes one that no longer has the button."""
        self.retries -= 1
        draft = self.versions[self.submitted - 1]
        actor = self.world.click("U0BOB", Verb.RETRY, draft, drafts.draft_hash(draft), self.world.buttons(draft))
        self.actors.append(actor)

    def _sweep(self) -> None:
        self.sweeps -= 1
        self.actors.append(self.world.sweep())

    def _submit(self) -> None:
        draft = self.versions[self.submitted]
        self.submitted += 1
        self.actors.append(
            Actor(self.world.stage, "submit", lambda: self.world.service.submit(draft), self.world.time.timestamp())
        )

    def _reap(self) -> None:
        for actor in list(self.actors):
            limit = SERVICE_TIMEOUT if actor.name.startswith(("click", "submit", "sweep")) else WORKER_TIMEOUT
            if not actor.done and self.world.time.timestamp() - actor.started_at > limit.total_seconds():
                actor.step("crash_before")  # Lambda ends what overruns its timeout
            if actor.done:
                self.actors.remove(actor)
                self.world.run(actor)


def _every_issue_is_recorded(world: World) -> None:
    for issue in world.issues:
        operation = world.operations.get_operation(OperationId(issue.marker.session_id, issue.marker.draft_hash))
        assert operation is not None
        assert (operation.status, operation.jira_key) == (OperationStatus.DONE, issue.key)
        assert operation.approved_by in {"U0ANN", "U0BOB"}
        assert operation.other_keys == ()


def _every_approval_has_come_to_an_end(world: World) -> None:
    created = {issue.marker.draft_hash for issue in world.issues}
    decided = world.decisions()
    assert len({approval.draft_hash for _, approval in decided}) == len(decided)
    for session_id, approval in decided:
        view = world.store.read(session_id, approval.draft_hash)
        state = records.state_of(view.draft, view.approval, view.operation)
        if not approval.approved:
            assert approval.draft_hash not in created
            assert state is (SessionState.EXPIRED if approval.expired else SessionState.REJECTED)
        elif approval.draft_hash in created:
            assert state is SessionState.CREATED
        else:
            # Refused by Jira, or given up after every allowed try: shown to people, and open to a retry.
            assert state is SessionState.FAILED
            assert view.operation is not None
            assert view.operation.error_message
    assert created <= {approval.draft_hash for _, approval in decided if approval.approved}


def _sessions_agree_with_their_rows(world: World) -> None:
    for row in world.table.rows():
        if row["operation_key"]["S"] == records.SESSION_KEY:
            view = world.store.read(row["session_id"]["S"], row["draft_hash"]["S"])
            assert view.session is not None
            assert view.session.state is records.state_of(view.draft, view.approval, view.operation)
            assert view.session.jira_key == (view.operation.jira_key if view.operation is not None else None)


def _answers_to_people_are_true(world: World, history: _History) -> None:
    decisions = {approval.draft_hash: approval for _, approval in world.decisions()}
    for actor, user, verb, of_hash in history.clicked:
        if actor.result is Verdict.RECORDED:
            assert decisions[of_hash].decided_by == user
            assert decisions[of_hash].approved == (verb is Verb.APPROVE)
        elif actor.result is Verdict.DECIDED:
            assert of_hash in decisions
    for answer in world.answers:
        if "already approved" in answer:
            assert any(approval.approved for approval in decisions.values())
        if "already rejected" in answer or "expired on" in answer:
            assert any(not approval.approved for approval in decisions.values())


def _previews_show_what_is_true(world: World) -> None:
    for row in world.table.rows():
        if row["operation_key"]["S"].startswith("DRAFT#") and "preview_ts" in row:
            view = world.store.read(row["session_id"]["S"], row["draft_hash"]["S"])
            assert world.slack[row["preview_ts"]["S"]] == world.poster.render(view)


def _requesters_can_read_the_end(world: World) -> None:
    """Once, or twice if a worker crashed between the post and its record."""
    for session_id, approval in world.decisions():
        view = world.store.read(session_id, approval.draft_hash)
        assert view.draft is not None
        end = (
            "so it expired"
            if approval.expired
            else "rejected this draft"
            if not approval.approved
            else "Created"
            if view.created
            else "could not be created"
        )
        if approval.expired and not view.draft.preview_ts:
            continue  # it was never posted
        replies = [reply.text for reply in world.replies.get(view.draft.preview_ts, [])]
        assert [text for text in replies if end in text and "<@U0REQUEST>" in text]


def _reminders_are_on_record(world: World) -> None:
    for row in world.table.rows():
        if row["operation_key"]["S"].startswith("DRAFT#") and "preview_ts" in row:
            operation = OperationId(row["session_id"]["S"], row["draft_hash"]["S"], records.REMIND)
            reminder = world.operations.get_operation(operation)
            texts = [reply.text for reply in world.replies.get(row["preview_ts"]["S"], [])]
            if any("still waits" in text for text in texts):
                assert reminder is not None
            elif reminder is not None:
                assert reminder.status is not OperationStatus.DONE


def _decisions_are_on_drafts_that_were_shown_whole(world: World) -> None:
    for session_id, approval in world.decisions():
        if approval.expired:  # nobody decided
            continue
        stored = world.store.read(session_id, approval.draft_hash).draft
        assert stored is not None
        rest = [reply.text for reply in preview.thread(stored.draft)]
        assert stored.previews
        for name in stored.previews:
            replies = dict.fromkeys(reply.text for reply in world.replies.get(name.partition("/")[2], []))
            assert list(replies)[: len(rest)] == rest


def _who_is_to_decide_can(world: World) -> None:
    for row in world.table.rows():
        if row["operation_key"]["S"] == records.SESSION_KEY and row["state"]["S"] == SessionState.PREVIEW.value:
            view = world.store.read(row["session_id"]["S"], row["draft_hash"]["S"])
            assert view.draft is not None
            assert world.buttons(view.draft.draft) == view.draft.preview_ts
