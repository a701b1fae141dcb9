"""The import worker's memory does not grow with the file: many MB made on the fly, checked to the end."""

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from lib.shuttle.engine import Engine
from lib.shuttle.entities import Column, Schema
from lib.shuttle.imports.checking import check
from lib.shuttle.imports.spool import spool
from lib.shuttle.jobs.job import FileFormat
from tests.support.project.examples import examples
from tests.support.shuttle.builders import DOMAIN, NOON
from tests.support.shuttle.files import nothing

SCHEMA = Schema(
    shop_domain=DOMAIN, version=1, columns=(Column(name="sku"), Column(name="text")), created_at=NOON, key_columns=("sku",)
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


@dataclass
class Bucket:
    """A bucket with one object, which can be read once."""

    source: Generated

    def open(self, key: str) -> Generated:
        return self.source

    def put(self, key: str, body: BinaryIO, content_type: str) -> None:
        raise NotImplementedError


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
def test_a_file_of_any_size_takes_less_than_4_mb_beside_the_engine(
    file_format: FileFormat, pieces: "type[Iterator[bytes]]", tmp_path: Path
) -> None:
    source = Generated(pieces())
    tracemalloc.start()
    try:
        found = spool(Bucket(source), "uploads/a", tmp_path, nothing)
        with Engine(tmp_path) as engine:
            checked = check(engine, found, file_format, SCHEMA, nothing, max_rows=ROWS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (checked.rows_read, checked.rows_failed) == (ROWS, 0)
    assert source.total > ROWS * 950
    assert peak < 4_000_000
