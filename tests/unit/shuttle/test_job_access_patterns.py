"""The access patterns of jobs, of one shop and of all: the requests each sends, and what it finds."""

import itertools
from datetime import timedelta

import pytest

from lib.platform import errors
from lib.shuttle import keys, ulids
from lib.shuttle.jobs.job import JobStatus
from tests.support.shuttle.builders import DOMAIN, NOON, OTHER, ShuttleTable, a_shop
from tests.support.shuttle.queries import a_job, a_query, put, sent


def test_a_job_is_one_get_item(shuttle_table: ShuttleTable) -> None:
    job = a_job()
    put(shuttle_table, job)
    assert shuttle_table.repository.job(DOMAIN, job.job_id) == job
    assert sent(shuttle_table, "get_item") == {
        "Key": {"PK": {"S": "SHOP#teapots.example.com"}, "SK": {"S": f"JOB#{job.job_id}"}},
        "ConsistentRead": True,
    }


def test_a_job_is_not_found_under_another_shop(shuttle_table: ShuttleTable) -> None:
    job = a_job()
    put(shuttle_table, job)
    with pytest.raises(errors.NotFoundError):
        shuttle_table.repository.job(OTHER, job.job_id)


def test_the_jobs_of_a_shop_are_listed_newest_first(shuttle_table: ShuttleTable) -> None:
    old, new = a_job(minutes_ago=9), a_job(minutes_ago=1)
    put(shuttle_table, old, new, a_job(domain=OTHER), a_shop())
    assert list(shuttle_table.repository.jobs(DOMAIN)) == [new, old]
    assert sent(shuttle_table, "query") == a_query(
        "SHOP#teapots.example.com", " AND begins_with(#sk, :sk)", {":sk": "JOB#"}, ScanIndexForward=False
    )


def test_the_jobs_of_a_shop_are_fetched_a_page_at_a_time(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, *(a_job(minutes_ago=minute) for minute in range(5)))
    jobs = shuttle_table.repository.jobs(DOMAIN, page_size=2)
    assert shuttle_table.calls == []
    first = list(itertools.islice(jobs, 2))
    assert [request["Limit"] for _, request in shuttle_table.calls] == [2]
    rest = list(jobs)
    assert len(first + rest) == 5
    assert len(shuttle_table.calls) == 3


def test_a_list_of_jobs_continues_after_the_last_one_seen(shuttle_table: ShuttleTable) -> None:
    jobs = [a_job(minutes_ago=minute) for minute in range(3)]
    put(shuttle_table, *jobs)
    assert list(shuttle_table.repository.jobs(DOMAIN, after=jobs[0].job_id)) == jobs[1:]
    assert sent(shuttle_table, "query")["ExclusiveStartKey"] == {
        "PK": {"S": "SHOP#teapots.example.com"},
        "SK": {"S": f"JOB#{jobs[0].job_id}"},
    }


def test_jobs_are_listed_between_dates_both_ends_included(shuttle_table: ShuttleTable) -> None:
    jobs = [a_job(minutes_ago=minute) for minute in range(4)]
    put(shuttle_table, *jobs)
    start, end = NOON - timedelta(minutes=2), NOON - timedelta(minutes=1)
    assert list(shuttle_table.repository.jobs_between(DOMAIN, start, end)) == [jobs[1], jobs[2]]
    assert sent(shuttle_table, "query") == a_query(
        "SHOP#teapots.example.com",
        " AND #sk BETWEEN :low AND :high",
        {":low": f"JOB#{ulids.first_at(start)}", ":high": f"JOB#{ulids.last_at(end)}"},
        ScanIndexForward=False,
    )


def test_after_must_be_a_job_between_the_dates(shuttle_table: ShuttleTable) -> None:
    outside = ulids.new(NOON - timedelta(days=3))
    with pytest.raises(errors.InvalidInputError):
        shuttle_table.repository.jobs_between(DOMAIN, NOON - timedelta(days=2), NOON, after=outside)


def test_the_jobs_of_a_shop_are_listed_by_status(shuttle_table: ShuttleTable) -> None:
    failed = a_job(status=JobStatus.FAILED)
    put(shuttle_table, failed, a_job(), a_job(domain=OTHER, status=JobStatus.FAILED))
    (found,) = shuttle_table.repository.jobs_by_status(DOMAIN, JobStatus.FAILED)
    assert (found.job_id, found.failure) == (failed.job_id, "EMPTY_FILE")
    assert sent(shuttle_table, "query") == a_query(
        "teapots.example.com", " AND #sk = :sk", {":sk": "FAILED"}, IndexName="StatusIndex"
    )


def test_a_list_by_status_continues_after_the_last_job_seen(shuttle_table: ShuttleTable) -> None:
    made = [a_job(minutes_ago=minute) for minute in range(3)]
    put(shuttle_table, *made)
    jobs = {job.job_id for job in made}
    (first,) = itertools.islice(shuttle_table.repository.jobs_by_status(DOMAIN, JobStatus.QUEUED, page_size=1), 1)
    rest = shuttle_table.repository.jobs_by_status(DOMAIN, JobStatus.QUEUED, after=first.job_id)
    assert {job.job_id for job in rest} == jobs - {first.job_id}


# Jobs of all shops


def test_the_jobs_of_all_shops_are_one_query_per_shard_merged(shuttle_table: ShuttleTable) -> None:
    jobs = [a_job(minutes_ago=minute, domain=f"shop{minute}.example.com") for minute in range(30)]
    put(shuttle_table, *jobs, a_job(status=JobStatus.FAILED))
    found = [job.job_id for job in shuttle_table.repository.all_jobs_by_status(JobStatus.QUEUED)]
    assert found == [job.job_id for job in reversed(jobs)]
    requests = [
        {key: value for key, value in request.items() if key not in {"TableName", "Limit"}}
        for _, request in shuttle_table.calls
    ]
    assert requests == [a_query(f"JOBS#QUEUED#{shard:02d}", IndexName="GSI1") for shard in range(8)]


def test_the_jobs_of_all_shops_are_fetched_as_they_are_read(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, *(a_job(minutes_ago=minute) for minute in range(40)))
    next(shuttle_table.repository.all_jobs_by_status(JobStatus.QUEUED, page_size=1))
    assert len(shuttle_table.calls) == keys.STATUS_SHARDS


def test_jobs_are_spread_over_every_shard() -> None:
    shards = {keys.status_shard(ulids.new(NOON)) for _ in range(500)}
    assert shards == set(range(keys.STATUS_SHARDS))


def test_stale_jobs_have_their_status_since_the_time_or_longer(shuttle_table: ShuttleTable) -> None:
    jobs = [a_job(minutes_ago=minute, status=JobStatus.PROCESSING) for minute in (10, 60, 90)]
    put(shuttle_table, *jobs)
    found = shuttle_table.repository.stale_jobs(JobStatus.PROCESSING, NOON - timedelta(minutes=60))
    assert [job.job_id for job in found] == [jobs[2].job_id, jobs[1].job_id]
    assert {request["KeyConditionExpression"] for _, request in shuttle_table.calls} == {
        "#pk = :pk AND #sk BETWEEN :low AND :high"
    }
    assert {request["ExpressionAttributeValues"][":high"]["S"] for _, request in shuttle_table.calls} == {
        "2026-01-22T11:00:00.000000Z\x7f"
    }
    assert len(shuttle_table.calls) == keys.STATUS_SHARDS
