"""Reports a run of the reconciliation: its record in the bucket, its metrics and its log lines."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from lib.jira.reconciliation.checkpoint import Checkpoint, Counts
from lib.jira.reconciliation.requests import Request
from lib.jira.reconciliation.result import MAX_SHOWN_CHANGES, Result, Run
from lib.jira.run_records import RunRecords
from lib.platform import clock, contract, errors, metrics
from lib.platform.log import Logger

PROGRESS_SECONDS = 10.0


class Reporter:
    """Reports runs. A dry run leaves no record."""

    def __init__(self, records: RunRecords, logger: Logger) -> None:
        self._records = records
        self._logger = logger

    def progress_logger(self, request: Request) -> Callable[[Checkpoint], None]:
        """Logs how far a project is when it is called, but at most every 10 seconds."""
        logged_at = clock.monotonic()

        def log_progress(state: Checkpoint) -> None:
            nonlocal logged_at
            if clock.monotonic() - logged_at < PROGRESS_SECONDS:
                return
            logged_at = clock.monotonic()
            about = {"project": state.key_range.project, "pages": state.pages, "position": state.position}
            self._logger.info("reconciliation_progress", **about, **_counts(state.counts), **_about(request))

        return log_progress

    def report(self, run: Run) -> None:
        """Store the run record, then metrics and log lines, since the record may fail. A dry run leaves log lines only."""
        if not run.request.dry_run:
            self._store_record(run)
            for result in run.results:
                _measure(result, run.request)
        about = _about(run.request)
        for result in run.results:
            changes = [f"{change.action} {change.issue_key}" for change in result.changes[:MAX_SHOWN_CHANGES]]
            fields = {"project": result.project, "complete": result.complete, "continued": result.continued, "changes": changes}
            self._logger.info("project_reconciled", **fields, **_counts(result.counts), **about)
            self._log_refusals(result, run.request)
        for reason in run.refused:
            self._logger.error("reconciliation_refused", reason=reason, **about)
        projects = [result.project for result in run.results]
        self._logger.info("reconciliation_done", projects=projects, refused=len(run.reasons()), record=run.record, **about)

    def report_not_continued(self, run: Run, error: errors.SwitchboardError) -> None:
        """Report again, because the next part was not invoked: the record in full, and of metrics and lines what is new."""
        outcome = "may not be done" if isinstance(error, errors.AmbiguousError) else "was not done"
        ended = [
            replace(result, continued=False, before=result.counts).refuse(f"the rest {outcome}: {error}")
            for result in run.results
            if result.continued
        ]
        run.results = [result for result in run.results if not result.continued] + ended
        if not run.request.dry_run:
            self._store_record(run)
            for result in ended:
                _measure(result, run.request)
        for result in ended:
            self._log_refusals(result, run.request)

    def _store_record(self, run: Run) -> None:
        projects = [
            {"project": result.project, **asdict(result.counts), "complete": result.complete, "continued": result.continued}
            | _not_deleted(result)
            for result in run.results
        ]
        issues = [entry for result in run.results for entry in result.entries()]
        limit = _limit(run.request)
        try:
            run.record = self._records.write(
                "reconciliation", run.id, issues, projects=projects, refused=run.reasons(), **limit
            )
        except errors.SwitchboardError as error:
            reason = f"what was done is not on record: {error}"
            run.results = [result.refuse(reason) for result in run.results]
            run.refused += [] if run.results else [reason]

    def _log_refusals(self, result: Result, request: Request) -> None:
        for reason in result.refused:
            about = _about(request) | _missing_in_lines(result)
            self._logger.error("reconciliation_refused", project=result.project, reason=reason, **about)


def _counts(counts: Counts) -> dict[str, int]:
    return {f"issues_{name}": number for name, number in asdict(counts).items()}


def _about(request: Request) -> dict[str, Any]:
    return {"mode": request.mode.value, "dry_run": request.dry_run, "part": request.part, **_limit(request)}


def _limit(request: Request) -> dict[str, Any]:
    """The limit of deletions that a person set for this run."""
    return {} if request.max_deletes is None else {"max_deletes": request.max_deletes}


def _missing_in_lines(result: Result) -> dict[str, Any]:
    """Ten keys in a text, since a log line shows 50 entries of a list and 1,000 characters of a text."""
    found = [result.missing[start : start + 10] for start in range(0, len(result.missing), 10)]
    return {"missing": [" ".join(keys) for keys in found]} if found else {}


def _not_deleted(result: Result) -> dict[str, Any]:
    return {"missing": list(result.missing)} if result.missing else {}


def _measure(result: Result, request: Request) -> None:
    """Count what this invocation did. Earlier invocations have counted their own part."""
    for name, number in asdict(result.own_counts).items():
        metrics.count(contract.RECONCILIATION_COUNTS[name], number, project=result.project)
    if result.refused:
        metrics.count(contract.RECONCILIATION_REFUSED, len(result.refused), project=result.project)
    if request.is_whole and not result.continued:
        metrics.count(contract.RECONCILIATION_RUN, project=result.project, mode=request.mode.value)
