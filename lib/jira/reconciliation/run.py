"""One invocation of the reconciliation: reconciles projects one after another, and hands over the rest to the next invocation.

What can't or may not be done is *refused*: result, log and metric say what and why, and the next project is reconciled. The
invocation does not fail for it: Lambda would repeat all of it twice, and Jira's 401 would be a 401 again. The next part is
claimed first and invoked last, after the report, so that an invocation that Lambda repeats does not start a second chain
(:mod:`.continuations`).
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from lib.jira import client
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter
from lib.jira.issues import project_key
from lib.jira.reconciliation.checkpoint import Checkpoint, DeleteLimit
from lib.jira.reconciliation.continuations import LEASE, Continuation, Continuations
from lib.jira.reconciliation.merge import KeyRange
from lib.jira.reconciliation.reconciler import RESERVE_SECONDS, Reconciler
from lib.jira.reconciliation.report import Reporter
from lib.jira.reconciliation.requests import Mode
from lib.jira.reconciliation.result import Result, Run
from lib.jira.reconciliation.watermarks import Watermarks
from lib.jira.run_records import RunRecords
from lib.jira.store_factory import make_issue_writer
from lib.jira.work_queue import WorkQueue
from lib.platform import clock, errors
from lib.platform.claims import Claims
from lib.platform.environment.reconciliation import ReconciliationEnvironment
from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.platform.secrets import Secret

CLIENT_RESERVE_SECONDS = 30.0
"""With less time left, no request to Jira is made: an answer may take 20 s, and the run must still be reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Carries out runs of the projects that a request names, or else of the configured ones."""

    settings: ReconciliationEnvironment
    api_token: Secret
    store: IssueWriter
    reader: IssueReader
    correlations: CorrelationStore
    watermarks: Watermarks
    queue: WorkQueue
    continuations: Continuations
    reporter: Reporter
    logger: Logger

    def carry_out(self, run: Run) -> None:
        """Reconcile, report, and continue in another invocation if something is left."""
        self._reconcile(run)
        continuation = self._claim_next(run) if run.left else None
        if continuation is None:
            self.reporter.report(run)
            return
        try:
            self.reporter.report(run)
        except Exception:
            self.continuations.release(continuation)
            raise
        try:
            self.continuations.start(continuation, run.function)
        except errors.SwitchboardError as error:
            self.reporter.report_not_continued(run, error)

    def _reconcile(self, run: Run) -> None:
        """Reconcile the projects while there is time, the first one always, and leave the others to the next part."""
        projects = run.request.projects
        projects = tuple(dict.fromkeys(self.settings.jira_projects)) if projects is None else projects
        if not projects:
            run.refused.append("no project is configured: set jiraProjects, or name one")
            return
        try:
            reconciler = self._connect(run)
        except errors.SwitchboardError as error:
            run.results = [Result(project).refuse(str(error)) for project in projects]
            return
        for index, project in enumerate(projects):
            sweep = run.request.sweep if index == 0 else None
            if index and run.seconds_left() < RESERVE_SECONDS:
                run.left = [Result(later) for later in projects[index:]]
                return
            result = self._reconcile_project(project, sweep, run, reconciler)
            self._queue_recomputes(result, run)
            if result.checkpoint is not None:
                run.left = [result, *(Result(later) for later in projects[index + 1 :])]
                return
            run.results.append(result)

    def _connect(self, run: Run) -> Reconciler:
        jira = client.connect(self.settings, self.api_token, seconds_left=lambda: run.seconds_left() - CLIENT_RESERVE_SECONDS)
        limit = DeleteLimit.parse(self.settings.reconcile_max_deletes)
        if run.request.max_deletes is not None:
            limit = DeleteLimit(run.request.max_deletes, 0.0, "the max_deletes of this run")
        dry_run, seconds_left = run.request.dry_run, run.seconds_left
        return Reconciler(
            jira,
            self.store,
            self.reader,
            limit=limit,
            dry_run=dry_run,
            seconds_left=seconds_left,
            on_page=self.reporter.progress_logger(run.request),
        )

    def _reconcile_project(self, project: str, sweep: Checkpoint | None, run: Run, reconciler: Reconciler) -> Result:
        start = sweep or Checkpoint(KeyRange(project))
        try:
            project_key(project)  # a configured one may be malformed
            if run.request.mode is Mode.CHANGES:
                return self._catch_up(project, run, reconciler)
            return reconciler.sweep(start)
        except errors.SwitchboardError as error:
            return Result(project).refuse(str(error))
        except Exception as error:
            self.logger.defect("project_failed", error, project=project)
            return Result(project).refuse(f"stopped by a defect ({type(error).__name__}), and what was done is not counted")

    def _catch_up(self, project: str, run: Run, reconciler: Reconciler) -> Result:
        """Process the changes since the watermark, and advance it to now if all of them were processed."""
        started_at = clock.utc_now()
        result = reconciler.catch_up(project, self.watermarks.read(project))
        if not result.complete or run.request.dry_run:
            return result
        try:
            self.watermarks.advance(project, started_at)
        except errors.SwitchboardError as error:
            return result.refuse(f"{error}; the next run processes these changes again")
        return result

    def _queue_recomputes(self, result: Result, run: Run) -> None:
        """Have the worker correlate the changed issues, and after a whole sweep also those with an outdated correlation. This
        repairs what was lost in a dead letter or while the queue was down. A failure here loses only a recompute."""
        request = run.request
        if request.dry_run:
            return
        changed = [change.issue_key for change in result.changes if change.action != "failed"]
        already = frozenset(changed)
        swept: Iterable[str] = ()
        if request.mode is Mode.FULL and result.complete:
            key_range = request.sweep.key_range if request.sweep else KeyRange(result.project)
            stored = self.reader.by_project(result.project, after=key_range.after, through=key_range.through)
            swept = (key for key in self.correlations.not_current(stored) if key not in already)
        queued = self.queue.try_recomputes(itertools.chain(changed, swept), self.logger, project=result.project)
        if queued is not None:
            self.logger.info("correlation_queued", project=result.project, issues=queued)

    def _claim_next(self, run: Run) -> Continuation | None:
        projects = tuple(result.project for result in run.left)
        try:
            continuation = self.continuations.claim(run.request.continued(run.id, projects, run.left[0].checkpoint))
        except errors.SwitchboardError as error:
            run.results += [result.refuse(f"the rest was not done: {error}") for result in run.left]
            return None
        run.results += [replace(result, continued=True) for result in run.left]
        return continuation


def make_runner(
    settings: ReconciliationEnvironment,
    *,
    dynamodb: Any,
    sqs: Any,
    get_s3: Callable[[], Any],
    get_lambda: Callable[[], Any],
    api_token: Secret,
    logger: Logger,
) -> Runner:
    """The runner of a function with this environment and these AWS clients."""
    issues, operations = settings.jira_issues_table_name, settings.operations_table_name
    records = RunRecords(get_s3, settings.artifact_bucket_name, git_sha=settings.git_sha)
    return Runner(
        settings=settings,
        api_token=api_token,
        store=make_issue_writer(dynamodb, get_s3, settings),
        reader=IssueReader(dynamodb, issues),
        correlations=CorrelationStore(dynamodb, issues),
        watermarks=Watermarks(dynamodb, operations),
        queue=WorkQueue(Queue(sqs, settings.jira_queue_url)),
        continuations=Continuations(Claims(dynamodb, operations, lease=LEASE), get_lambda, logger),
        reporter=Reporter(records, logger),
        logger=logger,
    )
