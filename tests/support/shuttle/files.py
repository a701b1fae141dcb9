"""Files of an import on disk: spooled, with their header, in normal form."""

import csv
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lib.platform import errors
from lib.shuttle.entities import Column, ColumnType, Schema
from lib.shuttle.imports.csv_rows import read_lines
from lib.shuttle.imports.files import MAX_TEXT_BYTES, ByteStream, OnRead
from lib.shuttle.imports.header import Header, read_header
from lib.shuttle.imports.normal_form import write_normal_form
from lib.shuttle.imports.spool import Spooled, SpooledText, spool
from lib.shuttle.jobs.job import FileFormat
from tests.support.shuttle.builders import DOMAIN, NOON

SCHEMA = Schema(
    shop_domain=DOMAIN,
    version=1,
    columns=(
        Column(name="sku", required=True),
        Column(name="title", aliases=("Name of the item",)),
        Column(name="price", type=ColumnType.DECIMAL),
        Column(name="stock", type=ColumnType.INTEGER),
    ),
    created_at=NOON,
    key_columns=("sku",),
)


@dataclass
class OneObject:
    """A bucket with one object, or none."""

    content: bytes | None
    opened: int = 0

    def open(self, key: str) -> ByteStream:
        self.opened += 1
        if self.content is None:
            raise errors.NotFoundError("could not open the upload: NoSuchKey")
        return io.BytesIO(self.content)

    def put(self, key: str, body: BinaryIO, content_type: str) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Normal:
    """The rows of a file, each as its cells, line and problems, and its header if it has one."""

    rows: list[list[str]]
    header: Header | None

    @property
    def cells(self) -> list[list[str]]:
        return [row[:-2] for row in self.rows]

    @property
    def lines(self) -> list[int]:
        return [int(row[-2]) for row in self.rows]

    @property
    def problems(self) -> list[list[str]]:
        return [row[-1].split("\n") if row[-1] else [] for row in self.rows]


def nothing(_: int) -> None:
    """An ``on_read`` that lets everything be read."""


def spooled(content: bytes, folder: Path, on_read: OnRead = nothing, max_text_bytes: int = MAX_TEXT_BYTES) -> Spooled:
    """An upload with this content, on disk."""
    return spool(OneObject(content), "uploads/a", folder, on_read, max_text_bytes)


def text_of(found: Spooled) -> str:
    """A spooled text, without its sentinel."""
    return found.path.read_bytes()[: found.size].decode()


def normal(
    content: bytes | str,
    file_format: FileFormat = FileFormat.CSV,
    *,
    schema: Schema = SCHEMA,
    delimiter: str | None = None,
    on_read: OnRead = nothing,
    max_rows: int = 10**6,
) -> Normal:
    """The rows of an upload with this content."""
    with tempfile.TemporaryDirectory() as folder:
        found = spooled(content.encode() if isinstance(content, str) else content, Path(folder), on_read)
        header = None
        if file_format is FileFormat.CSV:
            with SpooledText(found, on_read) as text:
                header = read_header(read_lines(text), schema, delimiter)
        path = Path(folder, "normal.csv")
        form = write_normal_form(found, header or file_format, schema, path, on_read, max_rows=max_rows)
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, strict=True))
        assert len(rows) == form.rows
        return Normal(rows, header)
