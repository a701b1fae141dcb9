"""The header of a CSV file: its delimiter, its names, its padding, and what is refused."""

import dataclasses
from collections.abc import Iterator

import pytest

from lib.shuttle.entities import Column, Schema
from lib.shuttle.imports.files import Failure, UnreadableFileError
from lib.shuttle.imports.header import MAX_CELLS, Header, read_header
from tests.support.shuttle.files import SCHEMA


def header(text: str, delimiter: str | None = None, schema: Schema = SCHEMA) -> Header:
    return read_header(text.splitlines(keepends=True), schema, delimiter)


def names(found: Header) -> list[str | None]:
    return [None if column is None else column.name for column in found.columns]


def refusal(text: str, delimiter: str | None = None) -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        header(text, delimiter)
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_the_delimiter_is_detected(delimiter: str, quote: str) -> None:
    text = delimiter.join(f"{quote}{name}{quote}" for name in ("sku", "title", "price")) + "\n"
    found = header(text + "a,b;c|d\t\n")
    assert (found.delimiter, found.first_data_line, names(found)) == (delimiter, 2, ["sku", "title", "price"])


def test_the_delimiter_that_makes_the_most_columns_is_used() -> None:
    schema = dataclasses.replace(
        SCHEMA, columns=(Column(name="sku"), Column(name="size, in cm"), Column(name="weight, in kg")), key_columns=()
    )
    assert header("sku;size, in cm;weight, in kg\n", schema=schema).delimiter == ";"


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;;", "sep=;  "])
def test_a_separator_line_sets_the_delimiter(line: str) -> None:
    found = header(f"{line}\nsku\na\n")
    assert (found.delimiter, found.first_data_line) == (";", 3)


@pytest.mark.parametrize(("given", "expected"), [(None, "\t"), ("|", "|")])
def test_a_delimiter_that_is_set_counts_more_than_the_separator_line(given: str | None, expected: str) -> None:
    assert header("sep=\t\nsku\n", given).delimiter == expected


def test_an_unusual_separator_is_ignored() -> None:
    assert header("sep=:\nsku;title\n").delimiter == ";"


@pytest.mark.parametrize("before", ["", "\n", "  \n\t\n", ",,,\n", ";;\n\n", '"",""\n', "\nsep=,\n\n"])
def test_blank_lines_before_the_header_are_skipped(before: str) -> None:
    assert header(f"{before}sku,title\na,b\n").first_data_line == before.count("\n") + 2


@pytest.mark.parametrize(
    "line",
    [
        "SKU,Title,PRICE",
        " sku , title , price ",
        "sku,name of the item,price",
        "sku,NAME  of the\u00a0item,price",
        "\ufeffsku,title,price",
        'sku,"name of\nthe item",price',
    ],
)
def test_names_and_aliases_are_compared_without_case_and_blanks(line: str) -> None:
    found = header(f"{line}\n")
    assert names(found) == ["sku", "title", "price"]
    assert found.first_data_line == line.count("\n") + 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sku,title,,", ["sku", "title", None, None]),
        ("sku,title,  ,\t", ["sku", "title", None, None]),
        (",sku,,title", [None, "sku", None, "title"]),
        ("sku;;title;", ["sku", None, "title", None]),
        ('sku,"",title', ["sku", None, "title"]),
    ],
)
def test_unnamed_columns_are_padding(line: str, expected: list[str | None]) -> None:
    assert names(header(f"{line}\n")) == expected


def test_a_header_padded_to_the_width_of_a_spreadsheet_is_read() -> None:
    assert names(header("sku,title" + "," * 16_382 + "\n")) == ["sku", "title"]


def test_no_more_lines_are_read_than_needed() -> None:
    def lines() -> Iterator[str]:
        yield "sku,title\n"
        pytest.fail("a line after the header was read")

    assert read_header(lines(), SCHEMA).first_data_line == 2


@pytest.mark.parametrize(
    ("text", "failure", "detail"),
    [
        ("", "EMPTY_FILE", "The file has no header. Put the names of the columns on its first line."),
        (" \n,,\n", "EMPTY_FILE", "The file has no header. Put the names of the columns on its first line."),
        ("sep=;\n", "EMPTY_FILE", "The file has no header. Put the names of the columns on its first line."),
        ("sku,price,sku\n", "DUPLICATE_COLUMN", "Columns 1 and 3 of the header are both 'sku'. Remove or rename one."),
        (
            "sku,title,Name of the item\n",
            "DUPLICATE_COLUMN",
            "Columns 2 and 3 of the header are both 'title'. Remove or rename one.",
        ),
        ("sku,a,A\n", "DUPLICATE_COLUMN", "Columns 2 and 3 of the header are both 'a'. Remove or rename one."),
        ("title\n", "WRONG_SCHEMA", "The header is not the schema's. It has no 'sku': add it."),
        (
            "sku,colour\n",
            "WRONG_SCHEMA",
            "The header is not the schema's. It has 'colour', which the schema has not: rename or remove it.",
        ),
        (
            "title,a,b,c,d,e,f,g\n",
            "WRONG_SCHEMA",
            "The header is not the schema's. It has no 'sku': add it. It has 'a', 'b', 'c', 'd', 'e' and 2 more, which the "
            "schema has not: rename or remove them.",
        ),
        (
            "a-1,someone@example.com\n",
            "WRONG_SCHEMA",
            "The first line names no column of the schema. Check the names, and the delimiter if one is set.",
        ),
        *(
            (text, "WRONG_SCHEMA", 'The file begins like JSON. Order the import with "file_format": "JSON" or "JSONL".')
            for text in ('[{"sku": "a-1"}]\n', ' {"sku":\n"a-1"}\n')
        ),
        ('"sku,title\n', "MALFORMED", "The row that begins on line 1 is not CSV: unexpected end of data. Check its quotes."),
        (
            "sku" + "".join(f",{number}" for number in range(MAX_CELLS)) + "\n",
            "WRONG_SCHEMA",
            f"The header has {MAX_CELLS + 1} columns, and at most {MAX_CELLS} are read. Remove those without a name.",
        ),
    ],
)
def test_a_header_that_does_not_fit_is_refused(text: str, failure: str, detail: str) -> None:
    found = refusal(text)
    assert (found.failure, found.detail) == (Failure(failure), detail)


def test_a_wrong_delimiter_that_was_set_is_named_as_a_cause() -> None:
    found = refusal("sku;title\n", ",")
    assert found.failure is Failure.WRONG_SCHEMA
    assert "the delimiter if one is set" in found.detail


def test_a_column_of_the_key_is_required() -> None:
    schema = dataclasses.replace(SCHEMA, key_columns=("sku", "stock"))
    with pytest.raises(UnreadableFileError, match="It has no 'stock': add it"):
        header("sku,title\n", schema=schema)
