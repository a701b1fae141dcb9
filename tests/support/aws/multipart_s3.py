"""An S3 that knows multipart uploads and objects, and no bytes: which are open, completed, aborted or deleted."""

import itertools
from typing import Any

from botocore.exceptions import ClientError

from tests.support.aws.wire import aws_error


class MultipartS3:
    """The import bucket for :class:`lib.shuttle.imports.uploads.Uploads`; any number of threads.

    Attributes:
        open: the uploads that are neither completed nor aborted, by id, each with its object's key.
        began: the ids of all uploads, in the order in which they began.
        objects: the keys of the objects that are there.
        page: how many uploads or objects are listed at once.
        kept: the objects whose deletion fails.
        failures: raised by the next call of an operation, by its name.
    """

    def __init__(self) -> None:
        self.open: dict[str, str] = {}
        self.began: list[str] = []
        self.objects: set[str] = set()
        self.page = 1000
        self.kept: set[str] = set()
        self.failures: dict[str, ClientError] = {}
        self._numbers = itertools.count(1)

    def create_multipart_upload(self, **request: Any) -> Any:
        self._fail("create_multipart_upload")
        upload_id = f"upload-{next(self._numbers)}"
        self.open[upload_id] = request["Key"]
        self.began.append(upload_id)
        return {"UploadId": upload_id}

    def complete_multipart_upload(self, **request: Any) -> Any:
        self._fail("complete_multipart_upload")
        self.objects.add(self._take(request["UploadId"]))
        return {}

    def abort_multipart_upload(self, **request: Any) -> Any:
        self._fail("abort_multipart_upload")
        self._take(request["UploadId"])
        return {}

    def list_parts(self, **request: Any) -> Any:
        if request["UploadId"] not in self.open:
            raise s3_error("NoSuchUpload", 404)
        return {"Parts": []}

    def list_multipart_uploads(self, **request: Any) -> Any:
        found = [{"UploadId": upload, "Key": key} for upload, key in self.open.items() if key.startswith(request["Prefix"])]
        return {"Uploads": found[: self.page], "IsTruncated": len(found) > self.page}

    def list_objects_v2(self, **request: Any) -> Any:
        found = sorted(key for key in self.objects if key.startswith(request["Prefix"]))
        return {"Contents": [{"Key": key} for key in found[: self.page]], "IsTruncated": len(found) > self.page}

    def delete_objects(self, **request: Any) -> Any:
        self._fail("delete_objects")
        self.objects -= {each["Key"] for each in request["Delete"]["Objects"]} - self.kept
        return {"Errors": [{"Code": "InternalError"} for _ in self.kept]} if self.kept else {}

    def head_object(self, **request: Any) -> Any:
        if request["Key"] not in self.objects:
            raise s3_error("404", 404)
        return {}

    def generate_presigned_url(self, operation: str, Params: Any, ExpiresIn: int) -> str:  # noqa: N803 - boto3's names
        part = f"{Params.get('UploadId', '')}&{Params.get('PartNumber', '')}"
        return f"https://imports.example/{operation}/{Params['Key']}?{part}"

    def _take(self, upload_id: str) -> str:
        try:
            return self.open.pop(upload_id)
        except KeyError:
            raise s3_error("NoSuchUpload", 404) from None

    def _fail(self, operation: str) -> None:
        if operation in self.failures:
            raise self.failures.pop(operation)


def s3_error(code: str, status: int = 400) -> ClientError:
    """The error that S3 answers."""
    return aws_error(code, status)
