"""Makes the links by which a shop, without credentials, uploads a file to the import bucket or downloads an error report.

::

    up to 5 MiB: one link ──────────────► PUT the file ────────────────────────────┐
    above:       an upload and its links ─► PUT each part ─► complete with the ETags ┴─► the bucket notifies the job queue

A link is valid for one object of one shop, for an hour, and for exactly the announced number of bytes: the length is signed
too.

A job has one multipart upload, recorded on its row by a conditional write (docs/adr/0066)::

    request A ─► create u1 ─► record u1 ─────────────────► links of u1
    request B ─► create u2 ─► record u2: refused ─► abort u2, links of u1

This module does not check who may have a link.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lib.platform import aws, errors
from lib.platform.log import Logger
from lib.shuttle import keys
from lib.shuttle.jobs.job import Job, JobStatus
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.validation import require

LINK_SECONDS = 3600
#: A larger file is uploaded in parts. S3 takes up to 5 GB in one piece, but a broken connection would mean all of it again.
MAX_SINGLE_BYTES = 5 * 1024**2
#: S3 takes parts of 5 MiB and more, and up to 10,000 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
MIN_PART_BYTES = 8 * 1024**2
#: A link has over half a kB, and Lambda returns at most 6 MB.
MAX_PARTS = 1000

# S3's errors about parts that are not those of the upload.
_CALLER_ERRORS = frozenset(
    {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML", "InvalidRequest", "InvalidArgument"}
)


@dataclass(frozen=True, slots=True)
class SingleUpload:
    """PUT the file to ``url``."""

    url: str


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """PUT each ``part_bytes`` of the file, the last part being shorter, to its link in ``part_urls``; then complete it."""

    upload_id: str
    part_bytes: int
    part_urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """An uploaded part, counted from 1, and the ETag that S3 returned for it."""

    number: int
    etag: str

    def __post_init__(self) -> None:
        require(1 <= self.number <= MAX_PARTS, f"a part's number is from 1 to {MAX_PARTS}")
        is_plausible = 0 < len(self.etag) <= 200 and self.etag.isascii() and self.etag.isprintable()
        require(is_plausible, "a part's etag is not one that S3 returns")


class Uploads:
    """Links into and out of the import bucket.

    Every method but ``abort`` raises a SwitchboardError if S3 or the table can't be reached or refuses.

    Args:
        client: an S3 client (:func:`lib.platform.aws.make_client`), whose role may read and write the objects.
        bucket: the import bucket.
        logger: of the function.
    """

    def __init__(self, client: Any, bucket: str, logger: Logger) -> None:
        self._client = client
        self._bucket = bucket
        self._logger = logger

    def begin(self, job: Job, jobs: Jobs) -> SingleUpload | MultipartUpload | None:
        """Links for the file of a queued job; None if it no longer waits for one. If called again, earlier links stay valid."""
        key, file_bytes = keys.upload_object(job.shop_domain, job.job_id), job.file_bytes or 0
        if file_bytes <= MAX_SINGLE_BYTES:
            return SingleUpload(self._link("put_object", key, ContentLength=file_bytes))
        sizes = part_sizes(file_bytes)
        upload_id = self._upload_of(job, jobs, key)
        if upload_id is None:
            return None
        links = (
            self._link("upload_part", key, UploadId=upload_id, PartNumber=number, ContentLength=size)
            for number, size in enumerate(sizes, 1)
        )
        return MultipartUpload(upload_id, sizes[0], tuple(links))

    def complete(self, job: Job, upload_id: str, parts: Iterable[Part]) -> None:
        """Join the parts into one object. Idempotent.

        Raises:
            InvalidInputError: the parts are not those that were uploaded, or the job has no such upload.
        """
        if upload_id != job.upload_id:
            raise errors.InvalidInputError("the job has no such upload: use the upload_id that was returned with the job")
        key = keys.upload_object(job.shop_domain, job.job_id)
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in sorted(parts, key=lambda part: part.number)]
        complete = self._client.complete_multipart_upload
        try:
            self._call("complete the upload", complete, key, UploadId=upload_id, MultipartUpload={"Parts": listed})
        except _NoSuchUploadError:
            if not self._has_object(key):
                raise

    def abort(self, job: Job) -> None:
        """Abort the job's multipart upload, if it has one, and delete its parts. Idempotent.

        Never raises: a failure is logged, and the bucket aborts an incomplete upload after a day.
        """
        if job.upload_id is not None:
            self._abort(job, job.upload_id)

    def report_link(self, domain: str, job_id: str) -> str:
        """A link to the error report of a job, whether or not it exists."""
        return self._download(keys.report_object(domain, job_id), f"{job_id}-errors.csv")

    def changes_link(self, job: Job, changes_key: str) -> str:
        """A link to the rows that an import changed."""
        return self._download(changes_key, f"{job.job_id}-changes.jsonl.gz")

    def result_link(self, job: Job, result_key: str) -> str:
        """A link to the file that an export made."""
        return self._download(result_key, f"{job.job_id}.{result_key.rpartition('/')[2].partition('.')[2]}")

    def _upload_of(self, job: Job, jobs: Jobs, key: str) -> str | None:
        """The job's one multipart upload, created if it has none; None if the job no longer waits for a file."""
        if job.upload_id is not None:
            if self._is_open(key, job.upload_id):
                return job.upload_id
            if self._has_object(key):
                return None  # completed: the import is about to start
        created = str(self._call("begin the upload", self._client.create_multipart_upload, key)["UploadId"])
        try:
            stored = jobs.record_upload(job, created)
        except errors.AmbiguousError:
            raise  # it may be recorded, so it must stay open
        except errors.SwitchboardError:
            self._abort(job, created)
            raise
        if stored.upload_id != created:
            self._abort(job, created)
        return stored.upload_id if stored.status is JobStatus.QUEUED else None

    def _abort(self, job: Job, upload_id: str) -> None:
        key = keys.upload_object(job.shop_domain, job.job_id)
        try:
            self._call("abort the upload", self._client.abort_multipart_upload, key, UploadId=upload_id)
        except _NoSuchUploadError:
            pass  # completed or aborted before
        except errors.SwitchboardError as error:
            self._logger.error("upload_abort_failed", error, shop_domain=job.shop_domain, job_id=job.job_id)

    def _is_open(self, key: str, upload_id: str) -> bool:
        try:
            self._call("look up the upload", self._client.list_parts, key, UploadId=upload_id, MaxParts=1)
        except _NoSuchUploadError:
            return False
        return True

    def _has_object(self, key: str) -> bool:
        try:
            self._call("look up the upload", self._client.head_object, key)
        except errors.NotFoundError:
            return False
        return True

    def _download(self, key: str, file_name: str) -> str:
        return self._link("get_object", key, ResponseContentDisposition=f'attachment; filename="{file_name}"')

    def _link(self, operation: str, key: str, **parameters: Any) -> str:
        parameters = {"Bucket": self._bucket, "Key": key, **parameters}
        with aws.translated("make a link"):
            return str(self._client.generate_presigned_url(operation, Params=parameters, ExpiresIn=LINK_SECONDS))

    def _call(self, doing: str, operation: Any, key: str, **parameters: Any) -> Any:
        with aws.translated(doing):
            try:
                return operation(Bucket=self._bucket, Key=key, **parameters)
            except ClientError as error:
                code = aws.error_code(error)
                if code == "NoSuchUpload":
                    raise _NoSuchUploadError("there is no such upload: it was completed, or expired after a day") from error
                if code in _CALLER_ERRORS:
                    raise errors.InvalidInputError(f"the parts are not those of the upload: {code}") from error
                raise


class _NoSuchUploadError(errors.InvalidInputError):
    pass


def part_sizes(file_bytes: int) -> tuple[int, ...]:
    """The bytes of each part of a file: all equal except the last, and at most :data:`MAX_PARTS` parts.

    Raises:
        InvalidInputError: the file is empty.
    """
    require(file_bytes > 0, "a file has at least one byte")
    size = max(MIN_PART_BYTES, -(-file_bytes // MAX_PARTS))
    whole, rest = divmod(file_bytes, size)
    return (size,) * whole + ((rest,) if rest else ())
