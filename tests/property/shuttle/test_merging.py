"""Merging does what a model of twenty lines does: the same catalogue, counts and changes, import after import."""

import dataclasses
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lib.shuttle.catalogue.merging import BaseFile, merge
from lib.shuttle.entities import Column, ColumnType, Schema
from lib.shuttle.jobs.job import JobMode
from tests.support.project.examples import examples
from tests.support.shuttle.catalogue import (
    Row,
    Rows,
    a_checked_file,
    a_schema,
    an_engine,
    key_of,
    model_merge,
    read_changes,
    stored_rows,
)

NAMES = ("sku", "locale", "status", "Preis 'netto'", 'x"y', "Straße")
CELLS = st.sampled_from(
    [None, "a", "b", "draft", "12", "-1.5", "1e5", "true", "007", "1,5", 'q"', "back\\slash", "l\n2", "é🫖"]
)
TYPES = st.sampled_from([ColumnType.STRING, ColumnType.INTEGER, ColumnType.DECIMAL, ColumnType.BOOLEAN])


@st.composite
def schemas(draw: st.DrawFn, key: tuple[str, ...]) -> Schema:
    rest = draw(st.lists(st.sampled_from([name for name in NAMES if name not in key]), unique=True, max_size=4))
    names = draw(st.permutations([*key, *rest]))
    has_draft = "status" in names and draw(st.booleans())
    types = {name: ColumnType.STRING if has_draft and name == "status" else draw(TYPES) for name in names}
    columns = [Column(name=name, type=types[name]) for name in names]
    return a_schema(columns, key, ("status", "draft") if has_draft else None)


@st.composite
def imports(draw: st.DrawFn, key: tuple[str, ...]) -> tuple[Schema, JobMode, list[Row]]:
    schema = draw(schemas(key))
    key_cells = st.sampled_from(["a", "b", "12", 'q"'])
    cells = [key_cells if column.name in key else CELLS for column in schema.columns]
    return schema, draw(st.sampled_from(JobMode)), draw(st.lists(st.tuples(*cells), max_size=8))


@settings(max_examples=examples(40, thorough=600), deadline=None)
@given(data=st.data(), key=st.sampled_from([("sku",), ("locale", "sku"), ("status",)]))
def test_imports_do_what_the_model_does(data: st.DataObject, key: tuple[str, ...]) -> None:
    with an_engine(keeps_order=False) as (engine, parent):
        base: BaseFile | None = None
        names: list[str] = []
        rows: Rows | None = None
        for number in range(data.draw(st.integers(1, 3))):
            schema, mode, given_rows = data.draw(imports(key))
            folder = parent / str(number)
            folder.mkdir()

            merged = merge(engine, a_checked_file(schema, given_rows), schema, mode, base=base, folder=folder, max_rows=1_000)

            rows = aligned_rows(rows, names, schema)
            names = [column.name for column in schema.columns]
            rows, counts, changes = model_merge(schema, rows, given_rows, mode)
            stored = [tuple(row[each] for each in names) for row in stored_rows(engine, merged.path)]
            assert sorted(stored, key=repr) == sorted(rows.values(), key=repr)
            assert merged.rows == len(rows)
            assert dataclasses.asdict(merged.counts) == counts
            assert read_changes(merged.changes) == expected_lines(schema, changes)
            base = BaseFile(merged.path, schema.key_columns)


def aligned_rows(rows: Rows | None, names: list[str], schema: Schema) -> Rows | None:
    """The rows of a catalogue with the columns of the next schema."""
    if rows is None:
        return None
    by_name = [dict(zip(names, row, strict=True)) for row in rows.values()]
    moved = [tuple(row.get(column.name) for column in schema.columns) for row in by_name]
    return {key_of(schema, row): row for row in moved}


def expected_lines(schema: Schema, changes: list[tuple[str, Any, Any]]) -> list[dict[str, Any]]:
    types = {column.name: column.type for column in schema.columns}
    lines = [
        {
            "kind": kind,
            "key": {name: typed(types[name], cell) for name, cell in zip(schema.key_columns, key, strict=True)},
            "row": row and {name: typed(types[name], cell) for name, cell in zip(types, row, strict=True)},
        }
        for kind, key, row in changes
    ]
    return sorted(lines, key=lambda line: (line["kind"], json.dumps(line["key"])))


def typed(column_type: ColumnType, cell: str | None) -> Any:
    """A cell in JSON; one that does not fit its type is a text."""
    is_plain = column_type is ColumnType.STRING or cell == "007"
    try:
        value = cell if is_plain or cell is None else json.loads(cell)
    except ValueError:
        return cell
    is_wanted = isinstance(value, bool) if column_type is ColumnType.BOOLEAN else isinstance(value, int | float)
    return value if is_wanted and (column_type is ColumnType.BOOLEAN or not isinstance(value, bool)) else cell
