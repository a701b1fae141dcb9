"""The local cloud's check of presigned links to upload to."""

from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from stack.local.sigv4 import AccessKey, is_altered_upload

KEYS = {"AKIA1": AccessKey("secret", "session", "arn:aws:iam::123456789012:role/uploader")}


def link(**parameters: Any) -> str:
    client = boto3.client(
        "s3",
        region_name="us-west-2",
        endpoint_url="http://127.0.0.1:4566",
        aws_access_key_id="AKIA1",
        aws_secret_access_key="secret",
        aws_session_token="session",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    asked = {"Bucket": "imports", "Key": "uploads/a shop/+1~é", **parameters}
    return str(client.generate_presigned_url("put_object", Params=asked))


def put(url: str, body: bytes = b"0123456789", host: str = "127.0.0.1:4566") -> Request:
    parts = urlsplit(url)
    builder = EnvironBuilder(method="PUT", path=parts.path, query_string=parts.query, data=body, headers=[("Host", host)])
    environ = builder.get_environ()
    environ["RAW_URI"] = f"{parts.path}?{parts.query}"  # as werkzeug's server sets it
    return Request(environ)


def test_an_upload_of_the_signed_length_is_intact() -> None:
    assert not is_altered_upload(put(link(ContentLength=10)), KEYS.get)


@pytest.mark.parametrize("body", [b"", b"012345678", b"0123456789a"])
def test_an_upload_of_another_length_is_altered(body: bytes) -> None:
    assert is_altered_upload(put(link(ContentLength=10), body), KEYS.get)


@pytest.mark.parametrize(("old", "new"), [("uploads/", "reports/"), ("X-Amz-Expires=3600", "X-Amz-Expires=9999")])
def test_an_upload_to_an_edited_link_is_altered(old: str, new: str) -> None:
    url = link(ContentLength=10)
    assert old in url
    assert is_altered_upload(put(url.replace(old, new)), KEYS.get)


def test_an_upload_to_another_host_is_altered() -> None:
    assert is_altered_upload(put(link(ContentLength=10), host="localhost:4566"), KEYS.get)


def test_other_requests_are_not_checked() -> None:
    assert not is_altered_upload(put(link()), KEYS.get)
    assert not is_altered_upload(put(link(ContentLength=10), b"1"), lambda _: None)
    assert not is_altered_upload(put("http://127.0.0.1:4566/imports/key"), KEYS.get)
