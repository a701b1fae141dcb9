"""An import worker over a table and a bucket in memory."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

import pytest

from lib.platform import errors
from lib.platform.log import Logger
from lib.shuttle import keys
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.catalogue.versions import PendingEvent
from lib.shuttle.entities import Column, ColumnType
from lib.shuttle.exports import Exporter
from lib.shuttle.imports.files import ByteStream, StoredObject
from lib.shuttle.imports.worker import Importer
from lib.shuttle.jobs.job import FileFormat, Job, JobKind, JobStatus
from tests.support.shuttle.builders import DOMAIN, NOON, ShuttleTable, a_shop, an_order, limits
from tests.support.shuttle.catalogue import an_engine, parse_changes, stored_rows

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
class Published:
    """In place of the event bus: what was published."""

    events: list[PendingEvent] = field(default_factory=list)
    error: errors.SwitchboardError | None = None

    def publish(self, events: list[PendingEvent], /) -> int:
        if self.error is not None:
            raise self.error
        self.events += events
        return len(events)


@dataclass
class World:
    """A shop with a schema, a bucket and workers."""

    table: ShuttleTable
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    seconds_left: float = 900.0
    ticking: Ticking = field(default_factory=Ticking)
    published: Published = field(default_factory=Published)

    @property
    def catalogues(self) -> CatalogueStore:
        return CatalogueStore(self.table.client, self.table.name, self.table.clock, sleep=lambda seconds: None)

    def order(self, **order: Any) -> str:
        return self.table.jobs.create(DOMAIN, an_order(**order)).job_id

    def upload(self, content: bytes, file_format: FileFormat = FileFormat.CSV, **order: Any) -> str:
        job_id = self.order(file_format=file_format, **order)
        self.objects.stored[keys.upload_object(DOMAIN, job_id)] = content
        return job_id

    def run(self, job_id: str) -> JobStatus:
        importer = Importer(
            repository=self.table.repository,
            jobs=self.table.jobs,
            catalogues=self.catalogues,
            objects=self.objects,
            publisher=self.published,
            logger=Logger("imports"),
            now=self.table.clock,
            monotonic=self.ticking,
        )
        return importer.run(DOMAIN, job_id, lambda: self.seconds_left)

    def export(self, **order: Any) -> Job:
        """The job of an export, run."""
        values = {"kind": JobKind.EXPORT, "mode": None, "file_format": FileFormat.CSV} | order
        job_id = self.order(**values)
        self.run_export(job_id)
        return self.job(job_id)

    def run_export(self, job_id: str) -> JobStatus:
        exporter = Exporter(self.table.repository, self.table.jobs, self.catalogues, self.objects, self.ticking)
        return exporter.run(DOMAIN, job_id, lambda: self.seconds_left)

    def job(self, job_id: str) -> Job:
        return self.table.repository.job(DOMAIN, job_id)

    def imported(self, content: bytes, file_format: FileFormat = FileFormat.CSV, **order: Any) -> Job:
        job_id = self.upload(content, file_format, **order)
        self.run(job_id)
        return self.job(job_id)

    def report(self, job: Job) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.objects.stored[keys.report_object(DOMAIN, job.job_id)].decode())))

    def rows(self, version: int | None = None) -> list[dict[str, str | None]]:
        """The rows of a version of the catalogue, in order."""
        catalogue = self.catalogues.current(DOMAIN) if version is None else self.catalogues.version(DOMAIN, version)
        if catalogue is None:
            return []
        with an_engine() as (engine, folder):
            path = folder / "version.parquet"
            path.write_bytes(self.objects.stored[catalogue.object_key])
            return sorted(stored_rows(engine, path), key=repr)

    def changes(self, job: Job) -> list[dict[str, Any]]:
        """What an import changed."""
        return parse_changes(self.objects.stored[job.changes_key] if job.changes_key else None)


@pytest.fixture
def world(shuttle_table: ShuttleTable) -> World:
    shuttle_table.registry.install(a_shop(feature_limits=limits(max_rows=100_000, max_file_bytes=50_000_000)))
    shuttle_table.registry.save_schema(DOMAIN, COLUMNS, replaces=0, key_columns=("sku",))
    return World(shuttle_table)
