"""What is measured against what: Switchboard's functions, their floors and their peers, each in a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack import package
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


@dataclass(frozen=True, slots=True)
class Job:
    """One job that all programs do.

    Attributes:
        name: the function's name.
        event: makes the event of a number.
        messages: the service that the message goes out by.
    """

    name: str
    event: Callable[[int], bytes]
    messages: str


WEBHOOKS = Job("webhooks", samples.webhook, "sqs")
NOTIFICATION = Job("notification", samples.lease, "sns")


@dataclass(frozen=True, slots=True)
class Program:
    """One way to do a job: where it lies and how it is started."""

    label: str
    handler: str
    path: tuple[Path, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, aws_url: str) -> Process:
        """Start it, with its AWS calls going to ``aws_url``."""
        environment = {**samples.ENVIRONMENT, **self.environment, "AWS_ENDPOINT_URL": aws_url}
        return Process(self.handler, list(self.path), environment)


# The packages of each peer; everything that a package needs comes with it. Chalice deploys itself without what its command
# line needs.
_PACKAGES = {
    "floor": (),
    "powertools": ("aws-lambda-powertools",),
    "fastapi": ("fastapi", "mangum"),
    "flask": ("flask", "apig-wsgi"),
    "chalice": ("chalice",),
}
_HANDLERS = {
    POWERTOOLS: ("powertools", "powertools_{job}.lambda_handler"),
    FASTAPI: ("fastapi", "fastapi_app.lambda_handler"),
    FLASK: ("flask", "flask_app.lambda_handler"),
    CHALICE: ("chalice", "chalice_app.{entry}"),
}
_CHALICE_ENTRIES = {"webhooks": "app", "notification": "notify"}


class Workshop:
    """Builds every folder once, below ``folder``, and makes the programs from them."""

    def __init__(self, folder: Path, aws_url: str, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._aws_url = aws_url
        tell("the runtime's packages")
        self._runtime = archives.build(folder / "runtime", archives.closure(archives.RUNTIME))
        tell("Switchboard's archive, with bytecode and without")
        shutil.copytree(package.build(folder / "build", python=sys.executable), folder / "ours")
        shutil.copytree(folder / "ours", folder / "ours-bare", ignore=shutil.ignore_patterns("__pycache__"))
        peers = Path(__file__).parents[1] / "peers"
        for name, packages in _PACKAGES.items():
            tell(f"the archive of {name}")
            needed = packages if name == "chalice" else archives.closure(packages)
            own = [name for name in needed if name not in archives.closure(archives.RUNTIME)]
            archives.build(folder / name, own, sorted(peers.glob("*.py")))

    def programs(self, job: Job) -> list[Program]:
        """All programs that do ``job``."""
        calls = self._record(job)
        ours = f"handlers.{job.name}.lambda_handler"
        programs = [
            Program(OURS, ours, (self._folder / "ours", self._runtime)),
            Program(OURS_BARE, ours, (self._folder / "ours-bare", self._runtime)),
            Program(FLOOR, "floor.lambda_handler", (self._folder / "floor", self._runtime), {"FLOOR_CALLS": str(calls)}),
        ]
        for label, (folder, pattern) in _HANDLERS.items():
            handler = pattern.format(job=job.name, entry=_CHALICE_ENTRIES[job.name])
            programs.append(Program(label, handler, (self._folder / folder, self._runtime), {"PEER_MESSAGES": job.messages}))
        return programs

    def enrichers(self) -> list[Program]:
        """The programs of the notification, reduced to the enrichment."""
        calls = self._folder / "enrichment-calls.json"
        rounds = json.loads(self._record(NOTIFICATION).read_bytes())
        calls.write_text(json.dumps([[call for call in calls if call[1] == "get_item"] for calls in rounds]))
        handler = "enrichment_alone.lambda_handler"
        peers = Path(__file__).parents[1] / "peers"
        ours = (self._folder / "ours", self._runtime, peers)
        programs = [
            Program(OURS, handler, ours, {"ENRICHER": "switchboard"}),
            Program(FLOOR, "floor.lambda_handler", (self._folder / "floor", self._runtime), {"FLOOR_CALLS": str(calls)}),
        ]
        for label, (folder, peer) in _HANDLERS.items():
            variables = {"PEER_MESSAGES": "sns", "ENRICHER": peer.format(job="notification", entry="").partition(".")[0]}
            programs.append(Program(label, handler, (self._folder / folder, self._runtime), variables))
        return programs

    def _record(self, job: Job) -> Path:
        events = []
        for number in (1, 2):
            path = self._folder / f"{job.name}-{number}.json"
            path.write_bytes(job.event(number))
            events.append(str(path))
        environment = {
            **os.environ,
            **samples.ENVIRONMENT,
            "AWS_ENDPOINT_URL": self._aws_url,
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        command = [sys.executable, "-m", "tests.bench.speed.record", f"handlers.{job.name}", *events]
        done = subprocess.run(command, cwd=archives.ROOT, env=environment, capture_output=True, check=True)
        calls = self._folder / f"{job.name}-calls.json"
        calls.write_bytes(done.stdout)
        assert all(json.loads(done.stdout)), "the function made no AWS call"
        return calls
