"""What an S3 request needs. The bucket is in the path, as for every endpoint with an IP address.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

import re
from urllib.parse import unquote
from xml.etree import ElementTree

from stack.local.iam.call import Call, MalformedRequestError, UnknownOperationError
from stack.local.iam.policy import Access

_IRRELEVANT = re.compile(
    r"(?i)x-amz-(algorithm|credential|date|expires|signedheaders|signature|security-token|checksum-.*)|x-id|max-parts|part-number-marker"
)
_LISTING = {"list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type", "fetch-owner"}
_READING = {"response-content-type", "response-content-disposition", "response-cache-control", "partNumber", "versionId"}

_ON_A_BUCKET = {
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "versions"): "ListBucketVersions",
}
_ON_AN_OBJECT = {
    ("GET", "acl"): "GetObjectAcl",
    ("GET", "tagging"): "GetObjectTagging",
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("PUT", "acl"): "PutObjectAcl",
    ("PUT", "tagging"): "PutObjectTagging",
    ("PUT", "partNumber+uploadId"): "PutObject",
    ("POST", "uploads"): "PutObject",
    ("POST", "uploadId"): "PutObject",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("DELETE", "tagging"): "DeleteObjectTagging",
    ("DELETE", "versionId"): "DeleteObjectVersion",
}


def needs_of(call: Call) -> list[Access]:
    """What a request to S3 needs. Raises as :func:`stack.local.iam.needs.needs_of` does."""
    host = call.headers.get("host", "").partition(":")[0]
    bucket, _, key = call.path.removeprefix("/").partition("/")
    if not re.fullmatch(r"localhost|[\d.]+", host) or not bucket:
        raise UnknownOperationError(f"s3: {call.method} {host}{call.path}")
    asked = {name: value for name, value in call.query.items() if not _IRRELEVANT.fullmatch(name)}
    arn = f"arn:aws:s3:::{bucket}"
    return _on_an_object(call, f"{arn}/{key}", asked) if key else _on_a_bucket(call, arn, asked)


def needs_to_see_absence(call: Call) -> Access | None:
    """The permission to see that an object does not exist; without it S3 answers 403. None if the request reads no object.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    bucket, _, key = call.path.removeprefix("/").partition("/")
    is_read = call.service == "s3" and call.method in {"GET", "HEAD"} and key
    return Access("s3:ListBucket", f"arn:aws:s3:::{bucket}") if is_read else None


def _on_a_bucket(call: Call, arn: str, asked: dict[str, str]) -> list[Access]:
    if call.method == "HEAD" and not asked:
        return [Access("s3:ListBucket", arn)]
    if call.method == "GET" and asked.keys() <= _LISTING:
        keys = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"}
        return [Access("s3:ListBucket", arn, {keys[name]: asked[name] for name in keys if name in asked})]
    if call.method == "POST" and asked.keys() == {"delete"}:
        return [Access(f"s3:{action}", f"{arn}/{key}") for key, action in _deletions(call.read_body())]
    for (method, question), action in _ON_A_BUCKET.items():
        if call.method == method and question in asked and asked.keys() <= {question, *_LISTING}:
            return [Access(f"s3:{action}", arn)]
    raise UnknownOperationError(f"s3: {call.method} of a bucket with {sorted(asked) or 'nothing'}")


def _on_an_object(call: Call, arn: str, asked: dict[str, str]) -> list[Access]:
    question = "+".join(sorted(asked))
    if call.method in {"GET", "HEAD"} and asked.keys() <= _READING:
        return [Access("s3:GetObjectVersion" if "versionId" in asked else "s3:GetObject", arn)]
    if (call.method, question) in _ON_AN_OBJECT:
        return [Access(f"s3:{_ON_AN_OBJECT[call.method, question]}", arn), *_source(call)]
    if call.method == "DELETE" and not asked:
        return [Access("s3:DeleteObject", arn)]
    if call.method == "PUT" and not asked:
        more = [
            Access(f"s3:{action}", arn)
            for header, action in (("x-amz-tagging", "PutObjectTagging"), ("x-amz-acl", "PutObjectAcl"))
            if header in call.headers
        ]
        return [Access("s3:PutObject", arn), *more, *_source(call)]
    raise UnknownOperationError(f"s3: {call.method} of an object with {sorted(asked) or 'nothing'}")


def _source(call: Call) -> list[Access]:
    """What a copy reads."""
    source = call.headers.get("x-amz-copy-source")
    if source is None:
        return []
    path, _, version = source.partition("?")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    return [Access("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")]


def _deletions(body: bytes) -> list[tuple[str, str]]:
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 (a signed request on loopback)
    except ElementTree.ParseError:
        raise MalformedRequestError("the body is not XML") from None
    found = []
    for item in root.iter():
        if item.tag.rpartition("}")[2] == "Object":
            fields = {child.tag.rpartition("}")[2]: child.text or "" for child in item}
            found.append((fields.get("Key", ""), "DeleteObjectVersion" if fields.get("VersionId") else "DeleteObject"))
    if not found:
        raise MalformedRequestError("there is nothing to delete")
    return found
