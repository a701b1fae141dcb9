"""Whatever bytes are uploaded, reading them ends with rows or with a reason, and in bounds."""

import contextlib
import csv
import gzip
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from lib.shuttle.imports.files import READ_BYTES, UnreadableFileError
from lib.shuttle.jobs.job import FileFormat
from tests.support.shuttle.files import SCHEMA, normal, spooled, text_of

CSV = [b"sku", b"title", b"price", b",", b";", b"\t", b"|", b'"', b'""', b"\n", b"\r\n", b"\r", b" ", b"\x1a", b"sep=;"]
JSON = [*b"{}[]:-\\", *b'"sku" "a": 1.5e3 null true NaN \\u \\ud83d'.split()]
ENCODED = [
    "é".encode(),
    b"\xe9",
    b"\x81",
    b"\0",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"a\0,\0",
]
pieces = st.sampled_from([bytes([piece]) if isinstance(piece, int) else piece for piece in [*CSV, *JSON, *ENCODED]])
uploads = st.one_of(st.binary(max_size=300), st.lists(pieces, max_size=60).map(b"".join))


@given(content=uploads, file_format=st.sampled_from(FileFormat), is_gzip=st.booleans())
@example(content=b"sku\n\x1a\n\x1a", file_format=FileFormat.CSV, is_gzip=False)
@example(content=b'{"a":-', file_format=FileFormat.JSON, is_gzip=False)
def test_any_bytes_are_rows_or_are_refused_with_a_reason(content: bytes, file_format: FileFormat, is_gzip: bool) -> None:
    refusal: UnreadableFileError | None = None
    try:
        found = normal(gzip.compress(content) if is_gzip else content, file_format)
    except UnreadableFileError as error:
        refusal = error

    if refusal is not None:
        assert 0 < len(refusal.detail) < 400
    else:
        assert all(len(row) == len(SCHEMA.columns) + 2 for row in found.rows)
        assert found.lines == sorted(found.lines)


@given(content=uploads, place=st.integers(0, 10**9), bits=st.integers(1, 255))
def test_a_damaged_gzip_raises_nothing_but_a_refusal(content: bytes, place: int, bits: int) -> None:
    whole = bytearray(gzip.compress(content + b"sku\n" * 50))
    whole[place % len(whole)] ^= bits
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UnreadableFileError):
        spooled(bytes(whole), Path(folder))


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\x1a\ufeff"), max_size=20)


@given(
    text=texts,
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    pad=st.integers(0, 6),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_text_comes_back_whatever_its_encoding(text: str, codec: str, pad: int, newline: str) -> None:
    text = "x" * (READ_BYTES - pad) + text + "é"
    with tempfile.TemporaryDirectory() as folder:
        found = spooled(text.replace("\n", newline).encode(codec), Path(folder))
        assert text_of(found) == text + "\n"
        assert found.lines == text.count("\n") + 1


cells = st.text(st.sampled_from('ab \t\n,;|"é\u00a0'), max_size=6)


@given(
    rows=st.lists(st.lists(cells, min_size=1, max_size=4), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_every_cell_of_a_csv_comes_back(rows: list[list[str]], delimiter: str, quoting: Any) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerow(["sku", "title", "price", "stock"])
    writer.writerows(rows)

    found = normal(file.getvalue())

    assert found.cells == [row + [""] * (4 - len(row)) for row in rows if any(cell.strip(" \t\n\u00a0") for cell in row)]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(
    rows=st.lists(st.dictionaries(st.sampled_from(["sku", "title", "other"]), values), max_size=5),
    before=st.dictionaries(st.sampled_from("abc"), st.none() | texts),
    indent=st.sampled_from([None, 0, 3]),
)
def test_rows_are_the_same_in_an_array_in_a_wrapper_and_in_lines(
    rows: list[dict[str, Any]], before: dict[str, Any], indent: int | None
) -> None:
    array = normal(json.dumps(rows, indent=indent), FileFormat.JSON)
    lines = normal("\n".join(map(json.dumps, rows)), FileFormat.JSONL)
    wrapper = normal(json.dumps({**before, "rows": rows, "next": None}, indent=indent), FileFormat.JSON)

    assert array.cells == lines.cells == wrapper.cells
    assert array.problems == lines.problems == wrapper.problems
    assert len(array.rows) == len(rows)
