"""Samples the cloud from outside: memory of its processes, depths of its queues, alarms, notifications, and stalls."""

import contextlib
import json
import os
import re
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from stack.local.standins.slack_workspace import id_of
from tests.bench.load.memory import resident_mb
from tests.bench.soak.history import History
from tests.support.approvals.cloud import ApprovalsCloud
from tests.support.cloud import Inbox

EVERY_SECONDS = 5.0
STALL_SECONDS = 0.5
"""A call of the AWS API that takes longer says that the machine is overloaded. The functions wait for a second."""
CLOUD = "the local cloud"
_DEPTHS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
_EVENT_ID = re.compile(r"soak-[a-z]+-\d{6}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample. ``memory`` is in MB by entry point and process id; ``depths`` by queue, hidden messages included."""

    at: float
    load_average: float
    sent: int
    memory: dict[tuple[str, int], float]
    depths: dict[str, int]


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """An alarm, by its logical name, that went to another state."""

    at: float
    alarm: str
    state: str


class Sampler:
    """Takes samples until it is stopped."""

    def __init__(self, world: ApprovalsCloud, history: History) -> None:
        self._world = world
        self._history = history
        cloud, outputs = world.cloud, world.cloud.outputs
        self._notifications = Inbox(cloud, outputs["notification_topic_arn"])
        self._alarms = [Inbox(cloud, outputs[name]) for name in ("alarm_topic_arn", "alarm_ticket_topic_arn")]
        self._sqs = cloud.client("sqs")
        urls = {url.rsplit("/", 1)[1]: url for url in self._sqs.list_queues()["QueueUrls"]}
        self._urls = {logical(name): url for name, url in urls.items() if not name.startswith("inbox-")}
        self.dead_letter_queues = {logical(name) for names in outputs["dead_letter_queues"].values() for name in names}
        self._began = datetime.now(UTC).timestamp() - history.now()
        self.samples: list[Sample] = []
        self.errors: list[str] = []
        self.stalls: list[float] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each, name="sampler", daemon=True) for each in (self._run, self._probe)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop, and read once more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
        self._read()

    def depths(self) -> dict[str, int]:
        """How many messages each queue has, those that are delayed or being processed included."""
        return {name: self._depth(url) for name, url in self._urls.items()}

    def waiting(self) -> dict[str, int]:
        """The work queues that are not empty."""
        return {name: depth for name, depth in self.depths().items() if depth and name not in self.dead_letter_queues}

    def dead_letters(self) -> dict[str, int]:
        """The dead-letter queues that are not empty."""
        return {name: depth for name, depth in self.depths().items() if depth and name in self.dead_letter_queues}

    def alarm_changes(self) -> list[AlarmChange]:
        """The changes of alarms that their topics were notified of, in order."""
        messages: list[dict[str, Any]] = [message for inbox in self._alarms for message in inbox.messages]
        changes = (
            AlarmChange(
                datetime.fromisoformat(message["StateChangeTime"]).timestamp() - self._began,
                logical(message["AlarmName"]),
                message["NewStateValue"],
            )
            for message in messages
            if "AlarmName" in message
        )
        return sorted(changes, key=lambda change: change.at)

    def notified(self) -> dict[str, Counter[str]]:
        """How often each event was sent on each channel."""
        sns = Counter(str(message.get("event_id")) for message in self._notifications.messages)
        leases = id_of("leases")
        slack: Counter[str] = Counter()
        for post in self._world.posts():
            if post["channel"] == leases:
                slack.update(set(_EVENT_ID.findall(json.dumps(post))))
        return {"sns": sns, "slack": slack}

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            try:
                self._read()
                self.samples.append(self._sample())
            except Exception as error:  # the next look may succeed; the report has the errors
                self.errors.append(f"{error!r}")
                print(f"soak: could not look: {error!r}", file=sys.stderr)

    def _probe(self) -> None:
        [url, *_] = self._urls.values()
        while not self._stop.wait(1.0):
            at, began = self._history.now(), time.monotonic()
            with contextlib.suppress(Exception):  # whatever it is, the other thread reports it
                self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
            if time.monotonic() - began > STALL_SECONDS:
                self.stalls.append(at)

    def _read(self) -> None:
        for inbox in (self._notifications, *self._alarms):
            inbox.read()

    def _sample(self) -> Sample:
        memory = {(CLOUD, self._world.cloud.process.pid): resident_mb(self._world.cloud.process.pid)}
        functions: dict[str, list[int]] = requests.get(f"{self._world.cloud.aws_url}/_local/functions", timeout=30).json()
        for name, pid in ((name, pid) for name, pids in functions.items() for pid in pids):
            with contextlib.suppress(OSError):  # it ended meanwhile
                memory[name, pid] = resident_mb(pid)
        return Sample(self._history.now(), os.getloadavg()[0], len(self._history.of()), memory, self.depths())

    def _depth(self, url: str) -> int:
        found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_DEPTHS))["Attributes"]
        return sum(int(found[name]) for name in _DEPTHS)


def logical(name: str) -> str:
    """The name of a resource without the suffix that Pulumi appends."""
    return name.rpartition("-")[0]
