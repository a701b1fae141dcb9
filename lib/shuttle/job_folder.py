"""The folder on disk of one import or export, which does not outlive it."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "shuttle-job-"
#: A folder is locked right after it is made.
_LOCKED_AFTER_SECONDS = 5


@contextlib.contextmanager
def job_folder() -> Iterator[Path]:
    """A new folder, removed at the end. Those of processes that were killed, which would fill the disk, are removed first."""
    _remove_abandoned(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, _opened(Path(name)) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield Path(name)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # BlockingIOError: its job runs, in another process of this machine
            if time.time() - folder.stat().st_mtime < _LOCKED_AFTER_SECONDS:
                continue
            with _opened(folder) as descriptor:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
