"""Uploads by link: how a file is cut into parts, and what becomes of an upload that S3 does not know."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from lib import errors
from lib.shuttle.uploads import MAX_PARTS, MIN_PART_BYTES, Part, Uploads, part_sizes

DOMAIN, JOB = "teapots.example.com", "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@given(st.integers(1, 5 * 1024**4))
def test_the_parts_of_a_file_are_the_file_in_a_thousand_parts_at_most(file_bytes: int) -> None:
    sizes = part_sizes(file_bytes)

    assert sum(sizes) == file_bytes
    assert len(sizes) <= MAX_PARTS
    assert set(sizes[:-1]) <= {sizes[0]}
    assert len(sizes) == 1 or sizes[0] >= MIN_PART_BYTES
    assert 0 < sizes[-1] <= sizes[0]


class S3:
    """Answers completions with an error, and knows whether the object is there."""

    def __init__(self, code: str, status: int = 400, *, has_object: bool = False) -> None:
        self._error = ClientError(
            {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "CompleteMultipartUpload"
        )
        self._has_object = has_object

    def complete_multipart_upload(self, **_: Any) -> Any:
        raise self._error

    def head_object(self, **_: Any) -> Any:
        if not self._has_object:
            raise ClientError({"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}, "HeadObject")
        return {}


def complete(s3: S3) -> None:
    Uploads(s3, "imports").complete(DOMAIN, JOB, "upload-1", [Part(1, "etag")])


def test_an_upload_completed_before_is_completed() -> None:
    complete(S3("NoSuchUpload", 404, has_object=True))


def test_an_upload_that_never_was_is_the_callers_mistake() -> None:
    with pytest.raises(errors.InvalidInputError, match="no such upload"):
        complete(S3("NoSuchUpload", 404))


@pytest.mark.parametrize("code", ["InvalidPart", "InvalidPartOrder", "EntityTooSmall"])
def test_parts_that_are_not_those_of_the_upload_are_the_callers_mistake(code: str) -> None:
    with pytest.raises(errors.InvalidInputError, match=code):
        complete(S3(code))


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [("SlowDown", 503, errors.ThrottledError), ("AccessDenied", 403, errors.AccessDeniedError)],
)
def test_what_fails_on_our_side_is_not_the_callers_mistake(code: str, status: int, kind: type[errors.SwitchboardError]) -> None:
    with pytest.raises(kind):
        complete(S3(code, status))


@pytest.mark.parametrize(("number", "etag"), [(0, "x"), (MAX_PARTS + 1, "x"), (1, ""), (1, "x" * 201)])
def test_a_part_that_can_not_be_is_refused(number: int, etag: str) -> None:
    with pytest.raises(errors.InvalidInputError):
        Part(number, etag)
