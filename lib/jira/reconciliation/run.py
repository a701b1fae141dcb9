"""One invocation of the reconciliation: gives each project its turn, and hands over what is left to the next invocation.

What can't or may not be done is *refused*: result, log and metric say what and why, and the next project has its turn. The
invocation does not fail for it: Lambda would repeat all of it twice, and Jira's 401 would be a 401 again. The next part is
claimed first and invoked last, after the report, so that an invocation that Lambda repeats does not start a second chain
(:mod:`.continuations`).
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lib.jira.correlation_store import CorrelationStore
from lib.jira.issues import project_key
from lib.jira.reconciliation.checkpoint import Checkpoint, Counts
from lib.jira.reconciliation.continuations import Continuation, Continuations
from lib.jira.reconciliation.merge import KeyRange
from lib.jira.reconciliation.reconciler import RESERVE_SECONDS, Reconciler
from lib.jira.reconciliation.report import Reporter
from lib.jira.reconciliation.requests import Mode
from lib.jira.reconciliation.sources import Reader
from lib.jira.reconciliation.turns import Run, Turn
from lib.jira.reconciliation.watermarks import Watermarks
from lib.jira.work_queue import WorkQueue
from lib.platform import clock, errors
from lib.platform.log import Logger


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Carries out runs.

    ``projects`` are the configured ones, for a request that names none. ``connect`` makes the reconciler of a run; a
    SwitchboardError from it refuses every project.
    """

    projects: tuple[str, ...]
    connect: Callable[[Run], Reconciler]
    reader: Reader
    correlations: CorrelationStore
    watermarks: Watermarks
    get_queue: Callable[[], WorkQueue]
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
            self.continuations.start(continuation)
        except errors.SwitchboardError as error:
            self.reporter.report_not_continued(run, error)

    def _reconcile(self, run: Run) -> None:
        """Give each project its turn while there is time, and leave the others to the next part. The first always has one."""
        projects = run.request.projects
        projects = tuple(dict.fromkeys(self.projects)) if projects is None else projects
        if not projects:
            run.refused.append("no project is configured: set jiraProjects, or name one")
            return
        try:
            reconciler = self.connect(run)
        except errors.SwitchboardError as error:
            run.turns = [Turn(project).refuse(f"{project}: {error}") for project in projects]
            return
        for index, project in enumerate(projects):
            sweep = run.request.sweep if index == 0 else None
            if index and run.seconds_left() < RESERVE_SECONDS:
                run.left = [Turn(later) for later in projects[index:]]
                return
            turn = self._give_turn(project, sweep, run, reconciler)
            self._queue_recomputes(turn, run)
            if turn.checkpoint is not None:
                run.left = [turn, *(Turn(later) for later in projects[index + 1 :])]
                return
            run.turns.append(turn)

    def _give_turn(self, project: str, sweep: Checkpoint | None, run: Run, reconciler: Reconciler) -> Turn:
        start = sweep or Checkpoint(KeyRange(project))
        try:
            project_key(project)  # a configured one may be malformed
            if run.request.mode is Mode.CHANGES:
                return self._catch_up(project, run, reconciler)
            return Turn.of(reconciler.sweep(start), start.counts)
        except errors.SwitchboardError as error:
            return Turn(project).refuse(f"{project}: {error}")
        except Exception as error:
            self.logger.defect("project_failed", error, project=project)
            return Turn(project).refuse(
                f"{project}: stopped by a defect ({type(error).__name__}), and what was done is not counted"
            )

    def _catch_up(self, project: str, run: Run, reconciler: Reconciler) -> Turn:
        """Process the changes since the watermark, and advance it to now if all of them were processed."""
        started_at = clock.utc_now()
        turn = Turn.of(reconciler.catch_up(project, self.watermarks.read(project)), Counts())
        if not turn.complete or run.request.dry_run:
            return turn
        try:
            self.watermarks.advance(project, started_at)
        except errors.SwitchboardError as error:
            return turn.refuse(f"{project}: {error}; the next run processes these changes again")
        return turn

    def _queue_recomputes(self, turn: Turn, run: Run) -> None:
        """Have the worker correlate what changed, and after a whole sweep every issue whose correlation is not of its current
        state: this repairs what a queue that was down, or a dead letter, has lost. A failure here loses a recompute only."""
        request = run.request
        if request.dry_run:
            return
        changed = [change.issue_key for change in turn.changes if change.action != "failed"]
        already = frozenset(changed)
        swept: Iterable[str] = ()
        if request.mode is Mode.FULL and turn.complete:
            key_range = request.sweep.key_range if request.sweep else KeyRange(turn.project)
            stored = self.reader.by_project(turn.project, after=key_range.after, through=key_range.through)
            swept = (key for key in self.correlations.not_current(stored) if key not in already)
        queued = self.get_queue().try_recomputes(itertools.chain(changed, swept), self.logger, project=turn.project)
        if queued is not None:
            self.logger.info("correlation_queued", project=turn.project, issues=queued)

    def _claim_next(self, run: Run) -> Continuation | None:
        projects = tuple(turn.project for turn in run.left)
        try:
            continuation = self.continuations.claim(run.request.continued(run.id, projects, run.left[0].checkpoint))
        except errors.SwitchboardError as error:
            run.turns += [turn.refuse(f"{turn.project}: the rest was not done: {error}") for turn in run.left]
            return None
        run.turns += [replace(turn, continued=True) for turn in run.left]
        return continuation
