"""The export worker: writes a version of a shop's catalogue, or what differs from an older one, as CSV, JSON or JSON Lines.

::

    start ─► the version's object ─► engine: columns, changed rows, order of the key ─► file ─► bucket ─► finish

An export reads what an import wrote, and an import can read what an export wrote: imported with WIPE_AND_RESTORE by a shop
with the same schema and settings, it makes the same catalogue. What ends a job in other ways is as for imports
(:mod:`lib.shuttle.imports.worker`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lib.platform import clock, errors
from lib.shuttle import keys, transfers
from lib.shuttle.catalogue.json_sql import NUMBER, json_object
from lib.shuttle.catalogue.merging import aligned, columns_of
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.catalogue.versions import Catalogue
from lib.shuttle.engine import Engine, identifier, literal
from lib.shuttle.entities import Column, normalized
from lib.shuttle.imports.files import Failure, Objects, UnreadableFileError
from lib.shuttle.job_folder import job_folder
from lib.shuttle.jobs import running
from lib.shuttle.jobs.job import FileFormat, Job, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.running import Watch
from lib.shuttle.repository import Repository

_CONTENT_TYPES = {
    FileFormat.CSV: "text/csv; charset=utf-8",
    FileFormat.JSON: "application/json",
    FileFormat.JSONL: "application/x-ndjson",
}
_NAMES_SHOWN = 10
_LESS = "Order fewer columns, or the rows changed since a version."
#: The texts of exports for failures that they share with imports.
_DETAILS = {
    Failure.DEADLINE_EXCEEDED: f"Time ran out before the export was done. {_LESS}",
    Failure.TOO_LARGE_TO_MERGE: f"The export needs more memory or disk than there is. {_LESS}",
}


class Exporter:
    """Runs export jobs.

    Args:
        repository: reads the table.
        jobs: changes jobs.
        catalogues: finds the versions.
        objects: the import bucket.
        monotonic: seconds that never go backwards.
    """

    def __init__(
        self,
        repository: Repository,
        jobs: Jobs,
        catalogues: CatalogueStore,
        objects: Objects,
        monotonic: clock.Monotonic = clock.monotonic,
    ) -> None:
        self._repository = repository
        self._jobs = jobs
        self._catalogues = catalogues
        self._objects = objects
        self._monotonic = monotonic

    def run(self, domain: str, job_id: str, seconds_left: Callable[[], float]) -> JobStatus:
        """Run a job to its end and return its status; see :func:`lib.shuttle.jobs.running.run`."""
        return running.run(self._jobs, domain, job_id, lambda job: self._work(job, seconds_left))

    def _work(self, job: Job, seconds_left: Callable[[], float]) -> Outcome:
        watch = Watch(self._jobs, job, seconds_left, self._monotonic)
        try:
            outcome = self._export(job, watch)
        except UnreadableFileError as error:
            outcome = Outcome(failure=error.failure, failure_detail=_DETAILS.get(error.failure, error.detail))
        self._jobs.finish(job, outcome)
        return outcome

    def _export(self, job: Job, watch: Watch) -> Outcome:
        watch.check()
        version = self._version(job.shop_domain, job.version)
        older = None if job.changed_since is None else self._version(job.shop_domain, job.changed_since)
        with job_folder() as folder, Engine(folder, watch.check) as engine:
            whole = self._download(version, folder / "version.parquet", watch)
            former = None if older is None else self._download(older, folder / "older.parquet", watch)
            file = self._file(job)
            columns = self._columns(job, columns_of(engine, whole))
            rows = _Writer(engine, columns, version.key_columns, file).write(whole, former, folder / "export")
            watch.rows_read = rows
            key = keys.export_object(job.shop_domain, job.job_id, job.attempt, file.extension)
            size = transfers.upload(self._objects, folder / "export", key, file.content_type, watch.check)
        return Outcome(
            rows_read=rows,
            bytes_read=size,
            schema_version=version.schema_version,
            catalogue_version=version.version,
            delimiter=file.delimiter if job.file_format is FileFormat.CSV else None,
            result_key=key,
        )

    def _version(self, domain: str, number: int | None) -> Catalogue:
        if number is None:
            current = self._catalogues.current(domain)
            if current is None:
                raise UnreadableFileError(Failure.NO_CATALOGUE, "The shop has no catalogue yet. Import a file first.")
            return current
        try:
            return self._catalogues.version(domain, number)
        except errors.NotFoundError as error:
            raise _gone(number) from error

    def _download(self, version: Catalogue, path: Path, watch: Watch) -> Path:
        try:
            transfers.download(self._objects, version.object_key, path, watch.check)
        except errors.NotFoundError as error:
            raise _gone(version.version) from error
        return path

    def _file(self, job: Job) -> "_File":
        settings = self._repository.shop(job.shop_domain).settings
        return _File(job.file_format, job.gzip, job.delimiter or settings.csv_delimiter or ",")

    def _columns(self, job: Job, names: tuple[str, ...]) -> list[Column]:
        """The columns of the file, with the types that the current schema gives them; those of former schemas are text."""
        has = {normalized(name): name for name in names}
        unknown = [name for name in job.columns if normalized(name) not in has]
        if unknown:
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            detail = f"The catalogue has no column {unknown[0]}. It has {', '.join(names[:_NAMES_SHOWN])}{more}."
            raise UnreadableFileError(Failure.WRONG_SCHEMA, detail)
        known = {normalized(column.name): column for column in self._repository.current_schema(job.shop_domain).columns}
        wanted = [normalized(name) for name in job.columns or names]
        return [replace(known.get(name, Column(name=has[name])), name=has[name]) for name in wanted]


@dataclass(frozen=True, slots=True)
class _File:
    """The form of the file of an export."""

    format: FileFormat
    is_gzip: bool
    delimiter: str

    @property
    def extension(self) -> str:
        return self.format.value.lower() + (".gz" if self.is_gzip else "")

    @property
    def content_type(self) -> str:
        return "application/gzip" if self.is_gzip else _CONTENT_TYPES[self.format]


class _Writer:
    """Writes the rows of a version to a file."""

    def __init__(self, engine: Engine, columns: list[Column], key_columns: tuple[str, ...], file: _File) -> None:
        self._engine = engine
        self._columns = columns
        self._key_columns = key_columns
        self._file = file

    def write(self, version: Path, older: Path | None, path: Path) -> int:
        """Write the rows of ``version``; with ``older``, only those that differ from it. Returns how many."""
        rows = self._ordered(version, older)
        cells = [(column, f"c{index}") for index, column in enumerate(self._columns)]
        if self._file.format is FileFormat.CSV:
            options = f"HEADER true, DELIMITER {literal(self._file.delimiter)}, QUOTE '\"', ESCAPE '\"', NULLSTR ''"
            listed = ", ".join(f"{self._csv_cell(column, cell)} AS {identifier(column.name)}" for column, cell in cells)
            return self._copy(f"SELECT {listed} FROM ({rows})", path, options)
        # The lines are whole, so nothing is quoted.
        options = "HEADER false, QUOTE '', ESCAPE ''"
        line = json_object((column.name, column.type, cell) for column, cell in cells)
        if self._file.format is FileFormat.JSONL:
            return self._copy(f"SELECT {line} FROM ({rows})", path, options)
        comma = "CASE WHEN row_number() OVER () > 1 THEN ',' ELSE '' END"
        array = f"SELECT '[' UNION ALL SELECT concat({comma}, {line}) FROM ({rows}) UNION ALL SELECT ']'"
        return self._copy(array, path, options) - 2

    def _ordered(self, version: Path, older: Path | None) -> str:
        """The rows, with the columns of the file as c0, c1, …, in the order of the key."""
        names = columns_of(self._engine, version)
        by_name = {name: f"c{index}" for index, name in enumerate(names)}
        rows = f"SELECT * FROM ({aligned(version, names, names)}) new"
        if older is not None:
            same = " AND ".join(f"new.{cell} IS NOT DISTINCT FROM old.{cell}" for cell in by_name.values())
            rows += f" ANTI JOIN ({aligned(older, columns_of(self._engine, older), names)}) old ON {same}"
        cells = ", ".join(f"{by_name[column.name]} AS c{index}" for index, column in enumerate(self._columns))
        key = ", ".join(f"rows.{by_name[name]}" for name in self._key_columns)
        return f"SELECT {cells} FROM ({rows}) rows ORDER BY {key}"

    def _csv_cell(self, column: Column, cell: str) -> str:
        if column.decimal_comma:
            cell = f"CASE WHEN regexp_full_match({cell}, {literal(NUMBER)}) THEN replace({cell}, '.', ',') ELSE {cell} END"
        # A row with a single cell that is empty would be a blank line, which readers skip.
        return f"coalesce({cell}, '')" if len(self._columns) == 1 else cell

    def _copy(self, query: str, path: Path, options: str) -> int:
        compression = "gzip" if self._file.is_gzip else "none"
        copied = self._engine.rows(f"COPY ({query}) TO {literal(str(path))} (FORMAT csv, {options}, COMPRESSION {compression})")
        return int(copied[0][0])


def _gone(version: int) -> UnreadableFileError:
    detail = f"Version {version} of the catalogue is no longer kept, or never existed. Choose one of GET …/catalogue/versions."
    return UnreadableFileError(Failure.VERSION_GONE, detail)
