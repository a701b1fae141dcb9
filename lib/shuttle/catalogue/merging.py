"""Merges the valid rows of a file with a version of a shop's catalogue, and writes the next version and what changed.

::

    checked file ─► one row per key ─┐
                                     ├─► full join by key ─► new.parquet ─► counts
    version before, as Parquet ──────┘                           └─► changes.jsonl.gz

A version has the columns of its schema by name, all as text, and ``_change``: what the import that made it did to the row
(:class:`~.modes.Change`). A column that is new in the schema has no values in the rows before; one that the schema no longer
has is dropped. Names are compared as everywhere (:func:`~lib.shuttle.entities.normalized`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.platform.wording import counted
from lib.shuttle.catalogue.json_sql import json_object
from lib.shuttle.catalogue.modes import Change, decide_in_sql
from lib.shuttle.engine import Engine, EngineError, identifier, literal
from lib.shuttle.entities import CHANGE_COLUMN, ColumnType, Schema, normalized
from lib.shuttle.imports.checking import CheckedFile
from lib.shuttle.imports.files import Failure, UnreadableFileError
from lib.shuttle.jobs.job import Counts, DuplicateRule, JobMode

ROW_GROUP_MB = 8
"""How large a row group of a version is, before it is compressed. The engine has one in memory while it writes."""

_IN_CHANGES = {Change.ADDED: "added", Change.REPLACED: "replaced"}
_ROW_NUMBER = "file_row_number"  # DuckDB has this column for every Parquet file
ROWS_AT_ONCE = 250_000
"""The most rows that are on disk as lines at a time, before they are compressed."""
_SHORT_ROW = 4096


@dataclass(frozen=True, slots=True)
class BaseFile:
    """The version of a catalogue that a file is merged with, on disk, and the key it has."""

    path: Path
    key_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """The next version of a catalogue on disk. ``changes`` is None if no row was added, replaced or removed."""

    path: Path
    rows: int
    counts: Counts
    changes: Path | None


def refuse_early(file: CheckedFile, schema: Schema, mode: JobMode, duplicate_rule: DuplicateRule) -> None:
    """Refuse a file that can't be merged with any version of the catalogue.

    Raises:
        UnreadableFileError: DUPLICATE_KEY or INVALID_ROWS.
    """
    if mode is JobMode.WIPE_AND_RESTORE and file.rows_failed:
        raise UnreadableFileError(
            Failure.INVALID_ROWS,
            f"The file has {counted(file.rows_failed, 'invalid row')}. WIPE_AND_RESTORE takes only valid ones. Correct them.",
        )
    if duplicate_rule is DuplicateRule.REFUSE and file.duplicates:
        raise UnreadableFileError(
            Failure.DUPLICATE_KEY,
            f"The file has {counted(file.duplicates, 'row')} with the same {', '.join(schema.key_columns)} as a later one, "
            'which the order refuses. Remove them, or order with "duplicates": "last".',
        )


def merge(
    engine: Engine, file: CheckedFile, schema: Schema, mode: JobMode, *, base: BaseFile | None, folder: Path, max_rows: int
) -> Merged:
    """Merge ``file`` with ``base``, None for a shop without a catalogue, into files in ``folder``.

    ``engine`` does not keep the order of rows: the size of row groups can be bounded in bytes only then.

    Raises:
        UnreadableFileError: WRONG_KEY, CATALOGUE_FULL or TOO_LARGE_TO_MERGE.
        EngineError: the counts do not add up, or a query failed.
    """
    return _Merge(engine, file, schema, mode, base=base, folder=folder).run(max_rows)


def columns_of(engine: Engine, version: Path) -> tuple[str, ...]:
    """The names of the columns of a version on disk, in order."""
    described = engine.rows(f"DESCRIBE SELECT * EXCLUDE ({CHANGE_COLUMN}) FROM {parquet(version)}")
    return tuple(str(row[0]) for row in described)


def aligned(version: Path, has: Sequence[str], wanted: Sequence[str]) -> str:
    """A query for the rows of a version with the columns ``wanted``, as c0, c1, …; those that it lacks are NULL."""
    names = {normalized(name): name for name in has}
    found = (names.get(normalized(name)) for name in wanted)
    cells = (f"{identifier(name) if name else 'NULL::VARCHAR'} AS c{index}" for index, name in enumerate(found))
    return f"SELECT {', '.join(cells)} FROM {parquet(version)}"


def parquet(path: Path) -> str:
    """A version on disk as a table in SQL."""
    return f"read_parquet({literal(str(path))}, hive_partitioning = false)"


class _Merge:
    def __init__(
        self, engine: Engine, file: CheckedFile, schema: Schema, mode: JobMode, *, base: BaseFile | None, folder: Path
    ) -> None:
        self._engine = engine
        self._file = file
        self._mode = mode
        self._base = base
        self._new = folder / "new.parquet"
        self._changes = folder / "changes.jsonl.gz"
        self._columns = schema.columns
        self._names = [column.name for column in schema.columns]
        self._key_columns = schema.key_columns
        self._key = [self._names.index(name) for name in schema.key_columns]
        draft = schema.status_column
        self._is_draft = f"b.c{self._names.index(draft.name)} IS NOT DISTINCT FROM {literal(draft.draft)}" if draft else "false"
        self._base_names = columns_of(engine, base.path) if base else ()
        self._has_same_key = base is not None and set(map(normalized, base.key_columns)) == set(
            map(normalized, schema.key_columns)
        )

    def run(self, max_rows: int) -> Merged:
        if self._base and not self._has_same_key and self._mode is not JobMode.WIPE_AND_RESTORE:
            raise UnreadableFileError(
                Failure.WRONG_KEY,
                f"The catalogue has the key {', '.join(self._base.key_columns)} and the schema another one. "
                "Import the whole catalogue with WIPE_AND_RESTORE.",
            )
        options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE_BYTES '{ROW_GROUP_MB}MB'"
        self._engine.run(f"COPY ({self._rows()}) TO {literal(str(self._new))} ({options})")
        by_change = dict(self._engine.rows(f"SELECT {CHANGE_COLUMN}, count(*) FROM {parquet(self._new)} GROUP BY 1"))
        rows = sum(by_change.values())
        counts = self._counts(by_change)
        if rows > max_rows:
            raise UnreadableFileError(
                Failure.CATALOGUE_FULL,
                f"The catalogue would have {rows} rows, and the plan allows {max_rows}. Remove rows with WIPE_AND_RESTORE.",
            )
        if not (counts.added or counts.replaced or counts.removed):
            return Merged(self._new, rows, counts, changes=None)
        self._engine.write_lines(self._changed_lines(rows, counts), self._changes)
        return Merged(self._new, rows, counts, self._changes)

    def _rows(self) -> str:
        """The rows of the next version."""
        names = [identifier(name) for name in self._names]
        if not self._has_same_key:
            cells = ", ".join(f"c{index} AS {name}" for index, name in enumerate(names))
            return f"SELECT {cells}, {Change.ADDED.value}::UTINYINT AS {CHANGE_COLUMN} FROM ({self._last_rows()})"
        change = decide_in_sql(
            self._mode,
            in_file="f.n IS NOT NULL",
            in_catalogue=f"b.c{self._key[0]} IS NOT NULL",
            is_draft=self._is_draft,
            is_equal=" AND ".join(f"f.c{index} IS NOT DISTINCT FROM b.c{index}" for index in range(len(names))),
        )
        both = ", ".join(f"f.c{index} AS f{index}, b.c{index} AS b{index}" for index in range(len(names)))
        join = "LEFT" if self._mode is JobMode.WIPE_AND_RESTORE else "FULL"
        joined = (
            f"SELECT {both}, ({change})::UTINYINT AS {CHANGE_COLUMN} FROM ({self._last_rows()}) f {join} JOIN "
            f"({self._base_rows()}) b ON {self._same_key('f', 'b')}"
        )
        is_new = f"{CHANGE_COLUMN} IN ({Change.ADDED.value}, {Change.REPLACED.value})"
        cells = ", ".join(f"CASE WHEN {is_new} THEN f{index} ELSE b{index} END AS {name}" for index, name in enumerate(names))
        return f"SELECT {cells}, {CHANGE_COLUMN} FROM ({joined})"

    def _last_rows(self) -> str:
        """The rows of the file; of those with the same key, the last one."""
        if not self._file.duplicates:
            return self._file.relation
        key = ", ".join(f"c{index}" for index in self._key)
        # Only the keys that are there twice are kept in memory, and the grouping can spill.
        return (
            f"SELECT f.* FROM ({self._file.relation}) f LEFT JOIN (SELECT {key}, max(n) AS last FROM ({self._file.relation}) "
            f"GROUP BY {key} HAVING count(*) > 1) d ON {self._same_key('f', 'd')} WHERE d.last IS NULL OR f.n = d.last"
        )

    def _base_rows(self) -> str:
        assert self._base is not None  # noqa: S101 - for the type checker: it has the same key
        return aligned(self._base.path, self._base_names, self._names)

    def _same_key(self, left: str, right: str) -> str:
        return " AND ".join(f"{left}.c{index} = {right}.c{index}" for index in self._key)

    def _counts(self, by_change: dict[int, int]) -> Counts:
        base_rows = self._engine.rows(f"SELECT count(*) FROM {parquet(self._base.path)}")[0][0] if self._base else 0
        added = by_change.get(Change.ADDED, 0)
        counts = Counts(
            added=added,
            replaced=by_change.get(Change.REPLACED, 0),
            unchanged=by_change.get(Change.UNCHANGED, 0),
            skipped=by_change.get(Change.SKIPPED, 0),
            removed=base_rows - (sum(by_change.values()) - added),
            duplicates=self._file.duplicates,
        )
        read = counts.added + counts.replaced + counts.unchanged + counts.skipped + counts.duplicates + self._file.rows_failed
        if read != self._file.rows_read or (counts.removed and self._mode is not JobMode.WIPE_AND_RESTORE):
            raise EngineError(f"the counts of a merge do not add up: {self._file.rows_read} rows read, {counts}")
        return counts

    def _changed_lines(self, rows: int, counts: Counts) -> Iterator[str]:
        """Queries for the lines of the file of changes."""
        members = [(column.name, column.type, identifier(column.name)) for column in self._columns]
        key = json_object((members[index] for index in self._key), short_row=_SHORT_ROW)
        row = json_object(members, short_row=_SHORT_ROW)
        kind = (
            f"CASE {CHANGE_COLUMN} "
            + " ".join(f"WHEN {change.value} THEN '{name}'" for change, name in _IN_CHANGES.items())
            + " END"
        )
        lines = (
            f"""SELECT concat('{{"kind":"', {kind}, '","key":', {key}, ',"row":', {row}, '}}') """
            f"FROM {parquet(self._new)} WHERE {CHANGE_COLUMN} IN ({', '.join(str(change.value) for change in _IN_CHANGES)})"
        )
        if _ROW_NUMBER in map(normalized, self._names):  # then it is a column of the schema
            yield lines
        else:
            for start in range(0, rows, ROWS_AT_ONCE):
                yield f"{lines} AND {_ROW_NUMBER} >= {start} AND {_ROW_NUMBER} < {start + ROWS_AT_ONCE}"
        if counts.removed:
            yield self._removed_lines()

    def _removed_lines(self) -> str:
        assert self._base is not None  # noqa: S101 - for the type checker: rows of it were removed
        types = {normalized(column.name): column.type for column in self._columns}
        key = json_object(
            (name, types.get(normalized(name), ColumnType.STRING), f"b.c{index}")
            for index, name in enumerate(self._base.key_columns)
        )
        rows = aligned(self._base.path, self._base_names, self._base.key_columns)
        left = ""
        if self._has_same_key:
            new = aligned(self._new, self._names, self._base.key_columns)
            same = " AND ".join(f"b.c{index} = n.c{index}" for index in range(len(self._base.key_columns)))
            left = f" ANTI JOIN ({new}) n ON {same}"
        return f"""SELECT concat('{{"kind":"removed","key":', {key}, ',"row":null}}') FROM ({rows}) b{left}"""
