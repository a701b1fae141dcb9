"""What the flows of the demo share: headings, checks, and reading back what the functions logged."""

import base64
import contextlib
import hmac
import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from rich.console import Console

from stack.local.cloud import LocalCloud

Found = TypeVar("Found")


class Stage:
    """The terminal, and the list of what was checked on it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._checks: list[tuple[bool, str]] = []

    def play(self, cloud: LocalCloud, name: str, tell: "Callable[[LocalCloud, Stage], None]") -> None:
        """Tell a part of the story. One that breaks off has failed, and the next begins all the same."""
        try:
            tell(cloud, self)
        except Exception:
            self.console.print_exception(max_frames=4)
            self.check(False, f"{name}: told to the end")

    def heading(self, text: str) -> None:
        """Begin a part of the story."""
        self.console.print()
        self.console.rule(f"[bold]{text}", align="left")

    def check(self, holds: bool, claim: str) -> None:
        """Show whether a claim of the story holds; one that does not fails the demo."""
        self._checks.append((holds, claim))
        self.console.print(f"  [green]✓[/] {claim}" if holds else f"  [bold red]✗ {claim}")

    def close(self) -> int:
        """The exit code: 0 if every claim held."""
        failed = [claim for holds, claim in self._checks if not holds]
        self.console.print()
        if failed:
            self.console.rule(f"[bold red]{len(failed)} of {len(self._checks)} claims did not hold")
        else:
            self.console.rule(f"[bold green]All {len(self._checks)} claims held")
        return 1 if failed else 0


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
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            return int(response.status), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def send_signed(cloud: LocalCloud, method: str, url: str, body: bytes = b"") -> tuple[int, str]:
    """The same with the AWS signature of the local cloud's operator, as an AWS_IAM route wants it."""
    request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials("test", "test"), "execute-api", cloud.ready.region).add_auth(request)
    return send(method, url, body or None, dict(request.headers))


def hub_signature(body: bytes, secret: str) -> str:
    """What ``X-Hub-Signature`` says of a body: WebSub's, which Jira and Git hosts sign by too."""
    return "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()


def basic_auth(user: str, password: str) -> dict[str, str]:
    """The header of HTTP's basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


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


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed (nearest rank). Of none it is NaN, which keeps no limit."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def plot(values: list[float], buckets: int = 8, width: int = 40) -> list[str]:
    """A histogram in text, one line a bucket; no line of no values."""
    if not values:
        return []
    low, high = min(values), max(values)
    step = (high - low) / buckets or 1.0
    counts = [0] * buckets
    for value in values:
        counts[min(buckets - 1, int((value - low) / step))] += 1
    return [
        f"{low + index * step:7.1f} ms │{'█' * round(width * count / max(counts))}{' ' if count else ''}{count or ''}"
        for index, count in enumerate(counts)
    ]
