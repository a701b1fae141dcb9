"""The import worker: every file, valid or not, ends its job."""

import gzip
import io
import json
import zipfile
from typing import Any

import pytest

from lib.shuttle import keys
from lib.shuttle.entities import NO_KEY, Column, ColumnType, ShopSettings
from lib.shuttle.jobs.job import ErrorSummary, FileFormat, JobStatus
from tests.support.shuttle.builders import DOMAIN, ShuttleTable, a_shop
from tests.support.shuttle.importer import GOOD_CSV, World

# Files that are as they should be

ROWS = [{"sku": "A1", "price": 9.5, "stock": 3}, {"sku": "A2"}]


@pytest.mark.parametrize(
    ("content", "file_format"),
    [
        pytest.param(GOOD_CSV, FileFormat.CSV, id="csv"),
        pytest.param(b"\xef\xbb\xbf" + GOOD_CSV, FileFormat.CSV, id="csv with a byte order mark"),
        pytest.param(GOOD_CSV.replace(b"\n", b"\r\n"), FileFormat.CSV, id="csv with windows line ends"),
        pytest.param(GOOD_CSV.replace(b"\n", b"\r"), FileFormat.CSV, id="csv with old mac line ends"),
        pytest.param(GOOD_CSV.rstrip(), FileFormat.CSV, id="csv without a last line end"),
        pytest.param(b"\n\n" + GOOD_CSV.replace(b"A2", b"\n\nA2"), FileFormat.CSV, id="csv with blank lines"),
        pytest.param(b'sku,price\n"A\n1",2\n"A""2",1e3\n', FileFormat.CSV, id="csv with quoted line ends and quotes"),
        pytest.param(GOOD_CSV.decode().encode("utf-16"), FileFormat.CSV, id="csv in utf-16"),
        pytest.param(GOOD_CSV.replace(b"A2", b"\xc9"), FileFormat.CSV, id="csv in windows-1252"),
        pytest.param(GOOD_CSV.replace(b"A2,,", b"A2"), FileFormat.CSV, id="csv without trailing empty cells"),
        pytest.param(GOOD_CSV.replace(b"\n", b",,\n") + b",,,,\n  ", FileFormat.CSV, id="csv padded by a spreadsheet"),
        pytest.param(gzip.compress(GOOD_CSV), FileFormat.CSV, id="gzipped csv"),
        pytest.param(json.dumps(ROWS).encode(), FileFormat.JSON, id="json array"),
        pytest.param(json.dumps(ROWS, indent=4).encode(), FileFormat.JSON, id="indented json array"),
        pytest.param(json.dumps({"products": ROWS}).encode(), FileFormat.JSON, id="json object around an array"),
        pytest.param(json.dumps({"products": ROWS, "page": 1}).encode(), FileFormat.JSON, id="json object with more members"),
        pytest.param(b"\xef\xbb\xbf" + json.dumps(ROWS).encode(), FileFormat.JSON, id="json with a byte order mark"),
        pytest.param("\n".join(map(json.dumps, ROWS)).encode(), FileFormat.JSONL, id="json lines"),
        pytest.param(gzip.compress("\n\n".join(map(json.dumps, ROWS)).encode()), FileFormat.JSONL, id="gzipped json lines"),
    ],
)
def test_a_good_file_completes_its_job(world: World, content: bytes, file_format: FileFormat) -> None:
    job = world.imported(content, file_format)
    assert (job.status, job.rows_read, job.rows_failed) == (JobStatus.COMPLETED, 2, 0)
    assert (job.bytes_read, job.schema_version) == (len(content), 1)
    assert not job.has_report


def test_a_json_object_is_one_row(world: World) -> None:
    job = world.imported(json.dumps(ROWS[0]).encode(), FileFormat.JSON)
    assert (job.status, job.rows_read) == (JobStatus.COMPLETED, 1)


def test_the_shops_csv_delimiter_is_used(world: World) -> None:
    world.table.put_raw(
        world.table.get_raw(f"SHOP#{DOMAIN}", "SHOP")
        | {"Settings": {"M": {"CsvDelimiter": {"S": ";"}, "DefaultMode": {"S": "NEW_ONLY"}}}}
    )
    assert world.table.repository.shop(DOMAIN).settings == ShopSettings(csv_delimiter=";")
    assert world.imported(GOOD_CSV.replace(b",", b";")).status is JobStatus.COMPLETED


@pytest.mark.parametrize("size", [100, 64 * 1024 - 7, 64 * 1024, 300_000])
def test_json_rows_are_read_across_window_borders(world: World, size: int) -> None:
    padding = " " * size
    text = (
        f'{padding}[{padding}{{"sku": "A1", "stock": 12{padding}}}{padding},\n{{"sku": "\\u00e9\\\\", "stock": 345}}]{padding}'
    )
    job = world.imported(text.encode(), FileFormat.JSON)
    assert (job.status, job.rows_read, job.failure) == (JobStatus.COMPLETED, 2, None)


@pytest.mark.parametrize("file_format", FileFormat)
def test_a_cell_may_be_as_long_as_its_column_says(world: World, file_format: FileFormat) -> None:
    columns = (Column(name="text", max_length=1_000_000),)
    world.table.registry.save_schema(DOMAIN, columns, replaces=1, key_columns=("text",))
    cell = "x" * 1_000_000
    content = f"text\n{cell}\n" if file_format is FileFormat.CSV else json.dumps({"text": cell})
    job = world.imported(content.encode(), file_format)
    assert (job.status, job.rows_read, job.failure) == (JobStatus.COMPLETED, 1, None)


# Files with wrong rows


def test_invalid_rows_are_counted_summarized_and_reported(world: World) -> None:
    lines = ["sku,price,stock", "A1,9,3", ",1,1", "A3,cheap,1", "A4,1,1.5", "A5-is-too-long,1,1", ",x,1"]
    job = world.imported("\n".join(lines).encode())
    assert (job.status, job.rows_read, job.rows_failed, job.rows_valid) == (JobStatus.COMPLETED, 6, 5, 1)
    assert job.errors == (
        ErrorSummary(code="WRONG_TYPE", count=3, first_rows=(3, 4, 6)),
        ErrorSummary(code="MISSING_VALUE", count=2, first_rows=(2, 6)),
        ErrorSummary(code="TOO_LONG", count=1, first_rows=(5,)),
    )
    assert world.report(job) == [
        ["row", "line", "column", "code", "message"],
        ["2", "3", "sku", "MISSING_VALUE", "a value is required"],
        ["3", "4", "price", "WRONG_TYPE", "the value is not of type DECIMAL: write it like 1.50"],
        ["4", "5", "stock", "WRONG_TYPE", "the value is not of type INTEGER: write it like 12"],
        ["5", "6", "sku", "TOO_LONG", "the value has more than 8 characters"],
        ["6", "7", "sku", "MISSING_VALUE", "a value is required"],
        ["6", "7", "price", "WRONG_TYPE", "the value is not of type DECIMAL: write it like 1.50"],
    ]


def test_a_value_of_a_wrong_type_is_answered_with_an_example(world: World) -> None:
    columns = (
        Column(name="sku"),
        Column(name="price", type=ColumnType.DECIMAL, decimal_comma=True),
        *(Column(name=kind.value, type=kind) for kind in (ColumnType.BOOLEAN, ColumnType.DATE, ColumnType.DATETIME)),
    )
    world.table.registry.save_schema(DOMAIN, columns, replaces=1, key_columns=("sku",))
    job = world.imported(b"sku;price;BOOLEAN;DATE;DATETIME\nA1;1.50;x;x;x\nA2;1,50;true;2026-01-31;2026-01-31T19:30\n")
    assert (job.rows_read, job.rows_failed) == (2, 1)
    assert [line[-1] for line in world.report(job)[1:]] == [
        "the value is not of type DECIMAL: write it like 1,50",
        "the value is not of type BOOLEAN: write it like true or false",
        "the value is not of type DATE: write it like 2026-01-31",
        "the value is not of type DATETIME: write it like 2026-01-31T19:30",
    ]


@pytest.mark.parametrize(
    "number", ["9" * 400, "9" * 4_400, "1e9999999999999999999999"], ids=["400 digits", "4,400 digits", "a vast exponent"]
)
def test_a_number_that_is_too_long_is_an_error_of_its_row(world: World, number: str) -> None:
    text = f'[{{"sku":"n","price":{number}}},{{"sku":"m"}}]'

    for content, file_format in ((text, FileFormat.JSON), (text[1:-1].replace("},", "}\n"), FileFormat.JSONL)):
        job = world.imported(content.encode(), file_format)
        assert (job.status, job.rows_failed, job.rows_valid) == (JobStatus.COMPLETED, 1, 1)
        assert world.report(job)[1][2:4] == ["price", "WRONG_TYPE"]


def test_a_character_that_cannot_be_stored_is_named(world: World) -> None:
    job = world.imported(b'[{"sku":"a\\u0000b"},{"sku":"\\ud800"},{"sku":"m"}]', FileFormat.JSON)

    assert [line[2:] for line in world.report(job)[1:]] == [
        ["sku", "WRONG_TYPE", "the value contains U+0000, a character that can't be stored: remove it"],
        ["sku", "WRONG_TYPE", "the value contains U+D800, a character that can't be stored: remove it"],
    ]


def test_an_unknown_json_column_is_an_error_of_its_row(world: World) -> None:
    rows = [{"sku": "A1"}, {"sku": "A2", "=HYPERLINK(1)": 1}]
    job = world.imported(json.dumps(rows).encode(), FileFormat.JSON)
    assert (job.status, job.rows_failed) == (JobStatus.COMPLETED, 1)
    assert world.report(job)[1] == ["2", "1", "'=HYPERLINK(1)", "UNKNOWN_COLUMN", "the schema has no such column"]


def test_an_unknown_column_with_an_invalid_name_is_reported(world: World) -> None:
    job = world.imported(b'[{"sku": "A1"}, {"sku": "A2", "\\ud800": 1}]', FileFormat.JSON)
    assert (job.status, job.rows_failed) == (JobStatus.COMPLETED, 1)
    assert world.report(job)[1] == ["2", "1", "?", "UNKNOWN_COLUMN", "the schema has no such column"]


def test_a_report_is_bounded_and_counts_the_lines_left_out(world: World) -> None:
    job = world.imported(b"sku,stock\nA1,1\n" + b"A2,x\n" * 10_050)
    assert job.errors == (ErrorSummary(code="WRONG_TYPE", count=10_050, first_rows=(2, 3, 4, 5, 6)),)
    report = world.report(job)
    assert len(report) == 1 + 10_000 + 1
    assert report[-1] == ["", "", "", "LEFT_OUT", "50 more errors"]


# Files that can't be imported


def a_zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.csv", GOOD_CSV)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "file_format", "failure"),
    [
        pytest.param(b"", FileFormat.CSV, "EMPTY_FILE", id="empty"),
        pytest.param(b"\xef\xbb\xbf", FileFormat.CSV, "EMPTY_FILE", id="a byte order mark alone"),
        pytest.param(b"  \n\n", FileFormat.CSV, "EMPTY_FILE", id="blank lines alone"),
        pytest.param(b"sku,price\n", FileFormat.CSV, "EMPTY_FILE", id="a header alone"),
        pytest.param(b" ", FileFormat.JSON, "EMPTY_FILE", id="empty json"),
        pytest.param(b"[]", FileFormat.JSON, "EMPTY_FILE", id="an empty array"),
        pytest.param(b"\n", FileFormat.JSONL, "EMPTY_FILE", id="empty json lines"),
        pytest.param(gzip.compress(b""), FileFormat.CSV, "EMPTY_FILE", id="an empty gzip"),
        pytest.param(b"sku\nCaf\x81\n", FileFormat.CSV, "BAD_ENCODING", id="neither UTF-8 nor Windows-1252"),
        pytest.param(b"sku\nA\0\n", FileFormat.CSV, "NUL_BYTE", id="a NUL"),
        pytest.param(b"sku,price\nA1,1,2\n", FileFormat.CSV, "NO_VALID_ROW", id="the only row too long"),
        pytest.param(b"sku,price,sku\nA1,1,2\n", FileFormat.CSV, "DUPLICATE_COLUMN", id="a column twice"),
        pytest.param(b"name,colour\nA1,red\n", FileFormat.CSV, "WRONG_SCHEMA", id="another schema"),
        pytest.param(b"sku,colour\nA1,red\n", FileFormat.CSV, "WRONG_SCHEMA", id="an unknown column"),
        pytest.param(b"price\n1\n", FileFormat.CSV, "WRONG_SCHEMA", id="a required column missing"),
        pytest.param(b'[{"name": 1}, {"name": 2}]', FileFormat.JSON, "NO_VALID_ROW", id="json of another schema"),
        pytest.param(b'sku\n"A1\n', FileFormat.CSV, "MALFORMED", id="an open quote"),
        pytest.param(b'sku\n"A1"x\n', FileFormat.CSV, "MALFORMED", id="text behind a quote"),
        pytest.param(b'sku\n"' + b"x\n" * 600_000 + b'"\n', FileFormat.CSV, "ROW_TOO_LONG", id="a quote round the whole file"),
        pytest.param(b"sku\n" + b"x" * 10_000_000, FileFormat.CSV, "ROW_TOO_LONG", id="a 10 MB line"),
        pytest.param(b'{"sku": "' + b"x" * 10_000_000 + b'"}', FileFormat.JSONL, "ROW_TOO_LONG", id="a 10 MB json line"),
        pytest.param(b'[{"sku": "' + b"x" * 10_000_000 + b'"}]', FileFormat.JSON, "ROW_TOO_LONG", id="a 10 MB json row"),
        pytest.param(b'"a",' * 400_000, FileFormat.CSV, "ROW_TOO_LONG", id="a header without end"),
        pytest.param(b'[{"sku": "A1"}, {"sku": ', FileFormat.JSON, "MALFORMED", id="json cut off"),
        pytest.param(b'[{"sku": "A1"}', FileFormat.JSON, "MALFORMED", id="an array without end"),
        pytest.param(b'[{"sku": "A1"} {"sku": "A2"}]', FileFormat.JSON, "MALFORMED", id="no comma"),
        pytest.param(b'[{"sku": "A1"}] [', FileFormat.JSON, "MALFORMED", id="more behind the array"),
        pytest.param(b'[{"sku": nope}' + b" " * 3_000_000, FileFormat.JSON, "MALFORMED", id="no json, long before the end"),
        pytest.param(b"[1, 2]", FileFormat.JSON, "MALFORMED", id="rows that are numbers"),
        pytest.param(b'[{"price": NaN}]', FileFormat.JSON, "MALFORMED", id="not a number"),
        pytest.param(b"[" * 100_000, FileFormat.JSON, "MALFORMED", id="brackets without end"),
        pytest.param(b'{"sku": ' + b"[" * 100_000, FileFormat.JSONL, "MALFORMED", id="brackets without end in a line"),
        pytest.param(b'{"sku": "A1"}\nnope\n', FileFormat.JSONL, "MALFORMED", id="a line that is not json"),
        pytest.param(GOOD_CSV, FileFormat.JSON, "MALFORMED", id="csv called json"),
        pytest.param(a_zip(), FileFormat.CSV, "UNSUPPORTED_FORMAT", id="a zip archive"),
        pytest.param(gzip.compress(GOOD_CSV)[:-9], FileFormat.CSV, "CANNOT_DECOMPRESS", id="a gzip cut off"),
        pytest.param(b"\x1f\x8bnot a gzip", FileFormat.CSV, "CANNOT_DECOMPRESS", id="no gzip"),
        pytest.param(gzip.compress(gzip.compress(GOOD_CSV)), FileFormat.CSV, "UNSUPPORTED_FORMAT", id="a gzip in a gzip"),
        pytest.param(gzip.compress(b"sku\n" + (b"x" * 100_000 + b"\n") * 300), FileFormat.CSV, "ZIP_BOMB", id="a zip bomb"),
        pytest.param(b"sku\n" + b"A1\n" * 100_001, FileFormat.CSV, "TOO_MANY_ROWS", id="more rows than the plan takes"),
    ],
)
def test_a_file_that_cannot_be_imported_fails_with_its_reason(
    world: World, content: bytes, file_format: FileFormat, failure: str
) -> None:
    job = world.imported(content, file_format)
    assert (job.status, job.failure) == (JobStatus.FAILED, failure)
    assert job.failure_detail
    assert world.table.active_jobs() == set()


def test_a_failed_job_keeps_its_counters_and_its_report(world: World) -> None:
    job = world.imported(b"sku;stock\n\n A1;x\nA2;1.5\n")
    assert (job.failure, job.failure_detail) == ("NO_VALID_ROW", "No row is valid. The error report says why.")
    assert (job.rows_read, job.rows_failed, job.delimiter, job.encoding) == (2, 2, ";", "UTF-8")
    assert [line[:4] for line in world.report(job)[1:]] == [
        ["1", "3", "stock", "WRONG_TYPE"],
        ["2", "4", "stock", "WRONG_TYPE"],
    ]


def test_a_row_with_too_many_cells_is_an_error_of_its_row(world: World) -> None:
    job = world.imported(b"sku,stock,\nA1,1\nA2,1,,x\nA3,1,x\nA4\n" + b"A5" + b"," * 50 + b"x\n")
    assert (job.status, job.rows_read, job.rows_failed) == (JobStatus.COMPLETED, 5, 3)
    assert world.report(job)[1:] == [
        ["2", "3", "", "WRONG_CELL_COUNT", "the row has more cells than the header: is a delimiter in a cell without quotes?"],
        ["3", "4", "", "EXTRA_VALUE", "cell 3 has a value, but the header has no name for it"],
        ["5", "6", "", "WRONG_CELL_COUNT", "the row has more cells than the header: is a delimiter in a cell without quotes?"],
    ]


def test_a_schema_without_a_key_takes_no_files(world: World) -> None:
    world.table.put_raw(
        {name: value for name, value in world.table.get_raw(f"SHOP#{DOMAIN}", "SCHEMA#CURRENT").items() if name != "KeyColumns"}
    )
    job = world.imported(GOOD_CSV)
    assert (job.failure, job.failure_detail) == ("NO_KEY", NO_KEY)


def test_a_file_larger_than_the_plan_allows_fails(world: World) -> None:
    world.table.put_raw(
        world.table.get_raw(f"SHOP#{DOMAIN}", "SHOP") | {"FeatureLimits": {"M": {name: {"N": "10"} for name in LIMIT_NAMES}}}
    )
    job = world.imported(b"sku\n" + b"A1\n" * 5)
    assert job.failure == "FILE_TOO_LARGE"


LIMIT_NAMES = ("ConcurrentJobs", "DailyImports", "MonthlyImports", "MaxFileBytes", "MaxRows")


def test_a_shop_without_a_schema_fails(shuttle_table: ShuttleTable) -> None:
    shuttle_table.registry.install(a_shop())
    assert World(shuttle_table).imported(GOOD_CSV).failure == "NO_SCHEMA"


def test_a_missing_upload_fails_the_job(world: World) -> None:
    job_id = world.upload(GOOD_CSV)
    world.objects.stored.clear()
    world.run(job_id)
    assert world.job(job_id).failure == "UPLOAD_MISSING"


def test_reports_and_details_contain_no_cells(world: World) -> None:
    secret: Any = "someone@example.com"
    job = world.imported(f"sku,stock\nA1,1\n{secret},{secret}\n".encode())
    assert secret.encode() not in world.objects.stored[keys.report_object(DOMAIN, job.job_id)]
    assert secret not in str(job)
