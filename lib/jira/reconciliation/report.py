"""Reports a run of the reconciliation: its record in the bucket, its metrics and its log lines."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from lib.jira.reconciliation.checkpoint import Counts
from lib.jira.reconciliation.requests import Request
from lib.jira.reconciliation.turns import MAX_SHOWN_CHANGES, Run, Turn
from lib.jira.run_records import RunRecords
from lib.platform import contract, errors, metrics
from lib.platform.log import Logger


class Reporter:
    """Reports runs. ``get_records`` is not called for a dry run."""

    def __init__(self, get_records: Callable[[], RunRecords], logger: Logger) -> None:
        self._get_records = get_records
        self._logger = logger

    def report(self, run: Run) -> None:
        """Store the run record, then metrics and log lines, since the record may fail. A dry run leaves log lines only."""
        if not run.request.dry_run:
            self._store_record(run)
            for turn in run.turns:
                _measure(turn, run.request)
        about = _about(run.request)
        for turn in run.turns:
            changes = [f"{change.action} {change.issue_key}" for change in turn.changes[:MAX_SHOWN_CHANGES]]
            fields = {"project": turn.project, "complete": turn.complete, "continued": turn.continued, "changes": changes}
            counts = {f"issues_{name}": number for name, number in asdict(turn.counts).items()}
            self._logger.info("project_reconciled", **fields, **counts, **about)
            self._log_refusals(turn, run.request)
        for reason in run.refused:
            self._logger.error("reconciliation_refused", reason=reason, **about)
        projects = [turn.project for turn in run.turns]
        self._logger.info("reconciliation_done", projects=projects, refused=len(run.reasons()), record=run.record, **about)

    def report_not_continued(self, run: Run, error: errors.SwitchboardError) -> None:
        """Report again, because the next part was not invoked: the record in full, and of metrics and lines what is new."""
        outcome = "may not be done" if isinstance(error, errors.AmbiguousError) else "was not done"
        ended = [
            replace(turn, continued=False, own_counts=Counts()).refuse(f"{turn.project}: the rest {outcome}: {error}")
            for turn in run.turns
            if turn.continued
        ]
        run.turns = [turn for turn in run.turns if not turn.continued] + ended
        if not run.request.dry_run:
            self._store_record(run)
            for turn in ended:
                _measure(turn, run.request)
        for turn in ended:
            self._log_refusals(turn, run.request)

    def _store_record(self, run: Run) -> None:
        projects = [
            {"project": turn.project, **asdict(turn.counts), "complete": turn.complete, "continued": turn.continued}
            for turn in run.turns
        ]
        issues = [entry for turn in run.turns for entry in turn.entries()]
        try:
            run.record = self._get_records().write("reconciliation", run.id, issues, projects=projects, refused=run.reasons())
        except errors.SwitchboardError as error:
            reason = f"what was done is not on record: {error}"
            run.turns = [turn.refuse(f"{turn.project}: {reason}") for turn in run.turns]
            run.refused += [] if run.turns else [reason]

    def _log_refusals(self, turn: Turn, request: Request) -> None:
        for reason in turn.refused:
            self._logger.error("reconciliation_refused", project=turn.project, reason=reason, **_about(request))


def _about(request: Request) -> dict[str, Any]:
    return {"mode": request.mode.value, "dry_run": request.dry_run, "part": request.part}


def _measure(turn: Turn, request: Request) -> None:
    """Count what this invocation did. Earlier invocations have counted their own part."""
    for name, number in asdict(turn.own_counts).items():
        metrics.count(contract.RECONCILIATION_COUNTS[name], number, project=turn.project)
    if turn.refused:
        metrics.count(contract.RECONCILIATION_REFUSED, len(turn.refused), project=turn.project)
    if request.is_whole and not turn.continued:
        metrics.count(contract.RECONCILIATION_RUN, project=turn.project, mode=request.mode.value)
