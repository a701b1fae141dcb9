"""The file of an import as a stream of safe text: bounded in size, decompressed, decoded, never whole in memory.

::

    S3 body ─► counted ─► gunzip, if it is gzip ─► checked (size, expansion, NUL) ─► UTF-8 text

A file beyond a bound raises :class:`UnreadableFileError` with the failure code of its job. Each read, of the upload and of the
text in it, first calls the reader's ``on_read``, which may stop it: so no file can keep a worker busy unchecked, not even one
without rows (docs/adr/0065). :mod:`.parsing` reads the rows. S3 is behind the protocol :class:`Objects`.
"""

import codecs
import enum
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Protocol

from lib.platform import aws

#: The most that is read, of the upload and of the text in it, between two calls of ``on_read``.
READ_BYTES = 64 * 1024
#: How many times its size a gzip may expand: repetitive text reaches 20, and DEFLATE at most 1032.
MAX_EXPANSION = 200
#: A text of up to this many bytes may expand more.
EXPANSION_FREE_BYTES = 8 * 1024 * 1024
#: The longest text, for any compression and any plan.
MAX_TEXT_BYTES = 4 * 1024**3
#: The longest row, in characters.
MAX_ROW = 1024 * 1024
#: The characters that count as blank at both ends of a cell.
BLANKS = " \t\n\u00a0"


class Failure(enum.StrEnum):
    """Why a job failed. docs/runbooks/jobs.md says what to do in each case."""

    BAD_ENCODING = "BAD_ENCODING"
    CANNOT_DECOMPRESS = "CANNOT_DECOMPRESS"
    CATALOGUE_FULL = "CATALOGUE_FULL"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    DUPLICATE_COLUMN = "DUPLICATE_COLUMN"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    EMPTY_FILE = "EMPTY_FILE"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    INVALID_ROWS = "INVALID_ROWS"
    MALFORMED = "MALFORMED"
    NO_CATALOGUE = "NO_CATALOGUE"
    NO_KEY = "NO_KEY"
    NO_SCHEMA = "NO_SCHEMA"
    NO_VALID_ROW = "NO_VALID_ROW"
    NUL_BYTE = "NUL_BYTE"
    RAGGED_ROW = "RAGGED_ROW"
    ROW_TOO_LONG = "ROW_TOO_LONG"
    TOO_LARGE_TO_MERGE = "TOO_LARGE_TO_MERGE"
    TOO_MANY_ROWS = "TOO_MANY_ROWS"
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    UPLOAD_MISSING = "UPLOAD_MISSING"
    VERSION_GONE = "VERSION_GONE"
    WRONG_KEY = "WRONG_KEY"
    WRONG_SCHEMA = "WRONG_SCHEMA"
    ZIP_BOMB = "ZIP_BOMB"


class UnreadableFileError(Exception):
    """The file can't be imported, and reading it again would not help. ``detail`` is a sentence for the shop."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure = failure
        self.detail = detail


#: Called with the number of bytes of the upload read so far; raises to stop reading.
OnRead = Callable[[int], None]


class ByteStream(Protocol):
    """Bytes that can be read once, from start to end."""

    def read(self, amount: int, /) -> bytes:
        """Up to ``amount`` bytes; empty at the end."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in the import bucket, and when it was stored."""

    key: str
    modified_at: datetime


class Objects(Protocol):
    """The import bucket."""

    def open(self, key: str) -> ByteStream:
        """The object ``key``; NotFoundError if there is none."""

    def put(self, key: str, body: BinaryIO, content_type: str) -> None:
        """Store an object whole."""


class PrunableObjects(Objects, Protocol):
    """The import bucket, for who also deletes what is no longer needed."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose keys begin with ``prefix``, in the order of their keys."""

    def delete(self, key: str) -> None:
        """Delete an object. Idempotent."""


class S3Objects:
    """The import bucket in S3. Every method raises a SwitchboardError if S3 can't be reached or refuses.

    Args:
        client: an S3 client with a read timeout of some seconds.
        bucket: its name.
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def open(self, key: str) -> ByteStream:
        """The object ``key``; NotFoundError if there is none. Reading the stream may raise a SwitchboardError as well."""
        with aws.translated("open the object"):
            return _S3Stream(self._client.get_object(Bucket=self._bucket, Key=key)["Body"])

    def put(self, key: str, body: BinaryIO, content_type: str) -> None:
        """Store an object whole."""
        with aws.translated("store the object"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose keys begin with ``prefix``, in the order of their keys."""
        request = {"Bucket": self._bucket, "Prefix": prefix}
        while True:
            with aws.translated("list the objects"):
                page = self._client.list_objects_v2(**request)
            for each in page.get("Contents", []):
                yield StoredObject(each["Key"], each["LastModified"])
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def delete(self, key: str) -> None:
        """Delete an object. Idempotent."""
        with aws.translated("delete the object"):
            self._client.delete_object(Bucket=self._bucket, Key=key)


class _S3Stream:
    def __init__(self, body: ByteStream) -> None:
        self._body = body

    def read(self, amount: int, /) -> bytes:
        with aws.translated("read the object"):
            return self._body.read(amount)


class UploadText:
    """The text of an upload.

    Args:
        source: the upload.
        on_read: called before each read.
        max_text_bytes: how long the text may be.
    """

    def __init__(self, source: ByteStream, on_read: OnRead, max_text_bytes: int = MAX_TEXT_BYTES) -> None:
        self._counted = _Counted(source, on_read)
        checked = _Checked(_decompressed(self._counted), self._counted, max_text_bytes)
        self.stream = io.TextIOWrapper(io.BufferedReader(checked, READ_BYTES), encoding="utf-8-sig", newline="")

    @property
    def bytes_read(self) -> int:
        """Bytes of the upload read so far, compressed ones if it is a gzip: what progress and usage count."""
        return self._counted.total

    def read_line(self, limit: int) -> str:
        """The next line with its end, at most ``limit`` characters of it; empty at the end of the file."""
        try:
            return self.stream.readline(limit)
        except UnicodeDecodeError as error:
            raise _bad_encoding() from error

    def read(self, amount: int) -> str:
        """Up to ``amount`` characters; empty at the end of the file."""
        try:
            return self.stream.read(amount)
        except UnicodeDecodeError as error:
            raise _bad_encoding() from error


class _Counted(io.RawIOBase):
    """Counts the bytes read. The first bytes can be read in advance."""

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


class _Checked(io.RawIOBase):
    """Refuses text that is too long, expands too much or contains a NUL."""

    def __init__(self, source: Any, counted: _Counted, max_bytes: int) -> None:
        super().__init__()
        self._source = source
        self._counted = counted
        self._max_bytes = max_bytes
        self._total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._counted.check()
        try:
            piece: bytes = self._source.read(min(len(buffer), READ_BYTES))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UnreadableFileError(Failure.CANNOT_DECOMPRESS, "The gzip is damaged or truncated.") from error
        self._total += len(piece)
        if self._total > max(EXPANSION_FREE_BYTES, self._counted.total * MAX_EXPANSION):
            raise UnreadableFileError(Failure.ZIP_BOMB, f"The gzip expands more than {MAX_EXPANSION} times.")
        if self._total > self._max_bytes:
            raise UnreadableFileError(Failure.FILE_TOO_LARGE, f"The file has more than {self._max_bytes} bytes.")
        if b"\0" in piece:
            raise UnreadableFileError(Failure.NUL_BYTE, "The file contains a NUL byte: it is not text, or not UTF-8.")
        buffer[: len(piece)] = piece
        return len(piece)


def _decompressed(counted: _Counted) -> Any:
    start = counted.peek(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableFileError(Failure.BAD_ENCODING, "The file is UTF-16. Save it as UTF-8.")
    if start.startswith(b"PK\x03\x04"):
        raise UnreadableFileError(
            Failure.UNSUPPORTED_FORMAT, "The file is a zip archive or a workbook. Upload the text itself."
        )
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=counted, mode="rb")
    return counted


def _bad_encoding() -> UnreadableFileError:
    return UnreadableFileError(Failure.BAD_ENCODING, "The file is not UTF-8.")
