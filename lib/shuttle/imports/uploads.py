"""How a file gets into the import bucket, and an error report out of it: by links that a shop uses without credentials.

::

    up to 5 MiB: one link ──────────────► PUT the file ────────────────────────────┐
    above:       an upload and its links ─► PUT each part ─► complete with the ETags ┴─► the bucket tells the job queue

A link is good for one object of one shop, for an hour, and for exactly as many bytes as were announced: the length is
signed too.

A job has one multipart upload, recorded on its row by a conditional write (docs/adr/0066)::

    request A ─► create u1 ─► record u1 ─────────────────► links of u1
    request B ─► create u2 ─► record u2: refused ─► abort u2, links of u1

What this module does not do: decide who may ask.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.platform import aws, errors
from lib.platform.log import Logger
from lib.shuttle import keys
from lib.shuttle.jobs.job import Job, JobStatus
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.validation import require

LINK_SECONDS = 3600
#: A larger file comes in parts. S3 takes up to 5 GB in one piece, but a broken connection would mean all of it again.
MAX_SINGLE_BYTES = 5 * 1024**2
#: S3 takes parts of 5 MiB and more, and up to 10,000 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
MIN_PART_BYTES = 8 * 1024**2
#: A link is half a kB and more, and Lambda answers 6 MB at most.
MAX_PARTS = 1000

# What S3 says of parts that are not those of the upload.
_CALLERS_FAULTS = frozenset(
    {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML", "InvalidRequest", "InvalidArgument"}
)


@dataclass(frozen=True, slots=True)
class SingleUpload:
    """PUT the file to ``url``."""

    url: str


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """PUT each ``part_bytes`` of the file, the last part being shorter, to its place in ``part_urls``; then complete it."""

    upload_id: str
    part_bytes: int
    part_urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was uploaded, counted from 1, and the ETag that S3 answered."""

    number: int
    etag: str

    def __post_init__(self) -> None:
        require(1 <= self.number <= MAX_PARTS, f"a part's number is from 1 to {MAX_PARTS}")
        answered = 0 < len(self.etag) <= 200 and self.etag.isascii() and self.etag.isprintable()
        require(answered, "a part's etag is what S3 answered to it")


class Uploads:
    """Links into and out of the import bucket.

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
        """Links for the file of a queued job; None if it waits for none any more. Begun again, the earlier links still work.

        Raises:
            SwitchboardError: S3 or the table can't be reached or refuses.
        """
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
        """Make the parts one object. Completing twice is the same as once.

        Raises:
            InvalidInputError: the parts are not those that were uploaded, or the job has no such upload.
            SwitchboardError: S3 can't be reached or refuses.
        """
        if upload_id != job.upload_id:
            raise errors.InvalidInputError("the job has no such upload: use the upload_id that the job was answered with")
        key = keys.upload_object(job.shop_domain, job.job_id)
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in sorted(parts, key=lambda part: part.number)]
        complete = self._client.complete_multipart_upload
        try:
            self._call("complete the upload", complete, key, UploadId=upload_id, MultipartUpload={"Parts": listed})
        except _NoSuchUploadError:
            if not self._is_there(key):
                raise

    def abort(self, job: Job) -> None:
        """Give up the job's multipart upload, if it has one, and the storage of its parts. Aborting twice is the same as once.

        Never raises: a failure is logged, and the bucket gives up an unfinished upload after a day.
        """
        if job.upload_id is not None:
            self._abort(job, job.upload_id)

    def report_link(self, domain: str, job_id: str) -> str:
        """A link to the error report of a job. It says nothing of whether there is one."""
        name = f"{job_id}-errors.csv"
        return self._link(
            "get_object",
            keys.report_object(domain, job_id),
            ResponseContentDisposition=f'attachment; filename="{name}"',
        )

    def _upload_of(self, job: Job, jobs: Jobs, key: str) -> str | None:
        """The one multipart upload of the job, begun if there is none; None if the job no longer waits for a file."""
        if job.upload_id is not None:
            if self._is_open(key, job.upload_id):
                return job.upload_id
            if self._is_there(key):
                return None  # completed: the import is about to start
        made = str(self._call("begin the upload", self._client.create_multipart_upload, key)["UploadId"])
        try:
            standing = jobs.record_upload(job, made)
        except errors.AmbiguousError:
            raise  # it may be recorded, so it must stay
        except errors.SwitchboardError:
            self._abort(job, made)
            raise
        if standing.upload_id != made:
            self._abort(job, made)
        return standing.upload_id if standing.status is JobStatus.QUEUED else None

    def _abort(self, job: Job, upload_id: str) -> None:
        key = keys.upload_object(job.shop_domain, job.job_id)
        try:
            self._call("abort the upload", self._client.abort_multipart_upload, key, UploadId=upload_id)
        except _NoSuchUploadError:
            pass  # completed or aborted before
        except errors.SwitchboardError as error:
            self._logger.error("upload_not_aborted", error, shop_domain=job.shop_domain, job_id=job.job_id)

    def _is_open(self, key: str, upload_id: str) -> bool:
        try:
            self._call("look for the upload", self._client.list_parts, key, UploadId=upload_id, MaxParts=1)
        except _NoSuchUploadError:
            return False
        return True

    def _link(self, operation: str, key: str, **parameters: Any) -> str:
        try:
            return str(
                self._client.generate_presigned_url(
                    operation, Params={"Bucket": self._bucket, "Key": key, **parameters}, ExpiresIn=LINK_SECONDS
                )
            )
        except (ClientError, BotoCoreError) as error:
            raise aws.translate(error, "make a link") from error

    def _call(self, doing: str, operation: Any, key: str, **parameters: Any) -> Any:
        try:
            return operation(Bucket=self._bucket, Key=key, **parameters)
        except (ClientError, BotoCoreError) as error:
            code = aws.error_code(error)
            if code == "NoSuchUpload":
                raise _NoSuchUploadError("there is no such upload: it was completed, or given up after a day") from error
            if code in _CALLERS_FAULTS:
                raise errors.InvalidInputError(f"the parts are not those of the upload: {code}") from error
            raise aws.translate(error, doing) from error

    def _is_there(self, key: str) -> bool:
        try:
            self._call("look for the upload", self._client.head_object, key)
        except errors.NotFoundError:
            return False
        return True


class _NoSuchUploadError(errors.InvalidInputError):
    pass


def part_sizes(file_bytes: int) -> tuple[int, ...]:
    """The bytes of each part of a file: all alike but the last, and no more than :data:`MAX_PARTS` of them.

    Raises:
        InvalidInputError: the file has no byte.
    """
    require(file_bytes > 0, "a file has at least one byte")
    size = max(MIN_PART_BYTES, -(-file_bytes // MAX_PARTS))
    whole, rest = divmod(file_bytes, size)
    return (size,) * whole + ((rest,) if rest else ())
