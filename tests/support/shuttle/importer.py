"""An import worker over a table and a bucket in memory."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

import pytest

from lib.platform import errors
from lib.shuttle import keys
from lib.shuttle.entities import Column, ColumnType
from lib.shuttle.imports.files import ByteStream, StoredObject
from lib.shuttle.imports.worker import Importer
from lib.shuttle.jobs.job import FileFormat, Job, JobStatus
from tests.support.shuttle.builders import DOMAIN, NOON, ShuttleTable, a_shop, an_order, limits

COLUMNS = (
    Column(name="sku", required=True, max_length=8),
    Column(name="price", type=ColumnType.DECIMAL),
    Column(name="stock", type=ColumnType.INTEGER),
)


GOOD_CSV = b"sku,price,stock\nA1,9.50,3\nA2,,\n"


@dataclass
class MemoryObjects:
    """The import bucket, in memory."""

    stored: dict[str, bytes] = field(default_factory=dict)
    during_read: Callable[[], object] = lambda: None
    stored_at: datetime = NOON
    modified: dict[str, datetime] = field(default_factory=dict)

    def open(self, key: str) -> ByteStream:
        if key not in self.stored:
            raise errors.NotFoundError("could not open the upload: NoSuchKey")
        return Hooked(io.BytesIO(self.stored[key]), self)

    def put(self, key: str, body: BinaryIO, content_type: str) -> None:
        content = b""
        while piece := body.read(64 * 1024):
            content += piece
        self.stored[key] = content
        self.modified[key] = self.stored_at

    def list(self, prefix: str) -> Iterator[StoredObject]:
        found = [key for key in sorted(self.stored) if key.startswith(prefix)]
        return iter([StoredObject(key, self.modified.get(key, self.stored_at)) for key in found])

    def delete(self, key: str) -> None:
        self.stored.pop(key, None)


@dataclass
class Hooked:
    """A stream that does something before every read."""

    stream: BinaryIO
    objects: MemoryObjects

    def read(self, amount: int, /) -> bytes:
        self.objects.during_read()
        return self.stream.read(amount)


@dataclass
class Ticking:
    """Monotonic seconds; each look takes ``step``."""

    step: float = 0.0
    at: float = 0.0

    def __call__(self) -> float:
        self.at += self.step
        return self.at


@dataclass
class World:
    """A shop with a schema, a bucket and a worker."""

    table: ShuttleTable
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    seconds_left: float = 900.0
    ticking: Ticking = field(default_factory=Ticking)

    def upload(self, content: bytes, file_format: FileFormat = FileFormat.CSV) -> str:
        job_id = self.table.jobs.create(DOMAIN, an_order(file_format=file_format)).job_id
        self.objects.stored[keys.upload_object(DOMAIN, job_id)] = content
        return job_id

    def run(self, job_id: str) -> JobStatus:
        importer = Importer(self.table.repository, self.table.jobs, self.objects, self.ticking)
        return importer.run(DOMAIN, job_id, lambda: self.seconds_left)

    def job(self, job_id: str) -> Job:
        return self.table.repository.job(DOMAIN, job_id)

    def imported(self, content: bytes, file_format: FileFormat = FileFormat.CSV) -> Job:
        job_id = self.upload(content, file_format)
        self.run(job_id)
        return self.job(job_id)

    def report(self, job: Job) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.objects.stored[keys.report_object(DOMAIN, job.job_id)].decode())))


@pytest.fixture
def world(shuttle_table: ShuttleTable) -> World:
    shuttle_table.registry.install(a_shop(feature_limits=limits(max_rows=100_000, max_file_bytes=50_000_000)))
    shuttle_table.registry.save_schema(DOMAIN, COLUMNS, replaces=0, key_columns=("sku",))
    return World(shuttle_table)
