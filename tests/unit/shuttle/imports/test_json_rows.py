"""The rows of JSON and JSON Lines files: wrappers, single objects, types, and what is refused."""

import dataclasses
import gzip
import json

import pytest

from lib.shuttle.entities import Column, ColumnType
from lib.shuttle.imports.files import MAX_ROW, Failure, UnreadableFileError
from lib.shuttle.imports.json_rows import WINDOW
from lib.shuttle.jobs.job import FileFormat
from tests.support.shuttle.files import SCHEMA, Normal, normal

A1 = {"sku": "a-1", "price": 2}
A1_CELLS = ["a-1", "", "2", ""]


def read(text: str | bytes, file_format: FileFormat = FileFormat.JSON) -> Normal:
    return normal(text, file_format)


def refusal(text: str, file_format: FileFormat = FileFormat.JSON) -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        read(text, file_format)
    return caught.value


# Objects: the order of members has no meaning


@pytest.mark.parametrize(
    "members",
    [
        {"products": [A1]},
        {"products": [A1], "next": None},
        {"next": None, "products": [A1]},
        {"next": "https://example.com/2", "total": 12, "products": [A1], "page": {"size": 1}, "facets": ["a", [], {}]},
        {"errors": [], "products": [A1]},
        {"products": [A1], "errors": []},
        {"tags": ["new", {"a": 1}], "products": [A1]},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_object_that_holds_one_array_of_objects_is_a_wrapper(members: object, indent: int | None, encoding: str) -> None:
    content = json.dumps(members, indent=indent).encode(encoding)
    assert read(content).cells == read(gzip.compress(content)).cells == [A1_CELLS]


@pytest.mark.parametrize(
    ("members", "unknown"),
    [
        ({"sku": "a-1", "price": 2}, []),
        ({"tags": ["new", "tea"], "sku": "a-1", "price": 2}, ["U:tags"]),
        ({"sku": "a-1", "price": 2, "tags": ["new", "tea"]}, ["U:tags"]),
        ({"tags": [], "sku": "a-1", "price": 2}, ["U:tags"]),
        ({"size": {"in": [{"cm": 3}]}, "sku": "a-1", "price": 2}, ["U:size"]),
        ({"tags": [[{"a": 1}]], "sku": "a-1", "price": 2}, ["U:tags"]),
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_any_other_object_is_one_row(members: object, unknown: list[str], indent: int | None) -> None:
    found = read(json.dumps(members, indent=indent))
    assert (found.cells, found.problems, found.lines) == ([A1_CELLS], [unknown], [1])


@pytest.mark.parametrize("text", ["[]", "[ ]", '{"products": []}', '{"next": null, "products": [], "errors": []}'])
def test_an_empty_array_has_no_rows(text: str) -> None:
    assert read(text).rows == []


@pytest.mark.parametrize("text", ["{}", "[{}]"])
def test_an_object_without_members_is_a_row(text: str) -> None:
    assert read(text).cells == [["", "", "", ""]]


@pytest.mark.parametrize("shift", range(-24, 4))
@pytest.mark.parametrize("value", ["12.5e+3", "-1", '"\\ud83d\\ude00"', "false", "[1, 2]", '[{"sku": "a-1"}]'])
def test_a_value_may_lie_across_two_reads(value: str, shift: int) -> None:
    before = " " * (WINDOW + shift - len('{"a":'))
    found = (
        read(f'{{"a":{before}{value}, "b": [{{"sku": "a-1"}}]}}') if "sku" not in value else read(f'{{"a":{before}{value}}}')
    )
    assert [row[0] for row in found.cells] == ["a-1"]


def test_members_beside_the_rows_may_be_many() -> None:
    paging = {f"member {number}": "x" * 1000 for number in range(2000)}
    assert len(read(json.dumps({"products": [A1, A1], **paging})).rows) == 2


# Lines


def test_rows_have_the_lines_they_begin_at() -> None:
    assert read('\n[{"sku":\n"a-1"},\n\n {"sku": "a-2"}, {"sku": "a-3"}\n,{}]').lines == [2, 5, 5, 6]
    assert read('{"sku": "a-1"}\n\n{"sku": "a-2"}\n  \n', FileFormat.JSONL).lines == [1, 3]


def test_lines_are_counted_across_reads() -> None:
    rows = ",\n".join(json.dumps({"sku": f"a-{number}", "title": "x" * 99}) for number in range(5_000))
    assert read(f"[\n{rows}\n]").lines == list(range(2, 5_002))


# Members and values


@pytest.mark.parametrize("name", ["title", "TITLE", " Title ", "name  of the ITEM"])
def test_names_of_members_are_compared_without_case_and_blanks(name: str) -> None:
    assert read(json.dumps([{"sku": "a-1", name: "Tea"}])).cells == [["a-1", "Tea", "", ""]]


def test_of_two_members_of_one_name_the_last_counts() -> None:
    assert read('[{"sku": 1, "sku": "a-1", "title": "Tea", "Title": 5}]').rows == [["a-1", "", "", "", "1", "T:1:"]]


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        (ColumnType.STRING, '"  Tea "', "  Tea "),
        (ColumnType.STRING, '"a\\r\\nb\\rc"', "a\nb\nc"),
        (ColumnType.STRING, '"\\ud83d\\ude00"', "😀"),
        (ColumnType.STRING, '""', ""),
        (ColumnType.STRING, "null", ""),
        (ColumnType.INTEGER, "12345678901234567890123", "12345678901234567890123"),
        (ColumnType.INTEGER, "3.0", "3.0"),
        (ColumnType.INTEGER, '" 3 "', " 3 "),
        (ColumnType.DECIMAL, "0.10", "0.10"),
        (ColumnType.DECIMAL, "1E+5", "1E+5"),
        (ColumnType.BOOLEAN, "true", "true"),
        (ColumnType.BOOLEAN, "false", "false"),
        (ColumnType.BOOLEAN, '"yes"', "yes"),
        (ColumnType.DATE, '"2026-01-22"', "2026-01-22"),
    ],
)
def test_a_value_becomes_the_text_of_a_cell(kind: ColumnType, value: str, cell: str) -> None:
    schema = dataclasses.replace(SCHEMA, columns=(Column(name="a", type=kind),), key_columns=())
    assert normal(f'[{{"a": {value}}}]', FileFormat.JSON, schema=schema).rows == [[cell, "1", ""]]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ColumnType.STRING, "5"),
        (ColumnType.STRING, "true"),
        (ColumnType.STRING, "[]"),
        (ColumnType.STRING, "{}"),
        (ColumnType.INTEGER, "true"),
        (ColumnType.DECIMAL, "false"),
        (ColumnType.BOOLEAN, "1"),
        (ColumnType.DATE, "20260122"),
        (ColumnType.DATETIME, '["2026"]'),
    ],
)
def test_a_value_that_cannot_be_of_its_type_is_a_problem(kind: ColumnType, value: str) -> None:
    schema = dataclasses.replace(SCHEMA, columns=(Column(name="a", type=kind),), key_columns=())
    assert normal(f'[{{"a": {value}}}]', FileFormat.JSON, schema=schema).rows == [["", "1", "T:0:"]]


@pytest.mark.parametrize(("value", "character"), [("\\ud83d", "U+D83D"), ("a\\r\\u0000\\ud83d", "U+0000")])
def test_a_character_that_cannot_be_stored_is_named(value: str, character: str) -> None:
    assert read(f'[{{"sku": "{value}"}}]').problems == [[f"T:0:{character}"]]


@pytest.mark.parametrize("digits", [4_400, 200_000])
def test_a_number_may_have_any_length(digits: int) -> None:
    assert "9" * digits in read(f'[{{"stock": {"9" * digits}}}, {{}}]').cells[0]


def test_a_number_of_a_column_with_a_decimal_comma_has_one() -> None:
    column = Column(name="a", type=ColumnType.DECIMAL, decimal_comma=True)
    schema = dataclasses.replace(SCHEMA, columns=(column,), key_columns=())
    assert normal('[{"a": 1.50}, {"a": "1,50"}]', FileFormat.JSON, schema=schema).cells == [["1,50"], ["1,50"]]


def test_unknown_members_are_named_within_bounds() -> None:
    assert read('[{"sku": "a-1", "a\\nb\\ud800": 1}]').problems == [["U:a b?"]]
    assert read(json.dumps([{"x" * 1000: 1}])).problems == [["U:" + "x" * 100]]
    assert len(read(json.dumps([{f"x{number}": 1 for number in range(1000)}])).problems[0]) == 20


# Files that are refused

MORE_TEXT = 'Remove it, or order the import with "file_format": "JSONL".'
MISSING = "Add it, or check the end of the file."
NOT_JSON = "Check its commas, quotes and numbers."


@pytest.mark.parametrize(
    ("text", "failure", "detail"),
    [
        (" \n", "EMPTY_FILE", "The file is empty. Write an array of objects."),
        ("sku\n", "MALFORMED", "The file is not JSON: it begins with neither [ nor {. Check the format of the job."),
        ("[1]", "MALFORMED", "The row on line 1 is not a JSON object. Write each row in braces."),
        ('[{"sku": "a-1"},\n[]]', "MALFORMED", "The row on line 2 is not a JSON object. Write each row in braces."),
        ('{"a": [{},\n1]}', "MALFORMED", "The row on line 2 is not a JSON object. Write each row in braces."),
        ('{"a": [{}],\n"b": [ {}]}', "MALFORMED", "A second array of objects begins on line 2. Keep the one with the rows."),
        ("[{}] [", "MALFORMED", f"There is more text after the end of the JSON, on line 1. {MORE_TEXT}"),
        ('{"a": [{}]}\n\n}', "MALFORMED", f"There is more text after the end of the JSON, on line 3. {MORE_TEXT}"),
        ("[{}", "MALFORMED", f"',' is missing on line 2. {MISSING}"),
        ("[{} {}]", "MALFORMED", f"',' is missing on line 1. {MISSING}"),
        ("[{},]", "MALFORMED", f"The row on line 1 is not JSON. {NOT_JSON}"),
        ("{", "MALFORMED", f"The name of a member is missing on line 2. {MISSING}"),
        ('{"a" 1}', "MALFORMED", f"':' is missing on line 1. {MISSING}"),
        ('{"a": 1,}', "MALFORMED", f"The name of a member is missing on line 1. {MISSING}"),
        ('{"a": nope}', "MALFORMED", f"The value of a member on line 1 is not JSON. {NOT_JSON}"),
        ('{"products": [{}], "next": nope}', "MALFORMED", f"The value of a member on line 1 is not JSON. {NOT_JSON}"),
        ('[{"price": NaN}]', "MALFORMED", f"The row on line 1 is not JSON. {NOT_JSON}"),
        ("[" * 100_000, "MALFORMED", f"The row on line 1 is not JSON. {NOT_JSON}"),
        ('{"a":' * 100_000, "MALFORMED", f"The value of a member on line 1 is not JSON. {NOT_JSON}"),
        ('[{"sku": nope}' + " " * 3_000_000, "MALFORMED", f"The row on line 1 is not JSON. {NOT_JSON}"),
    ],
)
def test_a_file_that_is_not_json_is_refused(text: str, failure: str, detail: str) -> None:
    found = refusal(text)
    assert (found.failure, found.detail) == (Failure(failure), detail)


@pytest.mark.parametrize(
    "text",
    [
        '[{"sku": "' + "x" * 2 * MAX_ROW + '"}]',
        '{"sku": "' + "x" * 2 * MAX_ROW + '"}',
        '{"next": "' + "x" * 2 * MAX_ROW + '", "products": [{}]}',
        '{"products": [{}], "next": "' + "x" * 2 * MAX_ROW + '"}',
        '{"a": [' + " " * 2 * MAX_ROW + "{}]}",
        json.dumps({f"member {number}": "x" * 1000 for number in range(2000)}),
    ],
)
def test_a_row_is_bounded_in_every_place(text: str) -> None:
    assert refusal(text).failure is Failure.ROW_TOO_LONG


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("{}\nnope\n", "Line 2 is not JSON. Each line must be one JSON object."),
        ("{}\n\n{} {}\n", "Line 3 is not JSON. Each line must be one JSON object."),
        ("{}\n[]\n", "Line 2 is not a JSON object. Write each row in braces."),
    ],
)
def test_a_line_that_is_not_an_object_is_refused(text: str, detail: str) -> None:
    found = refusal(text, FileFormat.JSONL)
    assert (found.failure, found.detail) == (Failure.MALFORMED, detail)
