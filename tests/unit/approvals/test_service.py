"""Submissions and clicks: what is recorded, what is queued, and what the person is answered."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.approvals import drafts
from lib.approvals.drafts import Draft
from lib.approvals.interactions import Decision, Verb
from lib.approvals.messages import AnswerClick, CreateIssue, Message, PostPreview, UpdatePreview
from lib.approvals.operations import OperationId
from lib.approvals.repository import ApprovalStore
from lib.approvals.rules import Rules
from lib.approvals.service import ApprovalService
from lib.approvals.wording import Verdict
from lib.platform import errors
from lib.platform.contract import JIRA_OPERATIONS
from lib.platform.dynamodb import Table
from tests.support.approvals.builders import PLACE, make_draft, show_whole
from tests.support.approvals.world import World
from tests.support.present import present
from tests.support.web.slack_limits import shown

DRAFT = make_draft(title="Fix <this> & that")
HASH = drafts.draft_hash(DRAFT)
OPERATION = OperationId("sess-1", HASH)


def scene(**rules: Any) -> World:
    world = World(rules=Rules(**{"require_other_approver": False, **rules}))
    submit(world, DRAFT)
    return world


def submit(world: World, draft: Draft) -> str:
    """Submit a draft, and post its preview whole."""
    of_hash = world.service.submit(draft).draft_hash
    show_whole(world.store, of_hash)
    world.queue.clear()
    return of_hash


def click(
    world: World, verb: Verb = Verb.APPROVE, user: str = "U0ANN", of_hash: str = HASH, **given: Any
) -> tuple[Verdict, str]:
    decision = Decision(
        verb=verb,
        session_id="sess-1",
        draft_hash=of_hash,
        user=user,
        response_url="https://hooks.slack.com/a",
        **PLACE | given,
    )
    verdict = world.service.decide(decision)
    answer = [queued.message for queued in world.queue if isinstance(queued.message, AnswerClick)][-1]
    assert (answer.user, answer.response_url) == (user, "https://hooks.slack.com/a")
    return verdict, answer.text


def queued(world: World) -> list[type]:
    return [type(entry.message) for entry in world.queue if not isinstance(entry.message, AnswerClick)]


def test_every_submission_queues_the_preview() -> None:
    world = World()
    first = world.service.submit(DRAFT)
    second = world.service.submit(DRAFT)
    assert first.draft_hash == second.draft_hash == HASH
    assert queued(world) == [PostPreview, PostPreview]


def test_a_draft_that_replaces_another_has_the_others_preview_updated() -> None:
    world = scene()
    world.service.submit(make_draft(title="Another"))
    assert [entry.message for entry in world.queue][1] == UpdatePreview(session_id="sess-1", draft_hash=HASH)


def test_a_project_that_is_not_allowed_is_refused() -> None:
    world = World(rules=Rules(projects=frozenset({"OPS", "TES"})))
    with pytest.raises(errors.InvalidInputError, match="project must be one of OPS, TES"):
        world.service.submit(DRAFT)
    assert (world.table.rows(), world.queue) == ([], [])


def test_an_approval_is_queued_recorded_and_answered() -> None:
    world = scene()
    assert click(world) == (Verdict.RECORDED, "You approved “Fix &lt;this&gt; &amp; that”. Its Jira issue is being created.")
    assert queued(world) == [CreateIssue]
    assert present(world.store.read("sess-1", HASH).approval).decided_by == "U0ANN"


def test_a_rejection_is_recorded_and_answered_and_creates_nothing() -> None:
    world = scene()
    verdict, text = click(world, Verb.REJECT)
    # The second one is sent after the decision was written: the worker may have done the first before it.
    assert (verdict, queued(world)) == (Verdict.RECORDED, [UpdatePreview, UpdatePreview])
    assert text == (
        "You rejected “Fix &lt;this&gt; &amp; that”. No Jira issue will be created. "
        "The preview's thread reports it to the requester."
    )


def test_the_reason_of_a_rejection_is_recorded_and_shown_to_later_clicks() -> None:
    world = scene()
    click(world, Verb.REJECT, reason="Not planned: see <PROJ-9>")
    assert present(world.store.read("sess-1", HASH).approval).reason == "Not planned: see <PROJ-9>"

    _, text = click(world, user="U0BOB")
    assert "The reason: Not planned: see &lt;PROJ-9&gt;." in text


def test_a_rejection_is_shown_even_if_the_worker_was_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    world = scene()
    record = world.store.record_decision

    def record_late(*given: Any) -> Any:
        for entry in world.queue:  # held back 1 s, and the write takes longer
            world.handle(entry.message)
        world.queue.clear()
        return record(*given)

    monkeypatch.setattr(world.store, "record_decision", record_late)
    click(world, Verb.REJECT)
    for entry in world.queue:
        if not isinstance(entry.message, AnswerClick):
            world.handle(entry.message)

    (posted,) = world.slack.values()
    assert "Draft rejected" in shown(posted.blocks)


def test_the_message_is_queued_before_the_approval_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    world = scene()
    order: list[type[Message] | str] = []
    record, send = world.store.record_decision, world.service._send

    def note_record(*given: Any) -> Any:
        order.append("record")
        return record(*given)

    def note_send(message: Message, delay: int) -> None:
        order.append(type(message))
        send(message, delay)

    monkeypatch.setattr(world.store, "record_decision", note_record)
    monkeypatch.setattr(world.service, "_send", note_send)
    click(world)
    assert order == [CreateIssue, "record", AnswerClick]


def after(world: World, *clicks: tuple[Verb, str]) -> tuple[Verdict, str]:
    for verb, user in clicks[:-1]:
        click(world, verb, user)
        world.queue.clear()
    verb, user = clicks[-1]
    return click(world, verb, user)


@pytest.mark.parametrize(
    ("clicks", "said"),
    [
        ([(Verb.APPROVE, "U0ANN"), (Verb.APPROVE, "U0ANN")], "You have already approved"),
        ([(Verb.APPROVE, "U0ANN"), (Verb.APPROVE, "U0BOB")], "<@U0ANN> has already approved"),
        ([(Verb.APPROVE, "U0ANN"), (Verb.REJECT, "U0BOB")], "It can no longer be rejected."),
        ([(Verb.REJECT, "U0ANN"), (Verb.APPROVE, "U0BOB")], "<@U0ANN> has already rejected"),
        ([(Verb.REJECT, "U0ANN"), (Verb.REJECT, "U0ANN")], "You have already rejected"),
    ],
)
def test_a_second_click_is_answered_and_refreshes_the_preview(clicks: list[tuple[Verb, str]], said: str) -> None:
    world = scene()
    verdict, text = after(world, *clicks)
    assert (verdict, queued(world)) == (Verdict.DECIDED, [UpdatePreview])
    assert said in text


def test_a_rejected_draft_is_never_called_approved() -> None:
    world = scene()
    _, text = after(world, (Verb.REJECT, "U0ANN"), (Verb.APPROVE, "U0BOB"))
    assert "approved" not in text
    assert text.endswith("For another decision, change the draft and submit it again.")


@pytest.mark.parametrize(
    ("settle", "said"),
    [
        (lambda world: None, "is being created"),
        (lambda world: world.operations.mark_success(OPERATION, "PROJ-1"), "<https://jira.example.com/browse/PROJ-1|PROJ-1>"),
        (lambda world: world.operations.mark_success(OPERATION, "PROJ-DRY1"), "issue is PROJ-DRY1."),
        (lambda world: world.operations.mark_failed(OPERATION, "no", owner="x"), "failed"),
        (lambda world: world.operations.mark_unknown(OPERATION, "no", owner="x", next_look_at=world.time), "is looking for"),
    ],
)
def test_a_late_click_is_answered_with_the_state_of_the_issue(settle: Callable[[World], object], said: str) -> None:
    world = scene()
    click(world)
    world.queue.clear()
    world.operations.record_operation_start(OPERATION, owner="x", created_by="U0ANN", approved_by="U0ANN", looks_needed=4)
    settle(world)
    assert said in click(world, user="U0BOB")[1]


def test_a_click_on_a_replaced_draft_posts_the_current_one() -> None:
    world = scene()
    new = world.service.submit(make_draft(title="Another")).draft_hash
    world.queue.clear()

    verdict, text = click(world)

    assert verdict is Verdict.CHANGED
    assert "has changed since" in text
    assert "not recorded" in text
    assert world.store.read("sess-1", HASH).approval is None
    sent = [entry.message for entry in world.queue]
    assert UpdatePreview(session_id="sess-1", draft_hash=HASH) in sent
    assert PostPreview(session_id="sess-1", draft_hash=new) in sent


def test_a_click_on_an_unknown_draft_is_answered() -> None:
    world = scene()
    verdict, text = click(world, of_hash="0" * 64)
    assert verdict is Verdict.NOT_KNOWN
    assert "no longer exists" in text
    assert world.decisions() == []


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.REJECT])
def test_only_an_approver_decides(verb: Verb) -> None:
    world = scene(approvers=frozenset({"U0BOB"}))
    verdict, text = click(world, verb)
    assert (verdict, queued(world), world.decisions()) == (Verdict.NOT_ALLOWED, [], [])
    assert "not an approver" in text
    world.queue.clear()
    assert click(world, verb, "U0BOB")[0] is Verdict.RECORDED


def test_without_a_list_of_approvers_everybody_may_decide() -> None:
    assert click(scene(), user="U0ANYBODY")[0] is Verdict.RECORDED


def test_nobody_approves_their_own_draft() -> None:
    world = World(rules=Rules(require_other_approver=True))
    of_hash = submit(world, make_draft(requested_by="<@U0ANN|ann>"))

    verdict, text = click(world, of_hash=of_hash)
    assert (verdict, world.decisions()) == (Verdict.OWN, [])
    assert "another person has to approve it" in text

    world.queue.clear()
    assert click(world, user="U0BOB", of_hash=of_hash)[0] is Verdict.RECORDED


def test_the_requester_may_reject_the_draft() -> None:
    world = World(rules=Rules(require_other_approver=True))
    of_hash = submit(world, make_draft(requested_by="U0ANN"))
    assert click(world, Verb.REJECT, of_hash=of_hash)[0] is Verdict.RECORDED


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.REJECT])
def test_a_click_before_the_preview_is_complete_is_refused(verb: Verb) -> None:
    world = World(rules=Rules(require_other_approver=False))
    of_hash = world.service.submit(DRAFT).draft_hash
    assert world.store.set_preview("sess-1", of_hash, *PLACE.values())
    world.queue.clear()

    verdict, text = click(world, verb)

    assert (verdict, queued(world), world.decisions()) == (Verdict.NOT_A_PREVIEW, [], [])
    assert text.endswith("so your click was not recorded. Use the buttons of the preview.")
    world.store.open_preview("sess-1", of_hash, *PLACE.values())
    world.queue.clear()
    assert click(world, verb)[0] is Verdict.RECORDED


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.REJECT])
@pytest.mark.parametrize(
    "elsewhere",
    [{"channel": "C2"}, {"message_ts": "1.1"}, {"channel": ""}, {"message_ts": ""}, {"channel": "", "message_ts": ""}],
)
def test_a_click_in_a_message_that_is_not_a_preview_decides_nothing(verb: Verb, elsewhere: dict[str, str]) -> None:
    world = scene()
    verdict, text = click(world, verb, **elsewhere)
    assert (verdict, queued(world), world.decisions()) == (Verdict.NOT_A_PREVIEW, [], [])
    assert "is not a preview of “Fix" in text


def test_a_click_in_the_preview_of_another_draft_decides_nothing() -> None:
    world = scene()
    other = world.service.submit(make_draft(session_id="sess-2")).draft_hash
    assert world.store.set_preview("sess-2", other, "C1", "2.0")
    world.store.open_preview("sess-2", other, "C1", "2.0")
    world.queue.clear()
    assert click(world, message_ts="2.0")[0] is Verdict.NOT_A_PREVIEW


@pytest.mark.parametrize("message_ts", ["1.0", "2.0"])
def test_a_click_in_any_preview_that_was_posted_whole_counts(message_ts: str) -> None:
    world = scene()
    assert world.store.forget_preview("sess-1", HASH, "1.0")
    assert world.store.set_preview("sess-1", HASH, "C1", "2.0")
    world.store.open_preview("sess-1", HASH, "C1", "2.0")
    assert click(world, message_ts=message_ts)[0] is Verdict.RECORDED


def test_a_draft_that_is_too_long_to_show_is_refused() -> None:
    world = World()
    long = make_draft(problem="&" * 10_000, solution="&" * 10_000, risks=["&" * 1_000] * 10)
    with pytest.raises(errors.InvalidInputError, match=r"needs 1\d messages in Slack, and at most 10 are allowed"):
        world.service.submit(long)
    assert (world.table.rows(), world.queue) == ([], [])


def test_a_decision_whose_answer_was_lost_is_found_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    world = scene()
    record = world.store.record_decision

    def lost(*given: Any) -> None:
        record(*given)
        raise errors.DeadlineExceededError("no answer")

    monkeypatch.setattr(world.store, "record_decision", lost)
    assert click(world)[0] is Verdict.RECORDED


def test_a_decision_that_cant_be_recorded_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    world = scene()

    def refuse(*given: Any) -> None:
        raise errors.ThrottledError("no")

    monkeypatch.setattr(world.store, "record_decision", refuse)
    with pytest.raises(errors.ThrottledError):
        click(world)
    assert not [entry for entry in world.queue if isinstance(entry.message, AnswerClick)]


def test_conflicts_end_a_click_before_slack_stops_waiting() -> None:
    world = scene()
    clock = [0.0]

    class AlwaysInConflict:
        def batch_get_item(self, **request: Any) -> Any:
            clock[0] += 0.05
            return world.table.batch_get_item(**request)

        def transact_write_items(self, **_: object) -> None:
            clock[0] += 0.05
            raise ClientError({"Error": {"Code": "TransactionConflictException"}}, "TransactWriteItems")

    def wait(seconds: float) -> None:
        clock[0] += seconds

    service = ApprovalService(
        store=ApprovalStore(Table(AlwaysInConflict(), JIRA_OPERATIONS.name, sleep=wait)),
        operations=world.operations,
        send=lambda *_: wait(0.05),
        rules=Rules(),
        monotonic=lambda: clock[0],
    )
    with pytest.raises(errors.UnavailableError):
        service.decide(Decision(verb=Verb.APPROVE, session_id="sess-1", draft_hash=HASH, user="U0ANN", **PLACE))
    assert clock[0] < 2.5
    assert world.decisions() == []


@pytest.mark.parametrize(("seconds_a_write", "writes"), [(0.1, 3), (0.9, 2), (1.5, 1)])
def test_a_lost_write_is_repeated_for_a_second_since_slack_waits_three(seconds_a_write: float, writes: int) -> None:
    world = scene()
    clock = [0.0]
    tried: list[float] = []

    class NeverAnswers:
        read = world.service._store.read

        def record_decision(self, *_: object) -> bool:
            tried.append(clock[0])
            clock[0] += seconds_a_write
            raise errors.DeadlineExceededError("no answer within the read timeout")

    service = ApprovalService(
        store=NeverAnswers(),  # type: ignore[arg-type]
        operations=world.operations,
        send=lambda *_: None,
        rules=Rules(),
        monotonic=lambda: clock[0],
    )
    with pytest.raises(errors.UnavailableError):
        service.decide(Decision(verb=Verb.APPROVE, session_id="sess-1", draft_hash=HASH, user="U0ANN", **PLACE))
    assert len(tried) == writes
