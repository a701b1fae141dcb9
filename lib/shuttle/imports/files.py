"""The limits of an import's file, the reasons why a job may fail, and access to the import bucket."""

import contextlib
import enum
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Protocol

from lib.platform import aws

#: The most bytes of an upload, and of the text in it, that are read between two calls of ``on_read``.
READ_BYTES = 64 * 1024
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


@contextlib.contextmanager
def refusing_full_disk(failure: Failure, detail: str) -> Iterator[None]:
    """Raises UnreadableFileError with ``failure`` and ``detail`` if the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise UnreadableFileError(failure, detail) from error


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
