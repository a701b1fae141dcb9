"""Reconciliation for people: starts a run as the schedule does, and reads its progress and the last runs of a project.

Progress comes from the function's log lines, which have the checkpoint and the counts of the whole run so far, in every part.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lib.jira.reconciliation.requests import read_request
from lib.jira.reconciliation.watermarks import Watermarks
from lib.operations.deployed import Deployment
from lib.operations.log_search import LogLine, search
from lib.platform import aws, errors
from lib.platform.contract import live
from lib.platform.environment.reconciliation import ReconciliationEnvironment
from lib.platform.log import scrub

COUNTS = ("fetched", "created", "updated", "deleted", "unchanged", "failed")
MOST_RUNS = 50
MOST_LINES = 200
_RESULTS = '{ $.message = "project_reconciled" || $.message = "reconciliation_refused" }'

Event = dict[str, Any]


def make_event(project: str | None, *, full: bool, dry_run: bool, max_deletes: int | None = None) -> Event:
    """The event of the reconciliation function.

    Args:
        project: only this one; None for every configured project.
        full: compare every issue, not only those that changed since the last run.
        dry_run: count what would change, and change nothing.
        max_deletes: how many issues the run may delete, instead of the configured limit.

    Raises:
        InvalidInputError: the function would refuse it.
    """
    event: Event = {"full": full, "dry_run": dry_run} | ({"project": project} if project else {})
    if max_deletes is not None:
        event["max_deletes"] = max_deletes
    read_request(event)
    return event


def start(client: Any, function_name: str, event: Event) -> str:
    """Start a run and do not wait for it. Returns its id, by which :func:`read_progress` finds it.

    Raises:
        SwitchboardError: Lambda can't be reached or refuses.
    """
    with aws.translated("invoke the reconciliation function"):
        answer = client.invoke(FunctionName=live(function_name), InvocationType="Event", Payload=json.dumps(event).encode())
        return str(answer["ResponseMetadata"]["RequestId"])


def run(client: Any, function_name: str, event: Event) -> Any:
    """Carry out a run and wait for it, up to 15 minutes. Returns the function's answer.

    Raises:
        PermanentError: the function failed.
        SwitchboardError: Lambda can't be reached or refuses.
    """
    with aws.translated("invoke the reconciliation function"):
        answer = client.invoke(FunctionName=live(function_name), Payload=json.dumps(event).encode())
        payload = answer["Payload"].read()
    try:
        value = json.loads(payload)
    except ValueError:
        value = None
    if "FunctionError" in answer:
        error = value if isinstance(value, dict) else {}
        text = ": ".join(str(error[name]) for name in ("errorType", "errorMessage") if error.get(name))
        raise errors.PermanentError(f"the reconciliation function failed: {text or answer['FunctionError']}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One log line about a project in a run.

    Attributes:
        at: when it was logged.
        run_id: of the run: the request id of its first invocation.
        mode: ``changes`` or ``full``.
        number: of the invocation, from 1.
        dry_run: whether nothing is written.
        complete: whether everything was processed and nothing refused.
        continued: whether another invocation continues.
        counts: of the run so far, by :data:`COUNTS`.
        pages: how many pages of Jira's listing were read so far; None if the line does not say.
        position: the number of the last issue that was processed; None if the line does not say.
        changes: the first changes of this invocation: "updated OPS-1".
        refused: what this invocation did not do, and why; in :func:`report_project_runs` only.
    """

    at: datetime
    run_id: str
    mode: str
    number: int
    dry_run: bool
    complete: bool
    continued: bool
    counts: Mapping[str, int]
    pages: int | None
    position: int | None
    changes: tuple[str, ...]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResyncProgress:
    """The progress of a run.

    Attributes:
        state: ``waiting`` (no log line yet), ``running``, ``done``, ``refused`` (something was not done) or ``failed``.
        latest: the last log line about the project; None without one.
        refused: what was not done, and why.
        missing: the first issues that Jira lacks and that were therefore not deleted, by key.
        lines: the log lines of the run, the oldest first.
    """

    state: str
    latest: Part | None
    refused: tuple[str, ...]
    missing: tuple[str, ...]
    lines: tuple[LogLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectReport:
    """The state of a project.

    Attributes:
        project: its key.
        is_configured: whether the schedules reconcile it.
        watermark: all changes in Jira before this instant are stored; None if no run has set it.
        runs: its last runs, one entry per invocation, the latest first.
        problem: why the runs can't be read, or not all of them; empty if they were.
    """

    project: str
    is_configured: bool
    watermark: datetime | None
    runs: tuple[Part, ...]
    problem: str

    @property
    def last_sweep(self) -> Part | None:
        """The last complete run that compared every issue: it has counted them."""
        return next((run for run in self.runs if run.mode == "full" and run.complete), None)


def configured_projects(deployed: Deployment) -> tuple[str, ...]:
    """The projects that the schedules reconcile.

    Raises:
        SwitchboardError: the function's configuration can't be read.
    """
    return deployed.environment("reconciliation", ReconciliationEnvironment).jira_projects


def read_watermarks(deployed: Deployment) -> dict[str, datetime | None]:
    """The configured projects, each with the instant before which all changes in Jira are stored; None if there is none.

    Raises:
        SwitchboardError: the configuration or a watermark can't be read.
    """
    watermarks = Watermarks(deployed.client("dynamodb"), deployed.output("jira_operations_table_name"))
    return {project: watermarks.read(project) for project in configured_projects(deployed)}


def report_project_runs(deployed: Deployment, project: str, since: datetime) -> ProjectReport:
    """The watermark of a project and its runs since an instant.

    Raises:
        SwitchboardError: the watermark or the configuration can't be read.
    """
    watermarks = Watermarks(deployed.client("dynamodb"), deployed.output("jira_operations_table_name"))
    lines: list[LogLine] = []
    problem = ""
    try:
        lines.extend(line for line in _lines(deployed, since, pattern=_RESULTS) if line.fields.get("project") == project)
    except errors.SwitchboardError as error:
        problem = scrub(str(error))
    refused: dict[tuple[str, int], list[str]] = defaultdict(list)
    for line in lines:
        if line.message == "reconciliation_refused":
            refused[_run_and_part(line)].append(scrub(str(line.fields.get("reason", ""))))
    runs = [
        replace(_read_part(line), refused=tuple(refused[_run_and_part(line)]))
        for line in lines
        if line.message == "project_reconciled"
    ]
    return ProjectReport(
        project=project,
        is_configured=project in configured_projects(deployed),
        watermark=watermarks.read(project),
        runs=tuple(sorted(runs, key=lambda run: run.at, reverse=True)[:MOST_RUNS]),
        problem=problem,
    )


def read_progress(deployed: Deployment, project: str, run_id: str, since: datetime) -> ResyncProgress:
    """The progress of a run of one project, which was started after ``since``.

    Raises:
        SwitchboardError: the logs can't be read.
    """
    lines = [line for line in _lines(deployed, since, term=run_id) if run_id in _run_ids(line)]
    lines.sort(key=lambda line: line.at)
    parts = [
        _read_part(line)
        for line in lines
        if line.message in ("project_reconciled", "reconciliation_progress") and line.fields.get("project") == project
    ]
    refusals = [line for line in lines if line.message == "reconciliation_refused"]
    refused = [str(line.fields.get("reason", "")) for line in refusals]
    latest = parts[-1] if parts else None
    return ResyncProgress(
        state=_state(lines, latest, refused),
        latest=latest,
        refused=tuple(refused),
        missing=tuple(key for line in refusals for key in " ".join(map(str, line.fields.get("missing") or ())).split()),
        lines=tuple(lines[-MOST_LINES:]),
    )


def _lines(deployed: Deployment, since: datetime, *, term: str = "", pattern: str = "") -> Iterable[LogLine]:
    function = {"reconciliation": deployed.function_name("reconciliation")}
    return search(deployed.client("logs"), function, term, since, pattern=pattern)


def _run_ids(line: LogLine) -> tuple[object, object]:
    return line.fields.get("correlation_id"), line.fields.get("run_id")


def _state(lines: list[LogLine], latest: Part | None, refused: list[str]) -> str:
    if not lines:
        return "waiting"
    if any(line.message == "event_failed" for line in lines):
        return "failed"
    ended = [_number(line.fields.get("part")) or 1 for line in lines if line.message == "reconciliation_done"]
    if ended and (latest is None or (max(ended) >= latest.number and not latest.continued)):
        return "refused" if refused else "done"
    return "running"


def _read_part(line: LogLine) -> Part:
    fields, (run_id, number) = line.fields, _run_and_part(line)
    return Part(
        at=line.at,
        run_id=run_id,
        mode=str(fields.get("mode", "")),
        number=number,
        dry_run=fields.get("dry_run") is True,
        complete=fields.get("complete") is True,
        continued=fields.get("continued") is True,
        counts={name: _number(fields.get(f"issues_{name}")) or 0 for name in COUNTS},
        pages=_number(fields.get("pages")),
        position=_number(fields.get("position")),
        changes=tuple(scrub(str(change)) for change in fields.get("changes") or ()),
    )


def _run_and_part(line: LogLine) -> tuple[str, int]:
    fields = line.fields
    return str(fields.get("correlation_id") or fields.get("run_id") or ""), _number(fields.get("part")) or 1


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
