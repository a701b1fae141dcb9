"""What reaches the bucket after its shop was removed is deleted, and the message about it is done."""

from collections.abc import Callable

import pytest

from lib.platform import errors
from lib.shuttle import keys
from lib.shuttle.imports.leftovers import CleaningUp
from lib.shuttle.jobs.job import JobStatus
from tests.support.shuttle.builders import DOMAIN, ShuttleTable, a_shop
from tests.support.shuttle.importer import MemoryObjects

JOB, NEWER = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01BRZ3NDEKTSV4RRFFQ69G5FAV"


class Runner:
    """In place of a worker: ends with a status or an error."""

    def __init__(self, result: JobStatus | Exception) -> None:
        self._result = result

    def run(self, domain: str, job_id: str, seconds_left: Callable[[], float]) -> JobStatus:
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


def stored(job_id: str, domain: str = DOMAIN) -> set[str]:
    return {
        keys.upload_object(domain, job_id),
        keys.report_object(domain, job_id),
        keys.changes_object(domain, job_id, 1),
        keys.catalogue_object(domain, 1, job_id, 1),
        keys.export_object(domain, job_id, 1, "csv"),
    }


NOT_FOUND = errors.NotFoundError("the job does not exist")


@pytest.fixture
def objects() -> MemoryObjects:
    everything = stored(JOB) | stored(NEWER) | stored(JOB, f"{DOMAIN}.org")
    return MemoryObjects(dict.fromkeys(everything, b"x"))


def run(table: ShuttleTable, objects: MemoryObjects, result: JobStatus | Exception) -> JobStatus:
    return CleaningUp(Runner(result), table.repository, objects).run(DOMAIN, JOB, lambda: 60.0)


def test_the_objects_of_a_job_that_went_with_its_shop_are_deleted(shuttle_table: ShuttleTable, objects: MemoryObjects) -> None:
    assert run(shuttle_table, objects, NOT_FOUND) is JobStatus.CANCELLED

    assert set(objects.stored) == stored(NEWER) | stored(JOB, f"{DOMAIN}.org")


def test_a_job_that_is_missing_while_its_shop_is_there_is_an_error(shuttle_table: ShuttleTable, objects: MemoryObjects) -> None:
    shuttle_table.registry.install(a_shop())

    with pytest.raises(errors.NotFoundError):
        run(shuttle_table, objects, NOT_FOUND)
    assert set(objects.stored) >= stored(JOB)


@pytest.mark.parametrize("result", [JobStatus.COMPLETED, errors.UnavailableError("later")])
def test_any_other_end_of_a_job_deletes_nothing(
    shuttle_table: ShuttleTable, objects: MemoryObjects, result: JobStatus | Exception
) -> None:
    if isinstance(result, Exception):
        with pytest.raises(errors.UnavailableError):
            run(shuttle_table, objects, result)
    else:
        assert run(shuttle_table, objects, result) is result
    assert set(objects.stored) >= stored(JOB)
