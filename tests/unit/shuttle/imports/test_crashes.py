"""A worker may fail at any call: the catalogue is as before or as after, and the next delivery ends the job."""

import contextlib
import copy
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pytest

from lib.platform import errors
from lib.shuttle.imports.files import ByteStream, StoredObject
from lib.shuttle.jobs.job import JobMode, JobStatus
from tests.support.shuttle.builders import DOMAIN, RecordingClient, ShuttleTable, a_shop, a_table
from tests.support.shuttle.importer import COLUMNS, MemoryObjects, World

FIRST = b"sku,price,stock\nA1,9.50,3\nA2,1.00,\n"
SECOND = b"sku,price,stock\nA1,8,3\nA3,7,\nA4,x,\n"


class KilledError(BaseException):
    """The process ended here."""


@dataclass
class Failing:
    """Counts calls, and raises at call number ``at``: before it has an effect, or after."""

    error: BaseException
    at: int = 0
    is_after: bool = False
    calls: list[str] = field(default_factory=list)

    def call(self, name: str, action: Any) -> Any:
        self.calls.append(name)
        is_this = len(self.calls) == self.at
        if is_this and not self.is_after:
            raise self.error
        answer = action()
        if is_this:
            raise self.error
        return answer


@dataclass
class FailingClient:
    client: Any
    failing: Failing

    def __getattr__(self, name: str) -> Any:
        return lambda **request: self.failing.call(name, lambda: getattr(self.client, name)(**request))


@dataclass
class FailingObjects:
    objects: MemoryObjects
    failing: Failing

    def open(self, key: str) -> ByteStream:
        stream = self.failing.call(f"open {key.split('/', maxsplit=1)[0]}", lambda: self.objects.open(key))
        return FailingStream(stream, self.failing)

    def put(self, key: str, body: BinaryIO, content_type: str) -> None:
        self.failing.call(f"put {key.split('/', maxsplit=1)[0]}", lambda: self.objects.put(key, body, content_type))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        return iter(self.failing.call("list", lambda: list(self.objects.list(prefix))))

    def delete(self, key: str) -> None:
        self.failing.call("delete", lambda: self.objects.delete(key))


@dataclass
class FailingStream:
    stream: ByteStream
    failing: Failing

    def read(self, amount: int, /) -> bytes:
        content: bytes = self.failing.call("read", lambda: self.stream.read(amount))
        return content


def a_world() -> World:
    return copy.deepcopy(_prepared_world())


@functools.cache
def _prepared_world() -> World:
    table = a_table()
    table.registry.install(a_shop())
    table.registry.save_schema(DOMAIN, COLUMNS, replaces=0, key_columns=("sku",))
    world = World(table)
    world.imported(FIRST)
    return world


def failing_world(world: World, failing: Failing) -> World:
    """The same table and bucket, whose calls fail."""
    table = ShuttleTable(RecordingClient(FailingClient(world.table.client, failing)), world.table.name, world.table.clock)
    objects: Any = FailingObjects(world.objects, failing)
    return World(table, objects, published=world.published)


def deliver(world: World, job_id: str) -> None:
    with contextlib.suppress(errors.SwitchboardError, KilledError):
        world.run(job_id)


# Every call of an import, in order. Here rather than found out, which each of the workers that collect tests would do.
CALLS = (
    *("update_item", "get_item", "get_item"),
    *("open uploads", "read", "read", "read", "read", "put reports"),
    *("get_item", "open catalogue", "read", "read"),
    *("put changes", "put catalogue", "transact_write_items", "list"),
)


def test_an_import_makes_exactly_these_calls() -> None:
    world, failing = a_world(), Failing(KilledError())
    deliver(failing_world(world, failing), world.upload(SECOND, mode=JobMode.OVERWRITE_EXISTING))

    assert tuple(failing.calls) == CALLS


@pytest.mark.parametrize(
    ("error", "is_after"),
    [
        pytest.param(KilledError(), True, id="killed after"),  # which is before the next call
        pytest.param(errors.ConnectionLostError("broken"), False, id="broken before"),
    ],
)
@pytest.mark.parametrize(
    "at", range(1, len(CALLS) + 1), ids=[f"{n}-{name.replace(' ', '-')}" for n, name in enumerate(CALLS, 1)]
)
def test_the_next_delivery_ends_a_job_whose_worker_failed(at: int, error: BaseException, is_after: bool) -> None:
    world = a_world()
    job_id = world.upload(SECOND, mode=JobMode.OVERWRITE_EXISTING)

    deliver(failing_world(world, Failing(error, at, is_after)), job_id)

    assert world.rows() == (AFTER if world.job(job_id).status is JobStatus.COMPLETED else BEFORE)
    world.table.clock.advance(minutes=17)
    deliver(world, job_id)
    assert world.job(job_id).status is JobStatus.COMPLETED
    assert world.rows() == AFTER
    assert world.job(job_id).catalogue_version == 2
    assert (world.job(job_id).counts.added, world.job(job_id).counts.replaced) == (1, 1)
    assert world.table.active_jobs() == set()


BEFORE = [{"sku": "A1", "price": "9.50", "stock": "3"}, {"sku": "A2", "price": "1.00", "stock": None}]
AFTER = [
    {"sku": "A1", "price": "8", "stock": "3"},
    {"sku": "A2", "price": "1.00", "stock": None},
    {"sku": "A3", "price": "7", "stock": None},
]
