"""Copies an upload to disk as plain text: decompressed, in UTF-8, with ``\\n`` at the end of every line, and bounded.

::

    S3 body ─► counted ─► gunzip, if it is gzip ─► bounded (size, expansion) ─► decoded ─► file

A file beyond a bound raises :class:`UnreadableFileError` with the failure code of its job. Each read, of the upload and of the
text in it, first calls ``on_read``, which may stop it: so no file can keep a worker busy unchecked, not even one without rows
(docs/adr/0065). :class:`SpooledText` reads the copy again under the same rule.
"""

import codecs
import enum
import gzip
import io
import re
import secrets
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from lib.platform import errors
from lib.shuttle.imports.files import (
    MAX_TEXT_BYTES,
    READ_BYTES,
    ByteStream,
    Failure,
    Objects,
    OnRead,
    UnreadableFileError,
    refusing_full_disk,
)
from lib.shuttle.imports.quotes import QuoteCheck

#: How many times its size a gzip may expand: repetitive text reaches 20, and DEFLATE at most 1032.
MAX_EXPANSION = 200
#: A text of up to this many bytes may expand more.
EXPANSION_FREE_BYTES = 8 * 1024 * 1024

DISK_FULL = (Failure.FILE_TOO_LARGE, "The file needs more disk space than there is. Split it.")
"""Code and detail of the failure if the text does not fit on disk."""

#: How files begin that are sent instead of text, after decompression, and what they are.
_NOT_TEXT = {
    b"PK\x03\x04": "a zip archive or a workbook",
    b"PK\x05\x06": "an empty zip archive",
    b"\xd0\xcf\x11\xe0": "a workbook",
    b"\x1f\x8b": "compressed with gzip twice",
    b"%PDF-": "a PDF",
}
_START = 1024
_END_OF_FILE = b"\x1a"  # Ctrl-Z, which DOS and CP/M wrote at the end of a text
_BLANKS = b" \t\n"


class Encoding(enum.StrEnum):
    """The encoding that a file was found to have."""

    UTF_8 = "UTF-8"
    UTF_16 = "UTF-16"
    WINDOWS_1252 = "Windows-1252"


@dataclass(frozen=True, slots=True)
class Spooled:
    """The text of an upload on disk.

    The file has ``size`` bytes of text, which end with ``\\n`` (or are empty), and one more line: ``sentinel``, a random token.
    A reader of CSV that does not return it as the last record, in a cell of its own, took a part of the file for one cell.

    ``bytes_read`` counts bytes of the upload, compressed ones if it is a gzip; ``lines`` the lines of the text, without the
    sentinel. ``is_regular_csv_candidate`` is false if a quote has blanks beside it where a cell may begin or end: not every
    reader of CSV takes such a cell for the same text.
    """

    path: Path
    encoding: Encoding
    bytes_read: int
    size: int
    lines: int
    sentinel: str
    is_regular_csv_candidate: bool


def spool(objects: Objects, key: str, folder: Path, on_read: OnRead, max_text_bytes: int = MAX_TEXT_BYTES) -> Spooled:
    """Copy the upload ``key`` into ``folder`` as text.

    A text that is neither UTF-16 nor valid UTF-8 is read once more as Windows-1252.

    Raises:
        UnreadableFileError: there is no upload, it is not text, or it exceeds a bound.
        SwitchboardError: the bucket can't be reached or refuses.
    """
    path = folder / "upload.txt"
    with refusing_full_disk(*DISK_FULL):
        try:
            return _Spooling(_open(objects, key), path, on_read, max_text_bytes).run()
        except _NotUtf8Error:
            return _Spooling(_open(objects, key), path, on_read, max_text_bytes, Encoding.WINDOWS_1252).run()


class SpooledText:
    """Reads a spooled text, without its sentinel, from the start; each read of the disk first calls ``on_read``."""

    def __init__(self, spooled: Spooled, on_read: OnRead) -> None:
        raw = _SpooledBytes(spooled, on_read)
        self._stream = io.TextIOWrapper(io.BufferedReader(raw, READ_BYTES), encoding="utf-8", newline="\n")

    def read_line(self, limit: int) -> str:
        """The next line with its end, at most ``limit`` characters of it; empty at the end of the text."""
        return self._stream.readline(limit)

    def read(self, amount: int) -> str:
        """Up to ``amount`` characters; empty at the end of the text."""
        return self._stream.read(amount)

    def __enter__(self) -> "SpooledText":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


class _NotUtf8Error(Exception):
    pass


def _open(objects: Objects, key: str) -> ByteStream:
    try:
        return objects.open(key)
    except errors.NotFoundError as error:
        raise UnreadableFileError(Failure.UPLOAD_MISSING, "The file is missing. Upload it again.") from error


class _Spooling:
    """One pass over an upload. Without ``encoding``, it is UTF-16 or UTF-8 by its first bytes."""

    def __init__(
        self, source: ByteStream, path: Path, on_read: OnRead, max_bytes: int, encoding: Encoding | None = None
    ) -> None:
        self._counted = _Counted(source, on_read)
        self._text = _Bounded(self._counted, max_bytes)
        self._path = path
        self._max_bytes = max_bytes
        self._encoding = encoding
        self._has_bom = False
        self._lines = 0
        self._quotes = QuoteCheck()

    def run(self) -> Spooled:
        start = self._text.start()
        codec = _codec(start) if self._encoding is None else "cp1252"
        self._encoding = self._encoding or (Encoding.UTF_8 if codec == "utf-8" else Encoding.UTF_16)
        self._has_bom = start.startswith(codecs.BOM_UTF8)
        with self._path.open("w+b") as file:
            self._copy(start, codec, file)
            size = self._end(file)
            sentinel = secrets.token_hex(16)
            file.write(sentinel.encode() + b"\n")
        return Spooled(
            path=self._path,
            encoding=self._encoding,
            bytes_read=self._counted.total,
            size=size,
            lines=self._lines,
            sentinel=sentinel,
            is_regular_csv_candidate=self._quotes.is_regular,
        )

    def _copy(self, start: bytes, codec: str, file: BinaryIO) -> None:
        decoder, newlines = _Decoder(codec), _Newlines()
        piece, written = start, 0
        while True:
            if self._encoding is not Encoding.UTF_16:
                self._refuse_nul(piece)
            try:
                data = newlines.unified(decoder.decode(piece), is_last=not piece)
            except UnicodeDecodeError as error:
                raise self._bad_encoding(error) from error
            if not written:
                data = data.removeprefix(codecs.BOM_UTF8)
            if self._encoding is Encoding.UTF_16:
                self._refuse_nul(data)
            written += len(data)
            if written > self._max_bytes:
                _raise_too_large(self._max_bytes)
            self._lines += data.count(b"\n")
            self._quotes.check(data)
            file.write(data)
            if not piece:
                return
            piece = self._text.read()

    def _refuse_nul(self, piece: bytes) -> None:
        at = piece.find(b"\0")
        if at >= 0:
            detail = f"Line {self._line(piece[:at])} contains a NUL byte: the file is not text. Save it as UTF-8."
            raise UnreadableFileError(Failure.NUL_BYTE, detail)

    def _bad_encoding(self, error: UnicodeDecodeError) -> Exception:
        if self._encoding is Encoding.UTF_8 and not self._has_bom:
            return _NotUtf8Error()
        if self._encoding is Encoding.UTF_16:
            return UnreadableFileError(Failure.BAD_ENCODING, "The file is not valid UTF-16. Save it as UTF-8.")
        what = "UTF-8" if self._encoding is Encoding.UTF_8 else "UTF-8, UTF-16 or Windows-1252"
        line = self._line(error.object[: error.start])
        return UnreadableFileError(Failure.BAD_ENCODING, f"Line {line} is not valid {what}. Save the file as UTF-8.")

    def _line(self, before: bytes) -> int:
        """The number of the line after those written and ``before``."""
        return self._lines + 1 + len(re.findall(rb"\r\n|\r|\n", before))

    def _end(self, file: BinaryIO) -> int:
        """Drop a Ctrl-Z at the end, end the last line, and return the size."""
        size = file.tell()
        file.seek(max(0, size - READ_BYTES))
        tail = file.read()
        blank = tail[len(tail.rstrip(_BLANKS + _END_OF_FILE)) :]
        at = blank.find(_END_OF_FILE)
        if at >= 0:
            self._lines -= blank.count(b"\n", at)
            size -= len(blank) - at
            tail = tail[: len(tail) - len(blank) + at]
        file.seek(size)
        file.truncate()
        if tail and not tail.endswith(b"\n"):
            size += file.write(b"\n")
            self._lines += 1
            self._quotes.check(b"\n")
        return size


def _codec(start: bytes) -> str:
    """The codec of a text that begins with ``start``; the decoder that finds out about Windows-1252 is UTF-8's."""
    if start.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if start.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    whole = start[: len(start) // 2 * 2]
    even, odd = whole[::2].count(0), whole[1::2].count(0)
    is_mostly_latin = max(even, odd) * 4 > len(whole)  # more than half of the characters
    if is_mostly_latin and min(even, odd) == 0 and len(whole) > 2:
        return "utf-16-le" if odd else "utf-16-be"
    return "utf-8"


class _Decoder:
    """Makes UTF-8 of a text, piece by piece."""

    def __init__(self, codec: str) -> None:
        self._decoder = codecs.getincrementaldecoder(codec)()
        self._is_utf8 = codec == "utf-8"
        self._is_ascii_itself = codec in ("utf-8", "cp1252")

    def decode(self, piece: bytes) -> bytes:
        """``piece`` in UTF-8; an empty one is the end."""
        if self._is_ascii_itself and piece and piece.isascii() and not self._decoder.getstate()[0]:
            return piece
        text = self._decoder.decode(piece, final=not piece)
        return piece if self._is_utf8 else text.encode()


class _Newlines:
    """Makes ``\\n`` of ``\\r\\n`` and ``\\r``, piece by piece."""

    def __init__(self) -> None:
        self._held = b""

    def unified(self, piece: bytes, *, is_last: bool) -> bytes:
        piece = self._held + piece
        self._held = b"\r" if piece.endswith(b"\r") and not is_last else b""
        if b"\r" not in piece:
            return piece
        return piece.removesuffix(self._held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class _Counted(io.RawIOBase):
    """Counts what is read of the upload."""

    def __init__(self, source: ByteStream, on_read: OnRead) -> None:
        super().__init__()
        self._source = source
        self._on_read = on_read
        self._ahead = b""
        self.total = 0

    def peek(self, amount: int) -> bytes:
        """The first bytes, which a later read returns again."""
        while len(self._ahead) < amount and (more := self._source.read(amount - len(self._ahead))):
            self._ahead += more
        return self._ahead

    def readable(self) -> bool:
        return True

    def check(self) -> None:
        """Give ``on_read`` the chance to stop the reading."""
        self._on_read(self.total)

    def read(self, size: int = -1, /) -> bytes:
        self.check()
        amount = READ_BYTES if size < 0 else min(size, READ_BYTES)
        taken, self._ahead = self._ahead[:amount], self._ahead[amount:]
        taken = taken or self._source.read(amount)
        self.total += len(taken)
        return taken


class _Bounded:
    """The bytes of the text; refuses those that are too many, or too many for the size of their gzip."""

    def __init__(self, counted: _Counted, max_bytes: int) -> None:
        self._counted = counted
        self._max_bytes = max_bytes
        self._total = 0
        is_gzip = counted.peek(2) == b"\x1f\x8b"
        self._source: Any = gzip.GzipFile(fileobj=counted, mode="rb") if is_gzip else counted

    def start(self) -> bytes:
        """The first bytes."""
        start = b""
        while len(start) < _START and (piece := self.read()):
            start += piece
        for first, what in _NOT_TEXT.items():
            if start.startswith(first):
                raise UnreadableFileError(Failure.UNSUPPORTED_FORMAT, f"The file is {what}. Upload the text itself.")
        return start

    def read(self) -> bytes:
        """The next bytes; none at the end."""
        self._counted.check()
        try:
            piece: bytes = self._source.read(READ_BYTES)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            detail = "The gzip is damaged or truncated. Compress and upload it again."
            raise UnreadableFileError(Failure.CANNOT_DECOMPRESS, detail) from error
        self._total += len(piece)
        if self._total > max(EXPANSION_FREE_BYTES, self._counted.total * MAX_EXPANSION):
            detail = f"The gzip expands more than {MAX_EXPANSION} times. Upload the text itself."
            raise UnreadableFileError(Failure.ZIP_BOMB, detail)
        if self._total > self._max_bytes:
            _raise_too_large(self._max_bytes)
        return piece


class _SpooledBytes(io.RawIOBase):
    def __init__(self, spooled: Spooled, on_read: OnRead) -> None:
        super().__init__()
        self._file = spooled.path.open("rb", buffering=0)
        self._left = spooled.size
        self._bytes_read = spooled.bytes_read
        self._on_read = on_read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._on_read(self._bytes_read)
        with memoryview(buffer) as view:
            count = self._file.readinto(view[: min(len(view), READ_BYTES, self._left)]) or 0
        self._left -= count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _raise_too_large(max_bytes: int) -> NoReturn:
    raise UnreadableFileError(Failure.FILE_TOO_LARGE, f"The text of the file has more than {max_bytes} bytes. Split it.")
