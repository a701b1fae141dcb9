"""Copies the files of jobs between the import bucket and disk, piece by piece, so that a cancelled job stops in between."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from lib.platform import errors
from lib.shuttle.imports.files import READ_BYTES, Failure, Objects, refusing_full_disk

_TOO_LARGE = "The file and the catalogue need more disk than an import has. Split the file."

#: Called before every piece; raises to stop the copy.
Check = Callable[[], None]


def download(objects: Objects, key: str, path: Path, check: Check) -> None:
    """Copy the object ``key`` to ``path``.

    Raises:
        NotFoundError: there is none.
        UnreadableFileError: TOO_LARGE_TO_MERGE: the disk is full.
        SwitchboardError: the bucket can't be reached or refuses.
    """
    source = objects.open(key)
    with refusing_full_disk(Failure.TOO_LARGE_TO_MERGE, _TOO_LARGE), path.open("wb") as file:
        check()
        while piece := source.read(READ_BYTES):
            file.write(piece)
            check()


def upload(objects: Objects, path: Path, key: str, content_type: str, check: Check) -> int:
    """Store the file ``path`` as the object ``key``. Returns its size in bytes.

    Raises:
        SwitchboardError: the bucket can't be reached or refuses.
    """
    with path.open("rb") as file:
        body = _Watched(file, check)
        try:
            objects.put(key, cast(BinaryIO, body), content_type)
        except errors.SwitchboardError:
            if body.stopped_by is not None:  # the SDK replaced it by an error of its own
                raise body.stopped_by from None
            raise
    return path.stat().st_size


class _Watched:
    """A file that calls ``check`` before every read."""

    def __init__(self, file: BinaryIO, check: Check) -> None:
        self._file = file
        self._check = check
        self.stopped_by: Exception | None = None

    def read(self, amount: int = -1, /) -> bytes:
        try:
            self._check()
        except Exception as error:
            self.stopped_by = error
            raise
        return self._file.read(min(amount, READ_BYTES))  # -1 is all of it

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
