"""A local cloud as its users run it: a process started from the command line, used over HTTP and the AWS API."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import boto3
import requests
from botocore.config import Config

from lib.platform.contract import ALIAS, live
from tests.support.cloud_forks import ForkedCloud, Process
from tests.support.iam.grants import WATCH
from tests.support.web.events import signature

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120

Result = TypeVar("Result")


@dataclasses.dataclass(slots=True)
class Cloud:
    """A running local cloud."""

    process: Process
    http_url: str
    aws_url: str
    region: str
    outputs: dict[str, Any]
    errors: list[str]
    console_url: str = ""
    _clients: dict[str, Any] = dataclasses.field(default_factory=dict)
    _printed: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client of its AWS API. There is one per service, because making one takes as long as fifty calls."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.aws_url,
                region_name=self.region,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}, read_timeout=900, max_pool_connections=50),
            )
        return self._clients[service]

    def put_lease(self, lease: Mapping[str, Any]) -> None:
        """Put a record into LeaseTable, as the lease system would."""
        from boto3.dynamodb.types import TypeSerializer

        item = {name: TypeSerializer().serialize(value) for name, value in lease.items()}
        self.client("dynamodb").put_item(TableName=self.outputs["lease_table_name"], Item=item)

    def jira_row(self, issue_key: str, sort_key: str = "HEAD") -> dict[str, Any] | None:
        """A row of an issue in JiraIssues: by default its current state."""
        answer = self.client("dynamodb").get_item(
            TableName=self.outputs["jira_issues_table_name"],
            Key={"issue_key": {"S": issue_key}, "updated_at": {"S": sort_key}},
            ConsistentRead=True,
        )
        item: dict[str, Any] | None = answer.get("Item")
        return item

    def put_event(self, detail_type: str, detail: Mapping[str, Any], source: str = "InnovationSandbox-test") -> str:
        """Put a lease event on the bus; its id."""
        answer = self.client("events").put_events(
            Entries=[
                {
                    "EventBusName": self.outputs["event_bus_name"],
                    "Source": source,
                    "DetailType": detail_type,
                    "Detail": json.dumps(detail),
                }
            ]
        )
        assert answer["FailedEntryCount"] == 0, answer
        return str(answer["Entries"][0]["EventId"])

    def post_signed(self, path: str, body: object, secret: str, identifier: str | None = None) -> requests.Response:
        """Post a request signed with ``secret``: bytes as they are, others as JSON. Jira's deliveries have an identifier."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **signature(secret, raw)}
        if identifier is not None:
            headers["X-Atlassian-Webhook-Identifier"] = identifier
        return requests.post(self.http_url + path, data=raw, headers=headers, timeout=60)

    def take_dead_letters(self, queue: str) -> list[dict[str, Any]]:
        """Receive and delete every message of a dead-letter queue, because other tests count them."""
        sqs = self.client("sqs")
        url = next(url for url in sqs.list_queues()["QueueUrls"] if f"/{queue}-" in url)
        found = []
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            found += [json.loads(message["Body"]) for message in batch]
            for message in batch:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def invoke(self, entry_point: str, payload: object, *, kind: str = "RequestResponse") -> dict[str, Any]:
        """Invoke a function as the AWS API does; status, error and payload."""
        answer = self.client("lambda").invoke(
            FunctionName=live(self.outputs["functions"][entry_point]), Payload=json.dumps(payload).encode(), InvocationType=kind
        )
        raw = answer["Payload"].read()
        return {
            "status": answer["StatusCode"],
            "error": answer.get("FunctionError"),
            "payload": json.loads(raw) if raw else None,
        }

    def pids(self, entry_point: str) -> list[int]:
        """The processes that serve a function now, in the order of their start; none before its first call."""
        found: list[int] = requests.get(f"{self.aws_url}/_local/functions", timeout=10).json()[entry_point]
        return found

    @contextlib.contextmanager
    def deployed(self, entry_point: str, **changes: Any) -> Iterator[None]:
        """A version of a function with another configuration, which is live until the end."""
        client, name = self.client("lambda"), self.outputs["functions"][entry_point]
        before = client.get_function_configuration(FunctionName=live(name))
        client.update_function_configuration(FunctionName=name, **changes)
        changed = client.publish_version(FunctionName=name)["Version"]
        client.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=changed)
        try:
            yield
        finally:
            client.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=before["Version"])
            client.update_function_configuration(FunctionName=name, **{key: before[key] for key in changes})
            client.delete_function(FunctionName=name, Qualifier=changed)

    def log_lines(self, entry_point: str) -> list[str]:
        """Everything a function has printed. Only what is new is read: a shared cloud has thousands of lines."""
        seen = self._printed.setdefault(entry_point, {})
        since = max((event["timestamp"] for event in seen.values()), default=0) - LATE_MILLISECONDS
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=self._log_group(entry_point), startTime=max(since, 0))
        )
        seen.update({event["eventId"]: event for page in pages for event in page["events"]})
        return [event["message"] for event in sorted(seen.values(), key=lambda event: event["timestamp"])]

    def _log_group(self, entry_point: str) -> str:
        return f"/aws/lambda/{self.outputs['functions'][entry_point]}"

    def log_records(self, entry_point: str) -> list[dict[str, Any]]:
        """A function's log lines that are JSON objects, metrics among them."""
        records = []
        for line in self.log_lines(entry_point):
            with contextlib.suppress(ValueError):
                record = json.loads(line)
                if isinstance(record, dict):
                    records.append(record)
        return records

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, unless it has ended, and wait for the end; the exit code.

        A cloud that does not stop prints the stacks of its threads.
        """
        WATCH.leave(self.aws_url)
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(timeout=10)
            raise AssertionError(f"the local cloud did not stop: {''.join(self.errors)}") from None


class Inbox:
    """A queue that subscribes to a topic.

    Args:
        cloud: where.
        topic_arn: what to subscribe to.
    """

    def __init__(self, cloud: Cloud, topic_arn: str) -> None:
        self._sqs = cloud.client("sqs")
        self._url = self._sqs.create_queue(QueueName=f"inbox-{time.time_ns()}")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        cloud.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
        self.messages: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """Every message received so far: the ``Message`` of each SNS envelope, parsed as JSON."""
        while batch := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", []):
            for message in batch:
                self.messages.append(json.loads(json.loads(message["Body"])["Message"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self.messages

    def wait_for_event(self, event_id: str, seconds: float = 15) -> dict[str, Any]:
        """The first message about an event."""
        return until(lambda: next((each for each in self.read() if each.get("event_id") == event_id), None), seconds)


LOG_LOOKS = 0.2
"""Seconds between two reads of a log: each parses all of it."""

LATE_MILLISECONDS = 10_000
"""A line may come into the log this much later than a younger one of another process."""


def until(look: Callable[[], Result | None], seconds: float = 15, *, every: float = 0.05) -> Result:
    """Call ``look`` every ``every`` seconds until it returns something; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"nothing came within {seconds} s of {look}")


def children_of(pid: int) -> set[int]:
    """The running processes that a process has started, and those that they have started.

    The lists in /proc/<pid>/task miss one that passes from a thread which ends to another thread.
    """
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a process that has ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        children = {child for child, its_parent in parents.items() if its_parent == parent} - found
        found |= children
        waiting += children
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; a dead one that was not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def launch(*arguments: str) -> subprocess.Popen[str]:
    """Start ``python -m stack.local`` with arguments."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "stack.local", *arguments],
        cwd=ROOT,
        env={**_environment(), "PYTHONFAULTHANDLER": "1"},  # see Cloud.stop
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def launch_cloud(*arguments: str) -> subprocess.Popen[str]:
    """Start an empty local cloud with arguments, as its users do."""
    return launch(*_up(arguments))


def fork_cloud(*arguments: str) -> ForkedCloud:
    """Start an empty local cloud with arguments, for half the work of :func:`launch_cloud`."""
    return ForkedCloud(_up(arguments), _environment(), str(ROOT))


def _up(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Every cloud of the suite refuses what is not granted. It has a console if its port is among the arguments."""
    return ("up", "--enforce-iam", "--no-seed", *(() if "--console-port" in arguments else ("--no-console",)), *arguments)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}


def running_cloud(*arguments: str, **config: str) -> AbstractContextManager[Cloud]:
    """A local cloud with these arguments and config keys, stopped at the end."""
    return _running(fork_cloud, arguments, config)


def launched_cloud(*arguments: str, **config: str) -> AbstractContextManager[Cloud]:
    """A cloud like that of :func:`running_cloud`, started as users start it."""
    return _running(launch_cloud, arguments, config)


@contextlib.contextmanager
def _running(start: Callable[..., Process], arguments: tuple[str, ...], config: Mapping[str, str]) -> Iterator[Cloud]:
    pairs = (part for key, value in config.items() for part in ("--config", f"{key}={value}"))
    process = start(*arguments, *pairs)
    try:
        cloud = _wait_ready(process)
    except BaseException:
        process.kill()
        raise
    try:
        yield cloud
    finally:
        cloud.stop()


def _wait_ready(process: Process) -> Cloud:
    assert process.stdout is not None
    assert process.stderr is not None
    errors: list[str] = []
    drain = threading.Thread(target=errors.extend, args=(process.stderr,), daemon=True)
    drain.start()
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    line = process.stdout.readline()
    watchdog.cancel()
    if not line:
        process.wait(timeout=10)
        drain.join(timeout=5)
        raise AssertionError(f"the local cloud ended with {process.returncode}: {''.join(errors)}")
    cloud = Cloud(process, **json.loads(line), errors=errors)
    WATCH.join(cloud.aws_url)
    return cloud
