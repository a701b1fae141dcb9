"""From an approval to an issue, one outcome of Jira at a time."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from lib.approvals import drafts
from lib.approvals.issue_creation import IssueCreator, Outcome
from lib.approvals.issue_tracker import DryRun, FoundIssue, IssueTracker, Marker, marker_of
from lib.approvals.messages import CreateIssue, LookForMarker, UpdatePreview
from lib.approvals.operations import OperationId
from lib.approvals.records import Approval, Operation, OperationStatus, SessionState
from lib.approvals.workflow import Policy
from lib.platform import errors
from tests.support.approvals.builders import make_draft
from tests.support.approvals.world import World
from tests.support.present import present

DRAFT = make_draft()
HASH = drafts.draft_hash(DRAFT)
OPERATION = OperationId("sess-1", HASH)
CREATE = CreateIssue(session_id="sess-1", draft_hash=HASH)
LOOK = LookForMarker(session_id="sess-1", draft_hash=HASH)


class Jira:
    """A tracker whose creates have the given outcomes, in order, and whose searches find ``found``."""

    def __init__(self, *outcomes: Any, found: Sequence[FoundIssue] | Exception = ()) -> None:
        self.outcomes = list(outcomes)
        self.found = found
        self.created: list[dict[str, Any]] = []
        self.searches = 0

    def create_issue(self, fields: Mapping[str, Any], marker: Marker) -> str:
        self.created.append({**fields, "marker": marker})
        outcome: str | Exception = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def find_by_marker(self, marker: Marker) -> Sequence[FoundIssue]:
        self.searches += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Scene(World):
    """A world with an approved draft and this Jira."""

    def __init__(
        self, jira: IssueTracker, *, approved: bool | None = True, sync: None = None, policy: Policy | None = None
    ) -> None:
        super().__init__()
        self.sync_error: Exception | None = None
        self.creator = IssueCreator(
            store=self.store,
            operations=self.operations,
            tracker=jira,
            sync=self._sync_or_fail,
            send=self.send,
            logger=self.logger,
            policy=policy,
            now=self.now,
        )
        self.store.submit(DRAFT)
        if approved is not None:
            decision = Approval(draft_hash=HASH, approved=approved, decided_by="U0ANN", at=self.time)
            assert self.store.record_decision("sess-1", decision)

    def _sync_or_fail(self, key: str) -> None:
        if self.sync_error is not None:
            raise self.sync_error
        self.synced.append(key)

    def advance_message(self, message: CreateIssue | LookForMarker = CREATE) -> Outcome:
        return self.creator.advance(message)

    def sent(self) -> list[tuple[Any, int]]:
        """What was queued since the last time, and how many seconds it is held back."""
        queued, self.queue[:] = list(self.queue), []
        return [(entry.message, round((entry.visible_at - self.time).total_seconds())) for entry in queued]

    @property
    def operation(self) -> Operation:
        return present(self.operations.get_operation(OPERATION))

    @property
    def state(self) -> SessionState:
        return present(self.store.read("sess-1", HASH).session).state


def without_answer(*later: str) -> tuple[Jira, Scene]:
    """Jira and the scene after a first create without an answer; ``later`` are the outcomes of more creates."""
    jira = Jira(errors.DeadlineExceededError("no answer"), *later)
    scene = Scene(jira)
    assert scene.advance_message() is Outcome.UNKNOWN
    return jira, scene


UPDATE = UpdatePreview(session_id="sess-1", draft_hash=HASH)


def test_an_approved_draft_becomes_an_issue_that_bears_its_marker() -> None:
    jira = Jira("PROJ-1")
    scene = Scene(jira)

    assert scene.advance_message() is Outcome.CREATED

    (issue,) = jira.created
    assert issue["summary"] == DRAFT.title
    assert issue["project"] == {"key": "PROJ"}
    assert issue["issuetype"] == {"name": "Task"}
    assert issue["description"]["type"] == "doc"
    assert issue["labels"] == [marker_of("sess-1", HASH).label]
    assert "parent" not in issue
    assert (scene.operation.jira_key, scene.operation.created_by, scene.operation.posts) == ("PROJ-1", "U0ANN", 1)
    assert scene.state is SessionState.CREATED
    assert scene.synced == ["PROJ-1"]
    assert scene.sent()[-1] == (UPDATE, 0)


def test_an_epic_is_the_parent() -> None:
    from lib.approvals.issue_tracker import issue_fields

    approval = Approval(draft_hash=HASH, approved=True, decided_by="U0ANN", at=World().time)
    fields = issue_fields(make_draft(epic="PROJ-9"), marker_of("s", HASH), approval)
    assert fields["parent"] == {"key": "PROJ-9"}


def test_a_repeated_message_creates_nothing_and_updates_the_preview() -> None:
    jira = Jira("PROJ-1")
    scene = Scene(jira)
    scene.advance_message()
    scene.sent()

    assert scene.advance_message() is Outcome.DUPLICATE

    assert len(jira.created) == 1
    assert scene.sent() == [(UPDATE, 0)]


def test_a_missing_approval_is_awaited_and_then_refused() -> None:
    jira = Jira()
    scene = Scene(jira, approved=None)
    waited = 0
    message = CREATE
    while scene.advance_message(message) is Outcome.WAITING:
        ((message, seconds),) = scene.sent()
        waited += seconds
    assert waited > 30
    assert (jira.searches, jira.created, scene.operations.get_operation(OPERATION)) == (0, [], None)


def test_a_rejected_draft_is_refused_before_any_request_to_jira() -> None:
    jira = Jira()
    scene = Scene(jira, approved=False)
    assert scene.advance_message() is Outcome.REFUSED
    assert (jira.searches, jira.created) == (0, [])


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidInputError("could not create an issue: Jira answered 400: priority is required"),
        errors.AccessDeniedError("could not create an issue: Jira answered 403"),
    ],
)
def test_a_clear_refusal_is_failed_says_why_and_does_not_move_on(error: Exception) -> None:
    jira = Jira(error, "PROJ-1")
    scene = Scene(jira)

    assert scene.advance_message() is Outcome.FAILED
    assert scene.advance_message() is Outcome.REFUSED

    assert (scene.operation.status, scene.operation.error_message) == (OperationStatus.FAILED, str(error))
    assert scene.state is SessionState.FAILED
    assert len(jira.created) == 1


def test_a_person_can_retry_a_failed_issue_and_is_recorded() -> None:
    jira = Jira(errors.InvalidInputError("no"), "PROJ-1")
    scene = Scene(jira)
    scene.advance_message()

    scene.operations.request_retry(OPERATION, "dana")
    assert scene.advance_message() is Outcome.CREATED

    assert (scene.operation.created_by, scene.operation.approved_by, scene.operation.attempts) == ("dana", "U0ANN", 2)
    assert jira.searches == 2


def test_a_busy_jira_is_retried_and_then_left_to_a_person() -> None:
    jira = Jira(*[errors.ThrottledError("Jira answered 429")] * 5)
    scene = Scene(jira)
    pauses = []
    message = CREATE
    while scene.advance_message(message) is Outcome.WAITING:
        message, seconds = next(entry for entry in scene.sent() if isinstance(entry[0], CreateIssue))
        pauses.append(seconds)
        scene.advance(timedelta(seconds=seconds))
    assert pauses == [10, 60, 300, 900]
    assert (scene.operation.status, scene.operation.error_message) == (OperationStatus.FAILED, "Jira answered 429")


def test_after_an_unknown_outcome_all_searches_precede_another_create() -> None:
    jira, scene = without_answer("PROJ-1")
    assert scene.state is SessionState.UNKNOWN
    jira.searches = 0
    pauses = []
    outcome = Outcome.UNKNOWN
    while outcome is Outcome.UNKNOWN:
        assert len(jira.created) == 1
        message, seconds = next(entry for entry in scene.sent() if isinstance(entry[0], LookForMarker))
        pauses.append(seconds)
        scene.advance(timedelta(seconds=seconds))
        outcome = scene.advance_message(message)

    assert pauses == [10, 60, 300, 900, 0]
    assert outcome is Outcome.CREATED
    assert jira.searches == 5
    assert scene.operation.posts == 2


def test_no_search_runs_before_the_time_recorded_after_the_last_one() -> None:
    _, scene = without_answer()
    for looks, seconds in enumerate((10, 60, 300, 900)):
        assert scene.operation.looks == looks
        assert (present(scene.operation.next_look_at) - scene.time).total_seconds() == seconds
        scene.advance(timedelta(seconds=seconds - 1))
        assert scene.advance_message(LOOK) is Outcome.WAITING
        scene.advance(timedelta(seconds=1))
        assert scene.advance_message(LOOK) is Outcome.UNKNOWN
    assert scene.operation.looks == 4


@pytest.mark.parametrize(("tries", "seconds"), [(0, 10), (1, 60), (2, 300), (3, 900), (4, 900), (95, 900)])
def test_a_failing_search_is_repeated_after_growing_delays(tries: int, seconds: int) -> None:
    jira, scene = without_answer()
    scene.advance(timedelta(seconds=10))
    jira.found = errors.UnavailableError("Jira answered 503")
    scene.sent()
    scene.advance_message(LookForMarker(session_id="sess-1", draft_hash=HASH, tries=tries))
    assert scene.sent() == [(LookForMarker(session_id="sess-1", draft_hash=HASH, tries=tries + 1), seconds)]


def test_an_issue_that_turns_up_is_recorded_and_none_is_created_again() -> None:
    jira = Jira(errors.ConnectionLostError("Jira answered 502"))
    scene = Scene(jira)
    scene.advance_message()
    scene.advance(timedelta(seconds=10))
    jira.found = (FoundIssue("PROJ-7", has_property=True),)

    assert scene.advance_message(LOOK) is Outcome.FOUND

    assert (scene.operation.jira_key, scene.state, scene.synced) == ("PROJ-7", SessionState.CREATED, ["PROJ-7"])
    assert len(jira.created) == 1


def test_a_search_that_is_too_early_waits() -> None:
    jira = Jira(errors.ConnectionLostError("Jira answered 502"))
    scene = Scene(jira)
    scene.advance_message()
    searches = jira.searches
    scene.sent()

    assert scene.advance_message(LOOK) is Outcome.WAITING

    assert jira.searches == searches
    assert scene.sent() == [(CREATE, 11)]


def test_after_two_unclear_outcomes_it_is_left_to_a_person() -> None:
    lost = errors.DeadlineExceededError("no answer")
    jira = Jira(lost, lost, "PROJ-1")
    scene = Scene(jira)
    scene.advance_message()
    for _ in range(20):
        scene.advance(timedelta(minutes=15))
        scene.advance_message(LOOK)

    assert len(jira.created) == 2
    assert scene.operation.status is OperationStatus.FAILED
    assert "search for one before you retry" in present(scene.operation.error_message)
    scene.operations.request_retry(OPERATION, "dana")
    assert scene.advance_message() is Outcome.CREATED


def test_a_search_that_fails_does_not_count_and_is_repeated() -> None:
    jira, scene = without_answer()
    scene.advance(timedelta(seconds=10))
    jira.found = errors.UnavailableError("Jira answered 503")
    scene.sent()

    assert scene.advance_message(LOOK) is Outcome.UNKNOWN

    assert scene.operation.looks == 0
    assert scene.sent() == [(LookForMarker(session_id="sess-1", draft_hash=HASH, tries=1), 10)]
    assert "marker_search_failed" in scene.logger.messages()


def test_searches_end_after_failing_for_a_day() -> None:
    jira, scene = without_answer()
    scene.advance(timedelta(days=1))
    jira.found = errors.UnavailableError("Jira answered 503")
    scene.sent()
    assert scene.advance_message(LookForMarker(session_id="sess-1", draft_hash=HASH, tries=96)) is Outcome.STUCK
    assert scene.sent() == []
    assert scene.state is SessionState.UNKNOWN


def test_an_issue_that_was_there_before_the_first_create_is_taken() -> None:
    """Rows expire and tables are restored to an earlier time."""
    jira = Jira(found=(FoundIssue("PROJ-7", has_property=True),))
    scene = Scene(jira)
    assert scene.advance_message() is Outcome.FOUND
    assert jira.created == []


def test_a_message_waits_until_another_claim_expires() -> None:
    scene = Scene(Jira())
    scene.operations.record_operation_start(OPERATION, owner="x", created_by="U0ANN", approved_by="U0ANN", looks_needed=4)
    assert scene.advance_message() is Outcome.WAITING
    assert scene.sent() == [(CREATE, 91)]


def test_a_crash_after_the_request_leads_to_a_search() -> None:
    jira = Jira()
    scene = Scene(jira)
    scene.operations.record_operation_start(OPERATION, owner="x", created_by="U0ANN", approved_by="U0ANN", looks_needed=4)
    scene.operations.begin_post(OPERATION, owner="x", until=scene.time)
    scene.advance(timedelta(seconds=91))

    assert scene.advance_message() is Outcome.UNKNOWN

    assert scene.state is SessionState.UNKNOWN
    assert jira.created == []


def test_a_failure_to_store_the_issue_changes_nothing_about_it() -> None:
    scene = Scene(Jira("PROJ-1"))
    scene.sync_error = errors.ThrottledError("JiraIssues")
    assert scene.advance_message() is Outcome.CREATED
    assert scene.state is SessionState.CREATED
    assert "issue_sync_failed" in scene.logger.messages()


def test_a_dry_run_does_everything_but_create() -> None:
    jira = Jira()
    scene = Scene(DryRun(jira))

    assert scene.advance_message() is Outcome.CREATED
    assert scene.advance_message() is Outcome.DUPLICATE

    assert present(scene.operation.jira_key).startswith("PROJ-DRY")
    assert present(scene.operation.jira_key).removeprefix("PROJ-DRY").isdecimal()
    assert (jira.created, jira.searches, scene.synced) == ([], 1, [])


def test_a_second_issue_is_an_error_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(Jira("PROJ-2"))
    begin_post = scene.operations.begin_post

    def stalled(*args: Any, **kwargs: Any) -> Any:
        answer = begin_post(*args, **kwargs)
        scene.operations.mark_success(OPERATION, "PROJ-1")  # another attempt, while this one stalled past its lease
        return answer

    monkeypatch.setattr(scene.operations, "begin_post", stalled)
    assert scene.advance_message() is Outcome.SECOND

    assert scene.operation.other_keys == ("PROJ-2",)
    assert "second_issue_created" in scene.logger.messages()
