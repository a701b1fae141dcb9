"""Imports and rollbacks of one catalogue at once, by DynamoDB's own transactions: as they wait, and as they conflict."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from lib.platform import errors
from lib.shuttle.jobs.job import JobStatus
from lib.shuttle.jobs.transitions import IllegalTransitionError
from tests.support.concurrency import at_once
from tests.support.dynamodb.transaction_conflicts import ConflictingClient
from tests.support.shuttle.builders import DOMAIN, ShuttleTable, a_shop, limits
from tests.support.shuttle.catalogues import Imports

WORKERS = 8


@pytest.fixture(params=["transactions wait", "transactions conflict"])
def client(request: pytest.FixtureRequest, shuttle_table: ShuttleTable) -> Iterator[Any]:
    """The client of the workers that run at once."""
    if request.param == "transactions wait":
        yield shuttle_table.client.client
        return
    conflicting = ConflictingClient(shuttle_table.client.client, ("PK", "SK"))
    yield conflicting
    assert conflicting.conflicts > 0, "no two transactions conflicted: nothing was tested"


def with_retries(act: Callable[[], Any]) -> Any:
    """The result of ``act``, repeated while nothing was written: the queue delivers the message again."""
    while True:
        try:
            return act()
        except errors.RetryableError:
            continue


def test_every_import_at_once_is_in_the_catalogue_once(shuttle_table: ShuttleTable, client: Any) -> None:
    shuttle_table.registry.install(a_shop(feature_limits=limits()))
    imports = Imports(shuttle_table)
    started = [imports.jobs().start(DOMAIN, imports.order()) for _ in range(WORKERS)]

    at_once([partial(with_retries, partial(imports.finish, job, client)) for job in started])

    current = shuttle_table.repository.catalogue(DOMAIN)
    assert current.version == WORKERS
    assert imports.rows(current) == {job.job_id for job in started}
    assert [version.version for version in imports.store().versions(DOMAIN)] == list(range(WORKERS, 0, -1))
    assert shuttle_table.active_jobs() == set()


def test_a_job_delivered_to_many_workers_makes_one_version(shuttle_table: ShuttleTable, client: Any) -> None:
    shuttle_table.registry.install(a_shop(feature_limits=limits()))
    imports = Imports(shuttle_table)
    first = imports.imported()
    job = imports.jobs().start(DOMAIN, imports.order())

    results = at_once([partial(with_retries, partial(imports.finish, job, client))] * WORKERS)

    assert [result for result in results if isinstance(result, Exception)] == []
    assert shuttle_table.repository.catalogue(DOMAIN).version == first.version + 1
    assert shuttle_table.repository.job(DOMAIN, job.job_id).catalogue_version == first.version + 1


def test_imports_rollbacks_and_cancels_at_once_leave_one_chain(shuttle_table: ShuttleTable, client: Any) -> None:
    shuttle_table.registry.install(a_shop(feature_limits=limits()))
    imports = Imports(shuttle_table)
    imports.imported(3)
    started = [imports.jobs().start(DOMAIN, imports.order()) for _ in range(4)]
    works: list[Callable[[], Any]] = [partial(imports.finish, job, client) for job in started]
    works += [partial(imports.jobs(client).cancel, DOMAIN, job.job_id) for job in started[:2]]
    works += [partial(imports.store(client).rollback, DOMAIN, version) for version in (1, 2)]

    results = at_once([partial(with_retries, work) for work in works])

    assert {type(result) for result in results if isinstance(result, Exception)} <= {IllegalTransitionError}
    chain = {version.version: version for version in imports.store().versions(DOMAIN)}
    assert sorted(chain) == list(range(1, len(chain) + 1))
    for number in range(4, len(chain) + 1):
        version = chain[number]
        if version.restored_from is None:
            assert imports.rows(version) == imports.rows(chain[number - 1]) | {version.job_id}
        else:
            assert version.object_key == chain[version.restored_from].object_key
    stored = {job.job_id: job.status for job in shuttle_table.repository.jobs(DOMAIN)}
    made = [version.job_id for version in chain.values() if version.restored_from is None]
    assert sorted(made) == sorted(job_id for job_id, status in stored.items() if status is JobStatus.COMPLETED)
