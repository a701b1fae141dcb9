"""What is measured against what: Switchboard's functions, their floors and their peers, each in a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from stack.packaging import archive
from tests.bench import events
from tests.bench.speed import archives, samples
from tests.bench.speed.runtime import Process

OURS = "Switchboard"
OURS_BARE = "Switchboard, no bytecode"
FLOOR = "floor: bare boto3"
POWERTOOLS = "Powertools Event Handler + Idempotency"
FASTAPI = "FastAPI + Mangum"
FLASK = "Flask + apig-wsgi"
CHALICE = "Chalice"
PEERS = (CHALICE, POWERTOOLS, FLASK, FASTAPI)
SAME_OUTPUT = ", same output"
"""Ends the label of a peer that writes Switchboard's log lines and metrics. The others write one line, as documented."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One job that several programs do.

    Attributes:
        name: the function's name.
        event: makes the event of a number.
        peers: the handlers of the peers, ``folder/module.function``, by label.
        variables: what the peers' environment has for this job.
    """

    name: str
    event: Callable[[int], bytes]
    peers: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self, aws_url: str) -> dict[str, str]:
        """The variables that all programs of the job get, so that none has less to read."""
        return {
            **events.environment(self.name, aws_url),
            "IDEMPOTENCY_TABLE_NAME": "idempotency",
            "POWERTOOLS_METRICS_NAMESPACE": "Switchboard",
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "AWS_ENDPOINT_URL": aws_url,
        }


WEBHOOKS = Job(
    "webhooks",
    samples.webhook,
    {
        POWERTOOLS: "powertools/powertools_webhooks.lambda_handler",
        FASTAPI: "fastapi/fastapi_app.lambda_handler",
        FLASK: "flask/flask_app.lambda_handler",
        CHALICE: "chalice/chalice_app.app",
    },
    {"PEER_MESSAGES": "sqs"},
)
NOTIFICATION = Job(
    "notification",
    samples.lease,
    {
        POWERTOOLS: "powertools/powertools_notification.lambda_handler",
        FASTAPI: "fastapi/fastapi_app.lambda_handler",
        FLASK: "flask/flask_app.lambda_handler",
        CHALICE: "chalice/chalice_app.notify",
    },
    {"PEER_MESSAGES": "sns"},
)
_HTTP_PEERS = {
    POWERTOOLS: "powertools/least_powertools_http.lambda_handler",
    FASTAPI: "fastapi/least_fastapi.lambda_handler",
    FLASK: "flask/least_flask.lambda_handler",
    CHALICE: "chalice/least_chalice.app",
}
_PLAIN_PEERS = {POWERTOOLS: "powertools/least_powertools.lambda_handler", CHALICE: "chalice/least_chalice.plain"}


def _other(name: str, number: int, peers: Mapping[str, str]) -> Job:
    """A job whose peers do the least; its events are of the kind that the event of ``number`` is."""
    return Job(name, lambda each: events.payload(name, number + each * events.PERIOD), peers)


def _http(name: str, number: int, resource: str) -> Job:
    job = _other(name, number, _HTTP_PEERS)
    return replace(job, event=lambda each: json.dumps(samples.whole(json.loads(job.event(each)), resource)).encode())


OTHERS = (
    _http("approvals", 1, "/drafts"),
    _http("shuttle", 1, "/shuttle/shops/{domain}/jobs"),
    # The frameworks for HTTP alone have nothing for a queue or a schedule.
    _other(
        "jira_worker",
        1,  # an issue that was touched
        {POWERTOOLS: "powertools/least_powertools_sqs.lambda_handler", CHALICE: "chalice/least_chalice.messages"},
    ),
    _other(
        "reconciliation",
        0,  # what Jira has changed
        _PLAIN_PEERS,
    ),
    _other("imports", 0, _PLAIN_PEERS),  # the sweep: a job's time is its file's
    _other("health", 0, _PLAIN_PEERS),  # the deep check; the stub stores no sentinel, so that it also logs and counts failures
)
"""The other functions: only their cold start is measured."""


@dataclass(frozen=True, slots=True)
class Program:
    """One way to do a job: where it lies and how it is started."""

    label: str
    job: Job
    handler: str
    path: tuple[Path, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    def start(self, aws_url: str) -> Process:
        """Start it, with its AWS calls going to ``aws_url``."""
        return Process(self.handler, list(self.path), {**self.job.environment(aws_url), **self.variables})


# The packages of each peer; everything that a package needs comes with it. Chalice deploys itself without what its command
# line needs.
_PACKAGES = {
    "floor": (),
    "powertools": ("aws-lambda-powertools",),
    "fastapi": ("fastapi", "mangum", "aws-lambda-powertools"),
    "flask": ("flask", "apig-wsgi", "aws-lambda-powertools"),
    "chalice": ("chalice", "aws-lambda-powertools", "typing-extensions"),
}
_PEERS = Path(__file__).parents[1] / "peers"


class Workshop:
    """Builds every folder once, below ``folder``, and makes the programs from them."""

    def __init__(self, folder: Path, aws_url: str, report: Callable[[str], None]) -> None:
        self._folder = folder
        self._aws_url = aws_url
        report("the runtime's packages")
        self._runtime = archives.build(folder / "runtime", archives.closure(archives.RUNTIME))
        report("Switchboard's archives, with bytecode and without")
        for recipe in archive.RECIPES:
            built = archive.build(archives.ROOT / "build/bench-archives", recipe=recipe, python=sys.executable)
            shutil.copytree(built, folder / recipe.name)
            nothing_compiled = shutil.ignore_patterns("__pycache__", "precompiled.*.bin")
            shutil.copytree(built, folder / f"{recipe.name}-bare", ignore=nothing_compiled)
        for name, packages in _PACKAGES.items():
            report(f"the archive of {name}")
            needed = packages if name == "chalice" else archives.closure(packages)
            own = [name for name in needed if name not in archives.closure(archives.RUNTIME)]
            archives.build(folder / name, own, sorted(_PEERS.glob("*.py")))

    def programs(self, job: Job) -> list[Program]:
        """All programs that do ``job``, Switchboard's also without bytecode."""
        ours = f"handlers.{job.name}.lambda_handler"
        folder = next(recipe.name for recipe in archive.RECIPES if job.name in recipe.entry_points)
        return [
            Program(OURS, job, ours, (self._folder / folder, self._runtime)),
            Program(OURS_BARE, job, ours, (self._folder / f"{folder}-bare", self._runtime)),
            *self._others(job, self._record(job)),
        ]

    def with_the_same_output(self, programs: list[Program]) -> list[Program]:
        """``programs``, and each peer among them once more with Switchboard's output."""
        peers = [program for program in programs if program.label in PEERS]
        return programs + [
            replace(peer, label=peer.label + SAME_OUTPUT, variables={**peer.variables, "PEER_OUTPUT": "same"}) for peer in peers
        ]

    def enrichers(self) -> list[Program]:
        """The programs of the notification, reduced to the enrichment."""
        calls = self._folder / "enrichment-calls.json"
        rounds = json.loads(self._record(NOTIFICATION).read_bytes())
        calls.write_text(json.dumps([[call for call in calls if call[1] == "get_item"] for calls in rounds]))
        alone = "enrichment_alone.lambda_handler"
        ours = Program(
            OURS, NOTIFICATION, alone, (self._folder / archive.COMMON.name, self._runtime, _PEERS), {"ENRICHER": "switchboard"}
        )
        floor, *peers = self._others(NOTIFICATION, calls)
        reduced = [
            replace(peer, handler=alone, variables={**peer.variables, "ENRICHER": peer.handler.partition(".")[0]})
            for peer in peers
        ]
        return [ours, floor, *reduced]

    def _others(self, job: Job, calls: Path) -> list[Program]:
        """The floor, and then the peers."""
        variables = {**job.variables, "RECORDED_CALLS": str(calls)}
        handlers = {FLOOR: "floor/floor.lambda_handler"} | dict(job.peers)
        return [
            Program(label, job, handler, (self._folder / folder, self._runtime), variables)
            for label, (folder, _, handler) in ((label, path.partition("/")) for label, path in handlers.items())
        ]

    def _record(self, job: Job) -> Path:
        """The calls of Switchboard's own function, for a first event and for a later one."""
        paths = []
        for number in (1, 2):
            path = self._folder / f"{job.name}-{number}.json"
            path.write_bytes(job.event(number))
            paths.append(str(path))
        environment = {
            **os.environ,
            **job.environment(self._aws_url),
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        command = [sys.executable, "-m", "tests.bench.speed.record", f"handlers.{job.name}", *paths]
        done = subprocess.run(command, cwd=archives.ROOT, env=environment, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the calls of {job.name} could not be recorded:\n{done.stderr.decode()}")
        calls = self._folder / f"{job.name}-calls.json"
        calls.write_bytes(done.stdout)
        return calls
