"""For any events in any order, a job makes only legal transitions, and the usage and slots of its shop are right."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from lib.shuttle.jobs.job import Job, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import JobBusyError
from lib.shuttle.jobs.limits import LimitExceededError
from lib.shuttle.jobs.transitions import LEGAL, MAX_ATTEMPTS, IllegalTransitionError, TakenOverError
from tests.support.project.examples import examples
from tests.support.shuttle.builders import DOMAIN, NOON, a_shop, a_table, an_order, limits

ALLOWED = 3


class Life(RuleBasedStateMachine):
    """Jobs of one shop, compared with a model of the legal transitions."""

    made = Bundle("made")
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.table = a_table()
        self.table.registry.install(a_shop(feature_limits=limits(concurrent_jobs=ALLOWED)))
        self.status: dict[str, JobStatus] = {}
        self.rows: dict[str, tuple[int, int]] = {}

    @rule(target=made)
    def create(self) -> Any:
        try:
            job = self.table.jobs.create(DOMAIN, an_order())
        except LimitExceededError:
            assert len(self.unfinished()) == ALLOWED
            return multiple()
        assert len(self.unfinished()) < ALLOWED
        self.status[job.job_id] = JobStatus.QUEUED
        return job.job_id

    @rule(target=held, job_id=made)
    def start(self, job_id: str) -> Any:
        try:
            job = self.table.jobs.start(DOMAIN, job_id)
        except JobBusyError:
            assert self.status[job_id] is JobStatus.PROCESSING
            return multiple()
        except IllegalTransitionError as error:
            if error.current is JobStatus.FAILED:  # given up here, or before
                self.move(job_id, JobStatus.FAILED, unless_there=True)
            assert self.status[job_id].is_final
            return multiple()
        assert job.attempt <= MAX_ATTEMPTS
        self.move(job_id, JobStatus.PROCESSING)
        return job

    @rule(job=held, rows=st.integers(0, 100))
    def progress(self, job: Job, rows: int) -> None:
        try:
            self.table.jobs.progress(job, rows_read=rows, rows_failed=0, bytes_read=rows)
        except IllegalTransitionError:
            assert self.status[job.job_id].is_final
        except TakenOverError:
            assert self.status[job.job_id] is JobStatus.PROCESSING

    @rule(job=held, failure=st.none() | st.just("EMPTY_FILE"))
    def finish(self, job: Job, failure: str | None) -> None:
        wanted = JobStatus.COMPLETED if failure is None else JobStatus.FAILED
        try:
            self.table.jobs.finish(job, Outcome(rows_read=100, failure=failure))
        except IllegalTransitionError:
            assert self.status[job.job_id].is_final
        except TakenOverError:
            assert self.status[job.job_id] is JobStatus.PROCESSING
        else:
            self.move(job.job_id, wanted, unless_there=True)

    @rule(job_id=made)
    def cancel(self, job_id: str) -> None:
        try:
            self.table.jobs.cancel(DOMAIN, job_id)
        except IllegalTransitionError:
            assert self.status[job_id] in (JobStatus.COMPLETED, JobStatus.FAILED)
        else:
            self.move(job_id, JobStatus.CANCELLED, unless_there=True)

    @rule(minutes=st.sampled_from([1, 17, 61, 25 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.table.clock.advance(minutes=minutes)

    @rule()
    def sweep(self) -> None:
        self.table.jobs.sweep()
        for job_id, status in self.status.items():
            if not status.is_final and self.table.repository.job(DOMAIN, job_id).status is JobStatus.FAILED:
                self.move(job_id, JobStatus.FAILED)

    @invariant()
    def the_table_agrees_with_the_model(self) -> None:
        stored = {job.job_id: job for job in self.table.repository.jobs(DOMAIN)}
        assert {job_id: job.status for job_id, job in stored.items()} == self.status
        assert self.table.active_jobs() == self.unfinished()
        for job_id, job in stored.items():
            reached = (job.attempt, job.rows_read)
            assert reached >= self.rows.get(job_id, (0, 0)), "rows only go up within an attempt"
            self.rows[job_id] = reached

    def teardown(self) -> None:
        ended = [status for status in self.status.values() if status.is_final]
        usages = list(self.table.repository.daily_usage(DOMAIN, NOON.date(), self.table.clock().date()))
        assert sum(usage.imports for usage in usages) == len(self.status)
        assert sum(usage.jobs_completed for usage in usages) == ended.count(JobStatus.COMPLETED)
        assert sum(usage.jobs_failed for usage in usages) == ended.count(JobStatus.FAILED)
        assert sum(usage.jobs_cancelled for usage in usages) == ended.count(JobStatus.CANCELLED)

    def unfinished(self) -> set[str]:
        return {job_id for job_id, status in self.status.items() if not status.is_final}

    def move(self, job_id: str, target: JobStatus, *, unless_there: bool = False) -> None:
        if not (unless_there and self.status[job_id] is target):
            assert target in LEGAL[self.status[job_id]]
        self.status[job_id] = target


def test_a_job_makes_only_legal_transitions() -> None:
    run_state_machine_as_test(Life, settings=settings(max_examples=examples(40), stateful_step_count=25, deadline=None))
