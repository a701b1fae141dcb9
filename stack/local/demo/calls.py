"""What the demo's flows share to call the local cloud and to read what it logged."""

import base64
import contextlib
import hmac
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from stack.local.cloud import LocalCloud

Found = TypeVar("Found")

open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
"""Loopback needs no proxy, whatever the environment says."""


def until(look: Callable[[], Found | None], seconds: float) -> Found | None:
    """Look again until there is something, or time is up."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.1)


def send(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Make one HTTP request to the local cloud or a stand-in; status and body of the answer."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **(headers or {})}, method=method)  # noqa: S310 (loopback)
    try:
        with open_url(request, timeout=60) as response:
            return int(response.status), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def send_signed(cloud: LocalCloud, method: str, url: str, body: bytes = b"") -> tuple[int, str]:
    """The same, signed as the local cloud's operator, as an AWS_IAM route requires."""
    request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials("test", "test"), "execute-api", cloud.ready.region).add_auth(request)
    return send(method, url, body or None, dict(request.headers))


def hub_signature(body: bytes, secret: str) -> str:
    """The value of ``X-Hub-Signature`` (WebSub), which Jira and Git hosts send."""
    return "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()


def basic_auth(user: str, password: str) -> dict[str, str]:
    """The header of HTTP's basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def query(cloud: LocalCloud, table: str, key: str, value: str) -> list[dict[str, Any]]:
    """The rows of one partition of a table, which is given by the name of its output."""
    answer = cloud.client("dynamodb").query(
        TableName=cloud.ready.outputs[table],
        KeyConditionExpression=f"{key} = :value",
        ExpressionAttributeValues={":value": {"S": value}},
        ConsistentRead=True,
    )
    return list(answer["Items"])


def log_records(cloud: LocalCloud, entry_point: str) -> list[dict[str, Any]]:
    """The JSON lines of a function's log group, metrics among them."""
    host = next(host for host in cloud.hosts.values() if host.spec.entry_point == entry_point)
    pages = cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=host.spec.log_group)
    records = []
    for page in pages:
        for event in page["events"]:
            with contextlib.suppress(ValueError):
                records.append(json.loads(event["message"]))
    return [record for record in records if isinstance(record, dict)]
