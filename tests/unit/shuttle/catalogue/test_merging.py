"""What a merge refuses, and what becomes of a catalogue whose schema changed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lib.shuttle.catalogue import merging
from lib.shuttle.catalogue.merging import BaseFile, Merged, merge, refuse_early
from lib.shuttle.engine import Engine, EngineError
from lib.shuttle.entities import Column, ColumnType, Schema
from lib.shuttle.imports.checking import CheckedFile
from lib.shuttle.imports.files import UnreadableFileError
from lib.shuttle.imports.reports import ErrorReport
from lib.shuttle.jobs.job import Counts, DuplicateRule, JobMode
from tests.support.shuttle.catalogue import Row, a_checked_file, a_schema, an_engine, read_changes, stored_rows

SKU, PRICE = Column(name="sku"), Column(name="price", type=ColumnType.DECIMAL)
SCHEMA = a_schema([SKU, PRICE])


class Catalogue:
    """A shop's catalogue in a folder; each import makes its next version."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.base: BaseFile | None = None
        self.imports = 0

    def imported(
        self, schema: Schema, rows: Sequence[Row], mode: JobMode = JobMode.OVERWRITE_EXISTING, max_rows: int = 1000
    ) -> Merged:
        self.imports += 1
        folder = self.folder / str(self.imports)
        folder.mkdir()
        file = a_checked_file(schema, rows)
        merged = merge(self.engine, file, schema, mode, base=self.base, folder=folder, max_rows=max_rows)
        self.base = BaseFile(merged.path, schema.key_columns)
        return merged

    def rows(self) -> list[dict[str, str | None]]:
        assert self.base is not None
        return sorted(stored_rows(self.engine, self.base.path), key=repr)


@pytest.fixture
def catalogue() -> Iterator[Catalogue]:
    with an_engine(keeps_order=False) as (engine, folder):
        yield Catalogue(engine, folder)


def test_the_last_of_the_rows_with_one_key_counts(catalogue: Catalogue) -> None:
    merged = catalogue.imported(SCHEMA, [("A", "1"), ("B", "2"), ("A", "3"), ("A", None)])
    assert catalogue.rows() == [{"sku": "A", "price": None}, {"sku": "B", "price": "2"}]
    assert merged.counts == Counts(added=2, duplicates=2)


def test_an_import_that_changes_nothing_has_no_changes(catalogue: Catalogue) -> None:
    catalogue.imported(SCHEMA, [("A", "1")])
    merged = catalogue.imported(SCHEMA, [("A", "1")])
    assert (merged.counts, merged.changes) == (Counts(unchanged=1), None)


def test_changes_have_typed_json(catalogue: Catalogue) -> None:
    schema = a_schema(
        [SKU, PRICE, Column(name="stock", type=ColumnType.INTEGER), Column(name="active", type=ColumnType.BOOLEAN)]
    )
    merged = catalogue.imported(schema, [('a "b"\\\n,', "1.50", "-3", "true"), ("x", None, None, None)])
    assert read_changes(merged.changes) == [
        {
            "kind": "added",
            "key": {"sku": 'a "b"\\\n,'},
            "row": {"sku": 'a "b"\\\n,', "price": 1.5, "stock": -3, "active": True},
        },
        {"kind": "added", "key": {"sku": "x"}, "row": {"sku": "x", "price": None, "stock": None, "active": None}},
    ]


@pytest.mark.parametrize("name", ["price", "FILE_ROW_NUMBER"])
def test_changes_of_many_rows_are_complete(catalogue: Catalogue, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "ROWS_AT_ONCE", 2)
    schema = a_schema([SKU, Column(name=name)])
    catalogue.imported(schema, [("A", "1"), ("B", "1"), ("C", "1"), ("D", "1"), ("E", "1")])
    merged = catalogue.imported(schema, [("C", "1"), ("B", "2"), ("E", "3"), ("F", "4")], JobMode.WIPE_AND_RESTORE)
    found = [(line["kind"], line["key"]["sku"], line["row"] and line["row"][name]) for line in read_changes(merged.changes)]
    assert found == [
        ("added", "F", "4"), ("removed", "A", None), ("removed", "D", None), ("replaced", "B", "2"), ("replaced", "E", "3"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "cell", ["007", "+1", "1,5", ".5", "5.", "1e", "NaN", "Infinity", "-", "", " 1", "1\n", "0x1", "1 }", "1e400", "9" * 200]
)
def test_a_cell_from_an_older_schema_stays_valid_json(catalogue: Catalogue, cell: str) -> None:
    catalogue.imported(a_schema([SKU, Column(name="price"), Column(name="name")]), [("A", cell, "a")])
    catalogue.imported(a_schema([SKU, PRICE, Column(name="name")]), [("B", None, "b")])
    merged = catalogue.imported(a_schema([SKU, PRICE, Column(name="name")]), [("A", cell, "c")])
    (line,) = read_changes(merged.changes)
    assert str(line["row"]["price"]) in (cell, "inf", str(float(cell)) if cell == "1e400" else cell)


def test_a_new_column_is_empty_and_a_former_one_is_dropped(catalogue: Catalogue) -> None:
    catalogue.imported(a_schema([SKU, PRICE]), [("A", "1"), ("B", "2")])
    catalogue.imported(a_schema([Column(name="name"), SKU]), [("a", "A")])
    assert catalogue.rows() == [{"name": "a", "sku": "A"}, {"name": None, "sku": "B"}]


def test_a_column_keeps_its_cells_if_only_the_case_of_its_name_changes(catalogue: Catalogue) -> None:
    catalogue.imported(a_schema([SKU, Column(name="Unit price")]), [("A", "1"), ("B", "2")])
    merged = catalogue.imported(a_schema([Column(name="SKU"), Column(name="unit  PRICE")], key=["SKU"]), [("A", "1")])
    assert merged.counts == Counts(unchanged=1)
    assert catalogue.rows() == [{"SKU": "A", "unit  PRICE": "1"}, {"SKU": "B", "unit  PRICE": "2"}]


def test_the_order_of_the_keys_columns_does_not_matter(catalogue: Catalogue) -> None:
    catalogue.imported(a_schema([SKU, PRICE], key=["sku", "price"]), [("A", "1")])
    merged = catalogue.imported(a_schema([SKU, PRICE], key=["price", "sku"]), [("A", "1"), ("A", "2")])
    assert merged.counts == Counts(unchanged=1, added=1)


def test_another_key_is_refused(catalogue: Catalogue) -> None:
    catalogue.imported(SCHEMA, [("A", "1")])
    with pytest.raises(UnreadableFileError, match="WRONG_KEY: The catalogue has the key sku and the schema another one"):
        catalogue.imported(a_schema([SKU, PRICE], key=["price"]), [("A", "1")])


def test_another_key_is_taken_if_the_catalogue_is_replaced(catalogue: Catalogue) -> None:
    catalogue.imported(SCHEMA, [("A", "1"), ("B", "2")])
    merged = catalogue.imported(a_schema([PRICE], key=["price"]), [("1",)], JobMode.WIPE_AND_RESTORE)
    assert merged.counts == Counts(added=1, removed=2)
    assert read_changes(merged.changes) == [
        {"kind": "added", "key": {"price": 1}, "row": {"price": 1}},
        {"kind": "removed", "key": {"sku": "A"}, "row": None},
        {"kind": "removed", "key": {"sku": "B"}, "row": None},
    ]


def test_a_catalogue_with_more_rows_than_the_plan_allows_is_refused(catalogue: Catalogue) -> None:
    catalogue.imported(SCHEMA, [("A", "1"), ("B", "2")], max_rows=2)
    with pytest.raises(UnreadableFileError, match="CATALOGUE_FULL: The catalogue would have 3 rows, and the plan allows 2"):
        catalogue.imported(SCHEMA, [("A", "1"), ("C", "2")], max_rows=2)


def test_counts_that_do_not_add_up_are_an_internal_error(catalogue: Catalogue) -> None:
    file = a_checked_file(SCHEMA, [("A", "1")])
    miscounted = CheckedFile(file.relation, file.rows_read + 1, 0, 0, ErrorReport())
    with pytest.raises(EngineError, match="do not add up"):
        merge(catalogue.engine, miscounted, SCHEMA, JobMode.NEW_ONLY, base=None, folder=catalogue.folder, max_rows=9)


def test_wiping_with_an_invalid_row_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match="INVALID_ROWS: The file has 1 invalid row"):
        refuse_early(a_checked_file(SCHEMA, [("A", "1")], 1), SCHEMA, JobMode.WIPE_AND_RESTORE, DuplicateRule.LAST)


def test_a_key_that_is_there_twice_is_refused_if_the_order_says_so() -> None:
    file = a_checked_file(SCHEMA, [("A", "1"), ("A", "2")])
    with pytest.raises(UnreadableFileError, match="DUPLICATE_KEY: The file has 1 row with the same sku as a later one"):
        refuse_early(file, SCHEMA, JobMode.NEW_ONLY, DuplicateRule.REFUSE)
    refuse_early(file, SCHEMA, JobMode.NEW_ONLY, DuplicateRule.LAST)
