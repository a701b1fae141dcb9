"""Files are copied to and from the bucket piece by piece, and a copy can be stopped in between."""

import errno
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.platform import aws, errors
from lib.shuttle import transfers
from lib.shuttle.imports.files import READ_BYTES, ByteStream, S3Objects, UnreadableFileError
from lib.shuttle.jobs.job import JobStatus
from lib.shuttle.jobs.transitions import IllegalTransitionError
from tests.support.shuttle.importer import MemoryObjects

CANCELLED = IllegalTransitionError(JobStatus.CANCELLED, JobStatus.PROCESSING)


class Checks:
    """Counts the checks; raises ``error`` at check number ``at``."""

    def __init__(self, error: Exception | None = None, at: int = 1) -> None:
        self.made = 0
        self._error = error
        self._at = at

    def __call__(self) -> None:
        self.made += 1
        if self._error is not None and self.made == self._at:
            raise self._error


def test_a_file_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    objects, content = MemoryObjects(), bytes(range(256)) * 1000
    (tmp_path / "a").write_bytes(content)

    assert transfers.upload(objects, tmp_path / "a", "catalogue/a", "text/plain", Checks()) == len(content)
    transfers.download(objects, "catalogue/a", tmp_path / "b", Checks())

    assert (tmp_path / "b").read_bytes() == content


def test_a_download_is_checked_at_every_piece(tmp_path: Path) -> None:
    objects, checks = MemoryObjects({"a": bytes(10 * READ_BYTES)}), Checks()

    transfers.download(objects, "a", tmp_path / "a", checks)

    assert checks.made == 11


def test_a_download_that_is_stopped_reads_no_further(tmp_path: Path) -> None:
    objects = MemoryObjects({"a": bytes(10 * READ_BYTES)})

    with pytest.raises(IllegalTransitionError):
        transfers.download(objects, "a", tmp_path / "a", Checks(CANCELLED, at=3))

    assert (tmp_path / "a").stat().st_size == 2 * READ_BYTES


def test_a_full_disk_fails_the_job(tmp_path: Path) -> None:
    class Full(MemoryObjects):
        def open(self, key: str) -> ByteStream:
            return self

        def read(self, amount: int, /) -> bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UnreadableFileError, match="TOO_LARGE_TO_MERGE"):
        transfers.download(Full(), "a", tmp_path / "a", Checks())


class Bucket(http.server.BaseHTTPRequestHandler):
    """Takes every object."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Objects]:
    """A bucket that the real client reaches by HTTP."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        yield S3Objects(aws.make_client("s3"), "imports")
        server.shutdown()


def test_an_upload_that_is_stopped_while_it_is_sent_raises_what_stopped_it(tmp_path: Path, s3: S3Objects) -> None:
    (tmp_path / "a").write_bytes(bytes(3_000_000))
    all_checks = Checks()
    transfers.upload(s3, tmp_path / "a", "catalogue/a", "text/plain", all_checks)
    assert all_checks.made > 2 * 3_000_000 / READ_BYTES  # it is read for its checksum, and then sent

    for at in (1, all_checks.made // 2, all_checks.made - 1):
        with pytest.raises(IllegalTransitionError, match=re.escape(str(CANCELLED))):
            transfers.upload(s3, tmp_path / "a", "catalogue/a", "text/plain", Checks(CANCELLED, at))


def test_an_error_of_the_bucket_is_raised_as_it_is(tmp_path: Path) -> None:
    class Broken(MemoryObjects):
        def put(self, key: str, body: Any, content_type: str) -> None:
            raise errors.UnavailableError("could not store the object: SlowDown")

    (tmp_path / "a").write_bytes(b"a")

    with pytest.raises(errors.UnavailableError, match="SlowDown"):
        transfers.upload(Broken(), tmp_path / "a", "catalogue/a", "text/plain", Checks())
