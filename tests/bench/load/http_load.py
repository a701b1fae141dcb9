"""Load on the local cloud for a while, by locust, with the memory of each function's process sampled; and a count afterwards of
what was stored and sent, because a response alone proves nothing.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.load.memory import resident_mb
from tests.bench.load.plan import SECRETS, VARIABLE, Plan
from tests.support.cloud import Cloud, running_cloud

ROOT = Path(__file__).resolve().parents[3]
SECRET = "the load's senders share it"
DRAIN_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Requests:
    """One kind of request: how many, how many failed, and how long answers took in milliseconds."""

    name: str
    count: int
    failures: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Load:
    """What came of the load.

    Attributes:
        seconds: how long it lasted.
        requests: by kind.
        memory: of each function's process: (seconds, resident MB).
        problems: what did not arrive, in words.
    """

    seconds: float
    requests: tuple[Requests, ...]
    memory: Mapping[str, tuple[tuple[float, float], ...]]
    problems: tuple[str, ...]

    @property
    def per_second(self) -> float:
        """Requests a second, of all kinds."""
        return sum(each.count for each in self.requests) / self.seconds

    @property
    def failures(self) -> int:
        """How many requests failed."""
        return sum(each.failures for each in self.requests)


def run(seconds: int, on_progress: Callable[[float], None]) -> Load:
    """Start a local cloud, load it for so many seconds, and check what arrived."""
    secrets = dict.fromkeys(("eventWebhookSecret", "jiraWebhookSecret", "commitWebhookSecret"), SECRET)
    with running_cloud(jiraProjects="OPS", **secrets) as cloud:
        for name in cloud.outputs["functions"]:
            cloud.invoke(name, {"Records": []})  # starts its process
        processes = function_processes(cloud)
        memory: dict[str, list[tuple[float, float]]] = {name: [] for name in processes}

        def sample(passed: float) -> None:
            for name, pid in processes.items():
                memory[name].append((passed, resident_mb(pid)))
            on_progress(passed)

        bus = cloud.outputs["event_bus_name"]
        plan = Plan(url=cloud.http_url, kinds=(*SECRETS, "bus"), aws_url=cloud.aws_url, event_bus=bus)
        requests = _send(plan, dict.fromkeys(SECRETS.values(), SECRET), seconds, sample)
        problems = _look(cloud, {each.name: each.count - each.failures for each in requests})
        if any(pid not in cloud.pids(name) for name, pid in processes.items()):
            problems.append("a function's process was replaced under way")
    return Load(seconds, requests, {name: tuple(samples) for name, samples in memory.items()}, tuple(problems))


def run_deployed(plan: Plan, seconds: int, on_progress: Callable[[float], None]) -> Load:
    """Load a deployed HTTP API for so many seconds. Only its answers are checked."""
    return Load(seconds, _send(plan, {}, seconds, on_progress), {}, ())


def _send(plan: Plan, variables: Mapping[str, str], seconds: int, on_second: Callable[[float], None]) -> tuple[Requests, ...]:
    with tempfile.TemporaryDirectory() as folder:
        report, log = Path(folder) / "report", Path(folder) / "locust.log"
        options = {
            "--locustfile": str(Path(__file__).with_name("locustfile.py")),
            "--host": plan.url,
            "--users": str(plan.senders),
            "--spawn-rate": str(plan.senders),
            "--run-time": f"{seconds}s",
            "--stop-timeout": "10",
            "--json-file": str(report),
        }
        words = ["--headless", "--only-summary", *(word for pair in options.items() for word in pair)]
        with log.open("wb") as output:
            command = subprocess.Popen(
                [sys.executable, "-m", "locust", *words],
                cwd=folder,
                env={**os.environ, **variables, VARIABLE: plan.as_json(), "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            started = time.monotonic()
            while command.poll() is None:
                on_second(time.monotonic() - started)
                time.sleep(1)
        finally:
            command.terminate()  # nothing, unless this process was interrupted
            command.wait()
        written = report.with_suffix(".json")
        if not written.exists():
            raise RuntimeError(log.read_text())
        return tuple(_requests(row) for row in json.loads(written.read_text()))


def function_processes(cloud: Cloud) -> dict[str, int]:
    """The first process of each function that has been called."""
    return {name: pids[0] for name in sorted(cloud.outputs["functions"]) if (pids := cloud.pids(name))}


def _requests(row: Mapping[str, Any]) -> Requests:
    times = sorted((float(ms), count) for ms, count in row["response_times"].items())
    return Requests(row["name"], row["num_requests"], row["num_failures"], _percentile(times, 0.5), _percentile(times, 0.99))


def _percentile(times: list[tuple[float, int]], share: float) -> float:
    wanted, seen = share * sum(count for _, count in times), 0
    for ms, count in times:
        seen += count
        if seen >= wanted:
            return ms
    return 0.0


def _look(cloud: Cloud, sent: Mapping[str, int]) -> list[str]:
    """What is missing, once the queues are empty: every lease event is claimed once, every commit linked, nothing dead."""
    dynamodb, sqs = cloud.client("dynamodb"), cloud.client("sqs")

    def count(table: str, condition: str, prefix: str) -> int:
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=cloud.outputs[table],
            Select="COUNT",
            FilterExpression=condition,
            ExpressionAttributeValues={":prefix": {"S": prefix}},
        )
        return sum(page["Count"] for page in pages)

    lease_events = sent.get("POST /events", 0) + sent.get("PutEvents", 0)
    wanted = {
        "lease events sent": (lease_events, ("jira_operations_table_name", "begins_with(session_id, :prefix)", "event#")),
        "commits linked": (
            sent.get("POST /webhooks/commits", 0),
            ("jira_issues_table_name", "begins_with(updated_at, :prefix)", "COMMIT#"),
        ),
    }
    problems = []
    end = time.monotonic() + DRAIN_SECONDS
    for what, (expected, where) in wanted.items():
        while (found := count(*where)) < expected and time.monotonic() < end:
            time.sleep(1)
        if found < expected:
            problems.append(f"{what}: {found} of {expected}")
    for queue in (name for names in cloud.outputs["dead_letter_queues"].values() for name in names):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        dead = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        if int(dead["ApproximateNumberOfMessages"]):
            problems.append(f"{dead['ApproximateNumberOfMessages']} dead letters in {queue}")
    return problems
