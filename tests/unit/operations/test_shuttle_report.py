"""Reports about Shuttle: pages of jobs without gaps and repeats, and the beginning of an error report."""

import io
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.operations.shuttle_report import page_of_all_jobs, report_job
from lib.platform import errors
from lib.shuttle.imports.reports import ErrorReport, RowError, RowErrorCode
from lib.shuttle.jobs.job import ErrorSummary, JobStatus, Outcome
from lib.shuttle.repository import fail
from tests.support.shuttle.builders import DOMAIN, NOON, ShuttleTable, a_shop, a_table, an_order, limits


@pytest.fixture
def table() -> ShuttleTable:
    table = a_table()
    table.registry.install(a_shop(feature_limits=limits()))
    return table


def some_jobs(table: ShuttleTable, number: int) -> list[str]:
    """Jobs a minute apart, every third one cancelled, in the order of their last status change."""
    made = []
    for index in range(number):
        table.clock.advance(minutes=1)
        made.append(table.jobs.create(DOMAIN, an_order()).job_id)
        if index % 3 == 0:
            table.jobs.cancel(DOMAIN, made[-1])
    return made


def all_pages(table: ShuttleTable, **wanted: Any) -> list[str]:
    found, cursor = [], ""
    while True:
        page = page_of_all_jobs(table.repository, tuple(JobStatus), cursor=cursor, skip=fail, **wanted)
        found += [job.job_id for job in page.rows]
        assert len(page.rows) <= 50
        if not page.cursor:
            return found
        cursor = page.cursor


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_pages_of_all_jobs_have_each_job_once_in_order(table: ShuttleTable, newest_first: bool) -> None:
    made = some_jobs(table, 60)

    found = all_pages(table, newest_first=newest_first)

    assert found == (made[::-1] if newest_first else made)


@pytest.mark.parametrize("newest_first", [True, False])
def test_jobs_of_the_same_instant_are_not_lost_between_pages(table: ShuttleTable, newest_first: bool) -> None:
    made = sorted(table.jobs.create(DOMAIN, an_order()).job_id for _ in range(60))

    assert sorted(all_pages(table, newest_first=newest_first)) == made


def test_jobs_are_limited_to_those_in_their_status_for_long(table: ShuttleTable) -> None:
    made = some_jobs(table, 10)

    assert all_pages(table, until=NOON + timedelta(minutes=4)) == made[3::-1]
    assert all_pages(table, until=NOON + timedelta(minutes=4), newest_first=False) == made[:4]
    assert all_pages(table, until=NOON - timedelta(weeks=99_999)) == []


@pytest.mark.parametrize("cursor", ["x", "2026-01-22T12:00:00.000000Z", "2026-01-22T12:00:00.000000Z~x", "~"])
def test_a_malformed_cursor_is_refused(table: ShuttleTable, cursor: str) -> None:
    with pytest.raises(errors.InvalidInputError):
        page_of_all_jobs(table.repository, (JobStatus.QUEUED,), cursor=cursor, skip=fail)


class Bucket:
    """A bucket with one object, or without."""

    def __init__(self, content: bytes | None) -> None:
        self._content = content

    def get_object(self, **request: Any) -> Any:
        if self._content is None:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "ada@example.com"}}, "GetObject")
        last = int(request["Range"].rpartition("-")[2])
        return {"Body": io.BytesIO(self._content[: last + 1])}


def a_failed_job(table: ShuttleTable) -> str:
    job = table.jobs.start(DOMAIN, table.jobs.create(DOMAIN, an_order()).job_id)
    table.jobs.finish(job, Outcome(rows_read=1, rows_failed=1, has_report=True, failure="NO_VALID_ROW"))
    return job.job_id


@pytest.mark.parametrize("number", [1, 19, 300, 2000])
def test_only_the_first_whole_errors_of_a_report_are_read(table: ShuttleTable, number: int) -> None:
    every = tuple(
        RowError(row, row + 1 if row % 2 else None, 'a "column"\nwith a name', RowErrorCode.WRONG_TYPE, "is not, a number")
        for row in range(1, number + 1)
    )
    content = ErrorReport((ErrorSummary(code="WRONG_TYPE", count=number + 5, first_rows=(1,)),), every).as_csv().read()

    found = report_job(table.repository, Bucket(content), "imports", DOMAIN, a_failed_job(table))

    assert found.first_errors == every[:20]
    assert found.problem == ""


def test_a_report_that_can_not_be_read_is_a_problem_without_personal_data(table: ShuttleTable) -> None:
    found = report_job(table.repository, Bucket(None), "imports", DOMAIN, a_failed_job(table))

    assert found.first_errors == ()
    assert found.problem.startswith("could not read the error report")
    assert "ada" not in found.problem


def test_without_a_report_the_bucket_is_not_read(table: ShuttleTable) -> None:
    job_id = table.jobs.create(DOMAIN, an_order()).job_id

    assert report_job(table.repository, None, "imports", DOMAIN, job_id).first_errors == ()
