"""The life of a job: created once, within limits, changed only from its current status, ended once."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lib.platform import errors
from lib.platform.dynamodb import CONFLICT_TRIES
from lib.shuttle.entities import BillingState
from lib.shuttle.jobs.job import JobKind, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.limits import BillingInactiveError, LimitExceededError
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError
from tests.support.aws.wire import aws_error
from tests.support.shuttle.builders import DOMAIN, ShuttleTable, a_shop, an_order, limits


@pytest.fixture
def installed(shuttle_table: ShuttleTable) -> ShuttleTable:
    shuttle_table.registry.install(a_shop(feature_limits=limits(concurrent_jobs=2, daily_imports=3, monthly_imports=4)))
    return shuttle_table


class FailingClient:
    """Passes calls on; the first ones of ``method`` raise ``failures``, with ``after`` once they have taken effect."""

    def __init__(self, client: Any, method: str, failures: list[Exception], *, after: bool = False) -> None:
        self._client = client
        self._method = method
        self.failures = failures
        self._after = after

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            if name != self._method or not self.failures:
                return getattr(self._client, name)(**request)
            if self._after:
                getattr(self._client, name)(**request)
            raise self.failures.pop(0)

        return call


def conflict(beside: str = "None") -> ClientError:
    reasons = [{"Code": "TransactionConflict"}, {"Code": beside}]
    return aws_error("TransactionCanceledException", operation="TransactWriteItems", CancellationReasons=reasons)


def jobs_through(table: ShuttleTable, client: FailingClient) -> Jobs:
    return Jobs(client, table.name, table.clock, sleep=lambda seconds: None)


def test_a_job_is_created_by_one_read_and_one_transaction(installed: ShuttleTable) -> None:
    installed.client.forget()
    job = installed.jobs.create(DOMAIN, an_order(client_token="t1"))
    assert [name for name, _ in installed.calls] == ["get_item", "transact_write_items"]
    kinds = [
        (next(iter(operation)), next(iter(operation.values())).get("ConditionExpression"))
        for operation in installed.calls[1][1]["TransactItems"]
    ]
    assert kinds == [
        ("Put", "attribute_not_exists(#PK) OR #ExpiresAt <= :now"),
        (
            "ConditionCheck",
            "#Plan = :plan AND #BillingState = :billing AND (#FeatureLimits = :limits OR #FeatureLimits = :agreed)",
        ),
        ("Update", "attribute_not_exists(#ActiveJobs) OR size(#ActiveJobs) < :allowed"),
        ("Update", "attribute_not_exists(#Imports) OR #Imports < :allowed"),
        ("Update", "attribute_not_exists(#Imports) OR #Imports < :allowed"),
        ("Put", "attribute_not_exists(#PK)"),
    ]
    assert installed.repository.job(DOMAIN, job.job_id) == job


@pytest.mark.parametrize(
    ("steps", "limit", "allowed"),
    [
        pytest.param(["create"] * 3, "concurrent_jobs", 2, id="jobs at a time"),
        pytest.param(["create", "cancel"] * 3 + ["create"], "daily_imports", 3, id="imports a day"),
        pytest.param(["create", "cancel"] * 3 + ["next day", "create", "cancel", "create"], "monthly_imports", 4, id="a month"),
    ],
)
def test_a_limit_that_is_reached_is_named(installed: ShuttleTable, steps: list[str], limit: str, allowed: int) -> None:
    made: list[str] = []
    assert steps[-1] == "create"
    for step in steps[:-1]:
        match step:
            case "create":
                made.append(installed.jobs.create(DOMAIN, an_order()).job_id)
            case "cancel":
                installed.jobs.cancel(DOMAIN, made[-1])
            case "next day":
                installed.clock.advance(days=1)
    with pytest.raises(LimitExceededError) as refused:
        installed.jobs.create(DOMAIN, an_order())
    assert (refused.value.limit, refused.value.allowed) == (limit, allowed)


def test_an_export_does_not_count_as_an_import(shuttle_table: ShuttleTable) -> None:
    shuttle_table.registry.install(a_shop(feature_limits=limits(daily_imports=0)))
    shuttle_table.jobs.create(DOMAIN, an_order(kind=JobKind.EXPORT, mode=None))
    with pytest.raises(LimitExceededError):
        shuttle_table.jobs.create(DOMAIN, an_order())


def test_a_shop_that_does_not_pay_can_not_create_jobs(shuttle_table: ShuttleTable) -> None:
    shuttle_table.registry.install(a_shop(billing_state=BillingState.SUSPENDED))
    with pytest.raises(BillingInactiveError):
        shuttle_table.jobs.create(DOMAIN, an_order())


def test_an_order_larger_than_the_plan_allows_is_refused(shuttle_table: ShuttleTable) -> None:
    shuttle_table.registry.install(a_shop(feature_limits=limits(max_file_bytes=100)))
    with pytest.raises(errors.PayloadTooLargeError):
        shuttle_table.jobs.create(DOMAIN, an_order(file_bytes=101))


def test_a_repeated_order_is_the_same_job(installed: ShuttleTable) -> None:
    order = an_order()
    assert installed.jobs.create(DOMAIN, order) == installed.jobs.create(DOMAIN, order)
    assert len(installed.active_jobs()) == 1


def test_a_repeated_order_is_the_same_job_even_at_the_limit(installed: ShuttleTable) -> None:
    order = an_order()
    job = installed.jobs.create(DOMAIN, order)
    installed.jobs.create(DOMAIN, an_order())
    assert installed.jobs.create(DOMAIN, order) == job


def test_another_order_with_the_same_token_is_refused(installed: ShuttleTable) -> None:
    installed.jobs.create(DOMAIN, an_order(client_token="t1", file_bytes=1))
    with pytest.raises(errors.InvalidInputError, match="client token"):
        installed.jobs.create(DOMAIN, an_order(client_token="t1", file_bytes=2))


def test_a_token_expires_after_a_day(installed: ShuttleTable) -> None:
    first = installed.jobs.create(DOMAIN, an_order(client_token="t1"))
    installed.clock.advance(hours=24)
    assert installed.jobs.create(DOMAIN, an_order(client_token="t1")).job_id != first.job_id


def test_the_token_finds_the_job_whose_answer_was_lost(installed: ShuttleTable) -> None:
    order = an_order()
    lossy = FailingClient(installed.client, "transact_write_items", [ReadTimeoutError(endpoint_url="")], after=True)
    with pytest.raises(errors.AmbiguousError):
        jobs_through(installed, lossy).create(DOMAIN, order)
    job = jobs_through(installed, lossy).create(DOMAIN, order)
    assert installed.active_jobs() == {job.job_id}


def test_a_conflict_with_another_transaction_is_retried(installed: ShuttleTable) -> None:
    client = FailingClient(installed.client, "transact_write_items", [conflict()] * (CONFLICT_TRIES - 1))
    assert jobs_through(installed, client).create(DOMAIN, an_order()).status is JobStatus.QUEUED


def test_a_lasting_conflict_is_reported_as_throttling(installed: ShuttleTable) -> None:
    client = FailingClient(installed.client, "transact_write_items", [conflict()] * CONFLICT_TRIES)
    with pytest.raises(errors.ThrottledError):
        jobs_through(installed, client).create(DOMAIN, an_order())
    assert client.failures == []


def test_a_failed_condition_beside_a_conflict_is_not_retried(installed: ShuttleTable) -> None:
    both = conflict(beside="ConditionalCheckFailed")
    client = FailingClient(installed.client, "transact_write_items", [both, both])
    with pytest.raises(errors.UnavailableError):
        jobs_through(installed, client).create(DOMAIN, an_order())
    assert len(client.failures) == 1


def test_a_plan_that_changes_after_it_was_read_refuses_the_job(installed: ShuttleTable) -> None:
    class ChangingClient(FailingClient):
        def get_item(self, **request: Any) -> Any:
            answer = installed.client.get_item(**request)
            installed.registry.change_plan(DOMAIN, Plan.LARGE, BillingState.SUSPENDED)
            return answer

    with pytest.raises(errors.UnavailableError, match="changed in the meantime"):
        jobs_through(installed, ChangingClient(installed.client, "", [])).create(DOMAIN, an_order())
    assert installed.active_jobs() == set()
    assert list(installed.repository.jobs(DOMAIN)) == []


def test_a_stale_job_that_was_started_again_is_not_failed(installed: ShuttleTable) -> None:
    job = installed.jobs.start(DOMAIN, installed.jobs.create(DOMAIN, an_order()).job_id)
    installed.clock.advance(hours=1)
    (stale,) = installed.repository.stale_jobs(JobStatus.PROCESSING, installed.clock())
    installed.jobs.start(DOMAIN, job.job_id)  # the queue brought it back after all
    assert not installed.jobs.give_up(stale, "WORKER_LOST", "")
    assert installed.repository.job(DOMAIN, job.job_id).status is JobStatus.PROCESSING
    assert installed.active_jobs() == {job.job_id}


def test_finishing_again_after_a_lost_answer_succeeds(installed: ShuttleTable) -> None:
    job = installed.jobs.start(DOMAIN, installed.jobs.create(DOMAIN, an_order()).job_id)
    installed.jobs.finish(job, Outcome(rows_read=3))
    installed.jobs.finish(job, Outcome(rows_read=3))
    today = installed.clock().date()
    (usage,) = installed.repository.daily_usage(DOMAIN, today, today)
    assert (usage.jobs_completed, usage.rows_read) == (1, 3)


def test_a_replaced_worker_can_not_finish_as_the_next_one_did(installed: ShuttleTable) -> None:
    lost = installed.jobs.start(DOMAIN, installed.jobs.create(DOMAIN, an_order()).job_id)
    installed.clock.advance(minutes=17)
    installed.jobs.finish(installed.jobs.start(DOMAIN, lost.job_id), Outcome(rows_read=3))

    with pytest.raises(IllegalTransitionError):
        installed.jobs.finish(lost, Outcome(rows_read=3))


def test_ending_a_job_is_one_transaction(installed: ShuttleTable) -> None:
    job = installed.jobs.start(DOMAIN, installed.jobs.create(DOMAIN, an_order()).job_id)
    installed.client.forget()
    installed.jobs.finish(job, Outcome())
    ((name, request),) = installed.calls
    assert name == "transact_write_items"
    assert request["TransactItems"][0]["Update"]["ConditionExpression"] == "#Status = :processing AND #Attempt = :attempt"
    assert request["TransactItems"][1]["Update"]["UpdateExpression"] == "DELETE #ActiveJobs :ActiveJobs"
    assert installed.active_jobs() == set()


def test_progress_never_goes_back(installed: ShuttleTable) -> None:
    job = installed.jobs.start(DOMAIN, installed.jobs.create(DOMAIN, an_order()).job_id)
    assert installed.jobs.progress(job, rows_read=10, rows_failed=1, bytes_read=100)
    assert not installed.jobs.progress(job, rows_read=10, rows_failed=0, bytes_read=100)
    assert not installed.jobs.progress(job, rows_read=9, rows_failed=0, bytes_read=90)
    stored = installed.repository.job(DOMAIN, job.job_id)
    assert (stored.rows_read, stored.rows_failed) == (10, 1)


def test_progress_of_a_cancelled_job_is_refused(installed: ShuttleTable) -> None:
    job = installed.jobs.start(DOMAIN, installed.jobs.create(DOMAIN, an_order()).job_id)
    installed.jobs.cancel(DOMAIN, job.job_id)
    with pytest.raises(IllegalTransitionError) as refused:
        installed.jobs.progress(job, rows_read=1, rows_failed=0, bytes_read=1)
    assert refused.value.current is JobStatus.CANCELLED


def test_a_worker_that_was_replaced_can_not_report_or_finish(installed: ShuttleTable) -> None:
    lost = installed.jobs.start(DOMAIN, installed.jobs.create(DOMAIN, an_order()).job_id)
    installed.clock.advance(minutes=16)
    installed.jobs.start(DOMAIN, lost.job_id)
    with pytest.raises(TakenOverError):
        installed.jobs.progress(lost, rows_read=1, rows_failed=0, bytes_read=1)
    with pytest.raises(TakenOverError):
        installed.jobs.finish(lost, Outcome())


@pytest.mark.parametrize("failure", [None, "EMPTY_FILE"])
def test_a_job_that_has_ended_is_not_cancelled(installed: ShuttleTable, failure: str | None) -> None:
    job = installed.jobs.start(DOMAIN, installed.jobs.create(DOMAIN, an_order()).job_id)
    installed.jobs.finish(job, Outcome(failure=failure))
    with pytest.raises(IllegalTransitionError, match="can't become CANCELLED"):
        installed.jobs.cancel(DOMAIN, job.job_id)


def test_cancelling_is_idempotent(installed: ShuttleTable) -> None:
    job = installed.jobs.create(DOMAIN, an_order())
    assert installed.jobs.cancel(DOMAIN, job.job_id) == installed.jobs.cancel(DOMAIN, job.job_id)


def test_cancelling_an_unknown_job_is_not_found(installed: ShuttleTable) -> None:
    with pytest.raises(errors.NotFoundError):
        installed.jobs.cancel(DOMAIN, "01J00000000000000000000000")
    assert installed.get_raw(f"SHOP#{DOMAIN}", "JOB#01J00000000000000000000000") == {}


def test_the_sweep_fails_stale_jobs_and_frees_their_slots(installed: ShuttleTable) -> None:
    lost = installed.jobs.start(DOMAIN, installed.jobs.create(DOMAIN, an_order()).job_id)
    unused = installed.jobs.create(DOMAIN, an_order())
    installed.clock.advance(minutes=59)
    assert installed.jobs.sweep() == {"WORKER_LOST": 0, "UPLOAD_MISSING": 0}
    installed.clock.advance(minutes=1)
    assert installed.jobs.sweep() == {"WORKER_LOST": 1, "UPLOAD_MISSING": 0}
    installed.clock.advance(hours=23)
    assert installed.jobs.sweep() == {"WORKER_LOST": 0, "UPLOAD_MISSING": 1}
    assert installed.active_jobs() == set()
    assert [installed.repository.job(DOMAIN, job.job_id).failure for job in (lost, unused)] == ["WORKER_LOST", "UPLOAD_MISSING"]


def test_a_schema_does_not_replace_one_that_was_not_read(installed: ShuttleTable) -> None:
    from lib.shuttle.entities import Column
    from lib.shuttle.registry import SchemaChangedError

    installed.registry.save_schema(DOMAIN, (Column(name="a"),), replaces=0)
    for stale in (0, 2):
        with pytest.raises(SchemaChangedError):
            installed.registry.save_schema(DOMAIN, (Column(name="b"),), replaces=stale)
    assert installed.repository.current_schema(DOMAIN).columns == (Column(name="a"),)


def test_a_shop_is_installed_once(installed: ShuttleTable) -> None:
    assert not installed.registry.install(a_shop(billing_state=BillingState.CANCELLED))
    assert installed.repository.shop(DOMAIN).billing_state is BillingState.ACTIVE
