"""The reconciliation function: brings the JiraIssues table to what Jira has, one project after another.

By the clock (every 15 minutes what changed, nightly everything) or for a person; lib/jira/reconciliation/requests.py tells
the forms of its event. When its time is nearly up it calls itself, with what is left::

    OPS ──► WEB (page 41 of …) ─ time is up ─► itself: WEB from its checkpoint ──► DEV

What can't or may not be done is *refused*: the result, the log and a metric say what and why, and the next project has its
turn. The invocation does not fail for it: Lambda would do it all again, twice, and Jira's 401 would be a 401 again. It fails
only for an event that can't be read, and for a defect. Its next part is claimed first and called last, after the report, so
that an invocation that Lambda repeats does not start a second chain (lib/jira/reconciliation/continuations.py).

Two runs at a time (the schedule's and a person's) do no harm: every write goes through the store, which keeps the later of
two states whoever writes it, a watermark only goes forward, and what one run has deleted the other finds deleted.
"""

import functools
import itertools
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.jira.client import JiraClient
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter
from lib.jira.issues import project_key
from lib.jira.reconciliation.checkpoint import Change, Checkpoint, Counts, DeleteLimit, Result
from lib.jira.reconciliation.continuations import LEASE, Continuation, Continuations
from lib.jira.reconciliation.merge import KeyRange
from lib.jira.reconciliation.requests import Mode, Request, read_request
from lib.jira.reconciliation.run import RESERVE_SECONDS, Reconciler
from lib.jira.reconciliation.watermarks import Watermarks
from lib.jira.run_records import RunRecords
from lib.jira.snapshots import BucketSnapshots
from lib.jira.work_queue import WorkQueue
from lib.platform import aws, clock, contract, errors, gc_tuning, metrics
from lib.platform.claims import Claims
from lib.platform.environment import ReconciliationEnvironment
from lib.platform.log import Logger, scrub
from lib.platform.queues import Queue
from lib.platform.secrets import Secret

CLIENT_RESERVE_SECONDS = 30.0
"""Jira is not asked again with less time left: one more answer may take 20 s, and the run must still be reported."""

_MAX_TEXT = 500  # characters, in a run record
_SHOWN_CHANGES = 100
_NONE = Counts()


@functools.cache
def _s3() -> Any:
    """The client, once something needs it: a run without changes, which is most of them, does without."""
    return aws.make_client("s3", read_timeout_seconds=10)


_environment = ReconciliationEnvironment.read()
_logger = Logger("reconciliation")
_dynamodb = aws.make_client("dynamodb", read_timeout_seconds=aws.BATCH_READ_TIMEOUT_SECONDS)
_api_token = Secret(aws.make_client("secretsmanager"), _environment.jira_api_token_arn)
_reader = IssueReader(_dynamodb, _environment.jira_issues_table_name)
_store = IssueWriter(
    _dynamodb,
    _environment.jira_issues_table_name,
    history=timedelta(days=_environment.history_days),
    snapshots=BucketSnapshots(_s3, _environment.artifact_bucket_name),
    on_throttle=lambda: metrics.count(contract.STORE_THROTTLE_RETRY),
)
_correlations = CorrelationStore(_dynamodb, _environment.jira_issues_table_name)
_watermarks = Watermarks(_dynamodb, _environment.operations_table_name)
_claims = Claims(_dynamodb, _environment.operations_table_name, lease=LEASE)


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of one project in this invocation.

    Attributes:
        project: its key.
        counts: of this invocation and those it took over from.
        own_counts: of this invocation.
        refused: what was not done, and why.
        changes: of this invocation, the first 1,000.
        checkpoint: where its sweep stands, if there was no time for the rest.
        complete: whether everything was looked at, and nothing refused or failed that another look may bring in.
        continued: whether another invocation goes on with it.
    """

    project: str
    counts: Counts = _NONE
    own_counts: Counts = _NONE
    refused: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    checkpoint: Checkpoint | None = None
    complete: bool = False
    continued: bool = False

    def refuse(self, reason: str) -> "Turn":
        """This turn, with one more thing not done."""
        return replace(self, refused=(*self.refused, _told(reason)), complete=False)

    def as_json(self) -> dict[str, Any]:
        """The turn as the caller is told of it."""
        return {
            "project": self.project,
            "counts": asdict(self.counts),
            "refused": list(self.refused),
            "complete": self.complete,
            "continued": self.continued,
            "changes": [_entry(change) for change in self.changes[:_SHOWN_CHANGES]],
        }


@dataclass(slots=True)
class _Run:
    """One invocation. ``refused`` are reasons that belong to no single project; ``left`` are the turns for the next part."""

    id: str
    request: Request
    function: str
    seconds_left: Callable[[], float]
    turns: list[Turn] = field(default_factory=list)
    left: list[Turn] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    record: str | None = None

    def reasons(self) -> list[str]:
        return [*self.refused, *(reason for turn in self.turns for reason in turn.refused)]

    def as_json(self) -> dict[str, Any]:
        return {
            "run_id": self.id,
            "mode": self.request.mode.value,
            "dry_run": self.request.dry_run,
            "projects": [turn.as_json() for turn in self.turns],
            "refused": self.reasons(),
            "record": self.record,
        }


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Reconcile, and tell what came of each project: ``{run_id, mode, dry_run, projects, refused, record}``.

    Raises:
        InvalidInputError: the event can't be read.
        SwitchboardError: a defect; the log has the stack trace.
    """
    run_id = str(context.aws_request_id)
    _logger.start_run(run_id)
    try:
        request = read_request(event)
    except errors.InvalidInputError as error:
        _logger.error("event_failed", error)
        raise errors.InvalidInputError(scrub(str(error))) from None  # the runtime prints it as it is
    _logger.start_run(run_id, correlation_id=request.run_id or run_id)
    function = str(getattr(context, "invoked_function_arn", "") or os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""))
    run = _Run(run_id, request, function, lambda: context.get_remaining_time_in_millis() / 1000)
    try:
        _reconcile(run)
        _end(run)
    except Exception as error:
        _logger.defect("event_failed", error)
        # The runtime prints what leaves the handler, unscrubbed: no text that may hold a piece of an issue.
        raise errors.SwitchboardError(f"the reconciliation could not be done: {type(error).__name__}") from None
    return run.as_json()


def _reconcile(run: _Run) -> None:
    """Give each project its turn while there is time, and leave the others to the next part. The first always has one."""
    projects = run.request.projects
    projects = tuple(dict.fromkeys(_environment.jira_projects)) if projects is None else projects
    if not projects:
        run.refused.append("no project is configured: set jiraProjects, or name one")
        return
    try:
        reconciler = _make_reconciler(run)
    except errors.SwitchboardError as error:
        run.turns = [Turn(project).refuse(f"{project}: {error}") for project in projects]
        return
    for index, project in enumerate(projects):
        sweep = run.request.sweep if index == 0 else None
        if index and run.seconds_left() < RESERVE_SECONDS:
            run.left = [Turn(later) for later in projects[index:]]
            return
        turn = _give_turn(project, sweep, run.request, reconciler)
        _leave_recomputes(turn, run.request)
        if turn.checkpoint is not None:
            run.left = [turn, *(Turn(later) for later in projects[index + 1 :])]
            return
        run.turns.append(turn)


def _make_reconciler(run: _Run) -> Reconciler:
    wanted = {
        "jiraBaseUrl": _environment.jira_base_url,
        "jiraEmail": _environment.jira_email,
        "jiraApiToken": _environment.jira_api_token_arn,
    }
    unset = [name for name, value in wanted.items() if not value]
    if unset:
        raise errors.ConfigurationError(f"Jira is not configured: {', '.join(unset)} not set")
    jira = JiraClient(
        _environment.jira_base_url,
        _environment.jira_email,
        _api_token.current(),
        seconds_left=lambda: run.seconds_left() - CLIENT_RESERVE_SECONDS,
    )
    limit = DeleteLimit.parse(_environment.reconcile_max_deletes)
    return Reconciler(jira, _store, _reader, limit=limit, dry_run=run.request.dry_run, seconds_left=run.seconds_left)


def _give_turn(project: str, sweep: Checkpoint | None, request: Request, reconciler: Reconciler) -> Turn:
    start = sweep or Checkpoint(KeyRange(project))
    try:
        project_key(project)  # a configured one may be none
        if request.mode is Mode.CHANGES:
            return _catch_up(project, request, reconciler)
        return _turn(reconciler.sweep(start), start.counts)
    except errors.SwitchboardError as error:
        return Turn(project).refuse(f"{project}: {error}")
    except Exception as error:
        _logger.defect("project_failed", error, project=project)
        return Turn(project).refuse(
            f"{project}: stopped by a defect ({type(error).__name__}), and what was done is not counted"
        )


def _leave_recomputes(turn: Turn, request: Request) -> None:
    """Have the worker correlate what changed, and after a whole sweep every issue whose correlation is not of its current
    state: that makes good what a queue that was down, or a dead letter, has cost. A failure here costs a recompute."""
    if request.dry_run:
        return
    changed = [change.issue_key for change in turn.changes if change.action != "failed"]
    already = frozenset(changed)
    swept: Iterable[str] = ()
    if request.mode is Mode.FULL and turn.complete:
        key_range = request.sweep.key_range if request.sweep else KeyRange(turn.project)
        stored = _reader.by_project(turn.project, after=key_range.after, through=key_range.through)
        swept = (key for key in _correlations.not_current(stored) if key not in already)
    try:
        left = _work().send_recomputes(itertools.chain(changed, swept))
    except errors.SwitchboardError as error:
        metrics.count(contract.CORRELATION_NOT_QUEUED)
        _logger.error("correlation_not_queued", error, project=turn.project)
        return
    _logger.info("correlation_queued", project=turn.project, issues=left)


def _catch_up(project: str, request: Request, reconciler: Reconciler) -> Turn:
    """Look at the changes since the watermark, and move it on to now if all of them were dealt with."""
    started_at = clock.utc_now()
    turn = _turn(reconciler.catch_up(project, _watermarks.read(project)), _NONE)
    if not turn.complete or request.dry_run:
        return turn
    try:
        _watermarks.advance(project, started_at)
    except errors.SwitchboardError as error:
        return turn.refuse(f"{project}: {error}; the next run looks at these changes again")
    return turn


def _turn(result: Result, before: Counts) -> Turn:
    own = Counts(**{name: number - getattr(before, name) for name, number in asdict(result.counts).items()})
    refused = tuple(_told(reason) for reason in result.refused)
    return Turn(result.project, result.counts, own, refused, result.changes, result.checkpoint, result.complete)


def _end(run: _Run) -> None:
    """Claim the next part, if there is one, then report, then call it."""
    continuations = Continuations(_claims, functools.partial(_invoke, run.function), _logger)
    continuation = _claim_next(run, continuations) if run.left else None
    if continuation is None:
        _report(run)
        return
    try:
        _report(run)
    except Exception:
        continuations.release(continuation)
        raise
    try:
        continuations.start(continuation)
    except errors.SwitchboardError as error:
        _report_not_continued(run, error)


def _claim_next(run: _Run, continuations: Continuations) -> Continuation | None:
    projects = tuple(turn.project for turn in run.left)
    try:
        continuation = continuations.claim(run.request.continued(run.id, projects, run.left[0].checkpoint))
    except errors.SwitchboardError as error:
        run.turns += [turn.refuse(f"{turn.project}: the rest was not done: {error}") for turn in run.left]
        return None
    run.turns += [replace(turn, continued=True) for turn in run.left]
    return continuation


def _report_not_continued(run: _Run, error: errors.SwitchboardError) -> None:
    """Report again, of the turns that were to be continued: the record in full, and of metrics and lines what is new."""
    outcome = "may not be done" if isinstance(error, errors.AmbiguousError) else "was not done"
    ended = [
        replace(turn, continued=False, own_counts=_NONE).refuse(f"{turn.project}: the rest {outcome}: {error}")
        for turn in run.turns
        if turn.continued
    ]
    run.turns = [turn for turn in run.turns if not turn.continued] + ended
    if not run.request.dry_run:
        _store_record(run)
        for turn in ended:
            _measure(turn, run.request)
    for turn in ended:
        _log_refusals(turn, run.request)


def _invoke(function: str, payload: bytes) -> None:
    try:
        _lambda().invoke(FunctionName=function, InvocationType="Event", Payload=payload)
    except (ClientError, BotoCoreError) as error:
        raise aws.translate(error, "call the function again") from None


def _report(run: _Run) -> None:
    """Store the run record, then leave metrics and log lines, since the record may fail. A dry run leaves log lines only."""
    if not run.request.dry_run:
        _store_record(run)
        for turn in run.turns:
            _measure(turn, run.request)
    about = _about(run.request)
    for turn in run.turns:
        changes = [f"{change.action} {change.issue_key}" for change in turn.changes[:_SHOWN_CHANGES]]
        fields = {"project": turn.project, "complete": turn.complete, "continued": turn.continued, "changes": changes}
        counts = {f"issues_{name}": number for name, number in asdict(turn.counts).items()}
        _logger.info("project_reconciled", **fields, **counts, **about)
        _log_refusals(turn, run.request)
    for reason in run.refused:
        _logger.error("reconciliation_refused", reason=reason, **about)
    projects = [turn.project for turn in run.turns]
    _logger.info("reconciliation_done", projects=projects, refused=len(run.reasons()), record=run.record, **about)


def _about(request: Request) -> dict[str, Any]:
    return {"mode": request.mode.value, "dry_run": request.dry_run, "part": request.part}


def _log_refusals(turn: Turn, request: Request) -> None:
    for reason in turn.refused:
        _logger.error("reconciliation_refused", project=turn.project, reason=reason, **_about(request))


def _store_record(run: _Run) -> None:
    issues = [_entry(change) for turn in run.turns for change in turn.changes]
    projects = [
        {"project": turn.project, **asdict(turn.counts), "complete": turn.complete, "continued": turn.continued}
        for turn in run.turns
    ]
    try:
        run.record = _records().write("reconciliation", run.id, issues, projects=projects, refused=run.reasons())
    except errors.SwitchboardError as error:
        reason = f"what was done is not on record: {error}"
        run.turns = [turn.refuse(f"{turn.project}: {reason}") for turn in run.turns]
        run.refused += [] if run.turns else [reason]


def _measure(turn: Turn, request: Request) -> None:
    """Count what this invocation did: what those before it did, they have counted."""
    for name, number in asdict(turn.own_counts).items():
        metrics.count(contract.RECONCILIATION_COUNTS[name], number, project=turn.project)
    if turn.refused:
        metrics.count(contract.RECONCILIATION_REFUSED, len(turn.refused), project=turn.project)
    if request.is_whole and not turn.continued:
        metrics.count(contract.RECONCILIATION_RUN, project=turn.project, mode=request.mode.value)


def _entry(change: Change) -> dict[str, str]:
    entry = {"issue_key": change.issue_key, "action": change.action}
    return {**entry, "reason": _told(change.reason)} if change.reason else entry


def _told(reason: str) -> str:
    """A reason as it leaves the function. Jira's own text may be in it, and who knows what in that."""
    return scrub(reason)[:_MAX_TEXT]


# Clients that a run without changes, which is most of them, does without, made when they are first needed.


@functools.cache
def _lambda() -> Any:
    return aws.make_client("lambda", read_timeout_seconds=10)


@functools.cache
def _work() -> WorkQueue:
    return WorkQueue(Queue(aws.make_client("sqs", read_timeout_seconds=5), _environment.jira_queue_url))


@functools.cache
def _records() -> RunRecords:
    return RunRecords(_s3(), _environment.artifact_bucket_name, git_sha=_environment.git_sha)


gc_tuning.end()
