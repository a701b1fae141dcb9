"""The import worker's memory does not grow with the file: many MB made on the fly, checked to the end."""

import json
import tracemalloc
from collections.abc import Iterator

import pytest

from lib.shuttle.entities import Column, Schema
from lib.shuttle.imports.files import UploadText
from lib.shuttle.imports.parsing import read_rows
from lib.shuttle.imports.row_validation import RowValidator
from lib.shuttle.jobs.job import FileFormat
from tests.support.project.examples import examples
from tests.support.shuttle.builders import DOMAIN, NOON

SCHEMA = Schema(
    shop_domain=DOMAIN, version=1, columns=(Column(name="sku", required=True), Column(name="text")), created_at=NOON
)
ROWS = examples(12_000, thorough=60_000)
TEXT = "lorem ipsum " * 83  # a row of about 1 kB: 12 MB in all, or 60


class Generated:
    """A stream of bytes that are made as they are read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self.total = 0

    def read(self, amount: int, /) -> bytes:
        while len(self._rest) < amount and (piece := next(self._pieces, b"")):
            self._rest += piece
        taken, self._rest = self._rest[:amount], self._rest[amount:]
        self.total += len(taken)
        return taken


def csv_file() -> Iterator[bytes]:
    yield b"sku,text\n"
    for number in range(ROWS):
        yield f"A{number},{TEXT}\n".encode()


def json_file() -> Iterator[bytes]:
    for number in range(ROWS):
        yield ("," if number else "[").encode() + json.dumps({"sku": f"A{number}", "text": TEXT}).encode()
    yield b"]"


def jsonl_file() -> Iterator[bytes]:
    for number in range(ROWS):
        yield json.dumps({"sku": f"A{number}", "text": TEXT}).encode() + b"\n"


@pytest.mark.parametrize(
    ("file_format", "pieces"),
    [(FileFormat.CSV, csv_file), (FileFormat.JSON, json_file), (FileFormat.JSONL, jsonl_file)],
)
def test_a_file_of_any_size_takes_less_than_4_mb(file_format: FileFormat, pieces: "type[Iterator[bytes]]") -> None:
    source = Generated(pieces())
    checker = RowValidator(SCHEMA)
    tracemalloc.start()
    try:
        rows = sum(1 for row in read_rows(UploadText(source, lambda _: None), file_format) if not checker.check(row))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows == ROWS
    assert source.total > ROWS * 950
    assert peak < 4_000_000
