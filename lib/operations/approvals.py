"""Lists drafts by state, with their requesters and approvers, for ``approvals list`` and ``show``. For ``operations list``,
the audit trail of the drafts whose state changed in a period.

The sessions of a state are read from an index (docs/adr/0046), the one longest in it first, and checked against their rows,
since an index may lag. Nothing is scanned.
"""

import enum
import heapq
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from lib.approvals import records
from lib.approvals.issue_tracker import marker_of
from lib.approvals.operations import JiraOperationStore
from lib.approvals.records import Operation, Session, SessionState, StoredDraft, View
from lib.approvals.repository import ApprovalStore
from lib.approvals.rules import Rules
from lib.operations.paging import PAGE_SIZE, Page, page_of
from lib.platform import clock, errors
from lib.platform.dynamodb import Item, Table
from lib.platform.log import scrub

STUCK_AFTER = timedelta(minutes=30)
"""If nothing is wrong, the issue of an approved draft is created or found within at most 21 minutes."""
_SESSIONS_PER_READ = 25
"""Four rows each: one call of 100."""


class Stage(enum.StrEnum):
    """How far a draft is, in the words of the command line."""

    WAITING = "waiting"
    CREATING = "creating"
    UNKNOWN = "unknown"
    FAILED = "failed"
    DONE = "done"
    REJECTED = "rejected"


_STATES = {
    Stage.WAITING: (SessionState.PREVIEW,),
    Stage.CREATING: (SessionState.APPROVED, SessionState.CREATING),
    Stage.UNKNOWN: (SessionState.UNKNOWN,),
    Stage.FAILED: (SessionState.FAILED,),
    Stage.DONE: (SessionState.CREATED,),
    Stage.REJECTED: (SessionState.REJECTED, SessionState.EXPIRED),
}
_STAGES = {state: stage for stage, states in _STATES.items() for state in states}

OPEN = (Stage.WAITING, Stage.CREATING, Stage.UNKNOWN, Stage.FAILED)
"""The stages in which a draft still needs somebody or something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A session's current draft. Texts are without e-mail addresses and secrets.

    Attributes:
        session_id: of the session.
        draft_hash: of the draft.
        stage: how far it is.
        since: when it entered this stage.
        project, title, requested_by: of the draft.
        preview_url: the preview in Slack, by the link that Slack gave where it did; empty if none is posted.
        may_approve: who may approve it, if it waits; otherwise empty.
        decision: ``approved``, ``rejected`` or ``expired``; empty if nobody has decided.
        decided_by, decided_at: who decided, and when.
        jira_key: of its issue.
        jira_label: the label to search for in Jira.
        reason: why there is no preview or no issue, or why it was rejected; empty if nobody said.
    """

    session_id: str
    draft_hash: str
    stage: Stage
    since: datetime
    project: str = ""
    title: str = ""
    requested_by: str = ""
    preview_url: str = ""
    may_approve: str = ""
    decision: str = ""
    decided_by: str = ""
    decided_at: datetime | None = None
    jira_key: str = ""
    jira_label: str = ""
    reason: str = ""

    def can_retry(self, now: datetime) -> bool:
        """Whether a person should retry it: it has failed, or is stuck."""
        stuck = self.stage in {Stage.CREATING, Stage.UNKNOWN} and now - self.since > STUCK_AFTER
        return stuck or self.stage is Stage.FAILED


def list_approvals(
    table: Table,
    rules: Rules,
    *,
    stages: Collection[Stage] = OPEN,
    older_than: timedelta | None = None,
    newest_first: bool = False,
    cursor: str = "",
    now: clock.Clock = clock.utc_now,
) -> Iterator[Approval]:
    """The drafts in ``stages`` for ``older_than`` or longer, the longest first. Rows are read on demand.

    Args:
        table: the operations table.
        rules: who may approve.
        stages: how far they are.
        older_than: how long they have been in their stage at least; None for any time.
        newest_first: the latest state change first.
        cursor: of a page of :func:`page_of_approvals`, to continue after it.
        now: the clock.

    Raises:
        InvalidInputError: the cursor is malformed.
        SwitchboardError: the table can't be reached or refuses.
    """
    states = [state for stage in dict.fromkeys(stages) for state in _STATES[stage]]
    latest = None if older_than is None else now() - older_than
    after = _read_cursor(cursor) if cursor else None
    since, until = None, latest
    if after is not None and newest_first:
        until = min(filter(None, (after[0], latest)))
    elif after is not None:
        since = after[0]
    store = ApprovalStore(table, now=now)
    if since is not None and until is not None and since > until:
        return
    listed = (store.sessions_in(state, since=since, until=until, newest_first=newest_first) for state in states)
    found = _in_order(heapq.merge(*listed, key=_changed_at, reverse=newest_first), newest_first)
    if after is not None:
        found = itertools.dropwhile(lambda session: not _is_after(session, after, newest_first), found)
    seen: set[str] = set()  # a session that moves on between two queries is in both
    while some := list(itertools.islice(found, _SESSIONS_PER_READ)):
        hints = {session.session_id: session.draft_hash for session in some if session.session_id not in seen}
        seen.update(hints)
        for view in _views(table, store, hints):
            session = view.session
            if session is not None and session.state in states and (latest is None or session.updated_at <= latest):
                yield approval_of(view, rules)


def page_of_approvals(
    table: Table,
    rules: Rules,
    stage: Stage,
    *,
    older_than: timedelta | None = None,
    cursor: str = "",
    size: int = PAGE_SIZE,
    now: clock.Clock = clock.utc_now,
) -> Page[Approval]:
    """A page of the drafts in one stage: of an open one, the longest in it first; of another, the shortest. Errors as above."""
    found = list_approvals(
        table, rules, stages=(stage,), older_than=older_than, newest_first=stage not in OPEN, cursor=cursor, now=now
    )
    return page_of(found, lambda each: f"{clock.canonical(each.since)}~{each.session_id}", size)


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    moment, _, session_id = cursor.partition("~")
    try:
        return clock.parse(moment), session_id
    except ValueError:
        raise errors.InvalidInputError("the cursor of the page is malformed") from None


def _changed_at(session: Session) -> datetime:
    return session.updated_at


def _in_order(sessions: Iterable[Session], newest_first: bool) -> Iterator[Session]:
    """Sessions in time order, and those of the same time in the order of their ids, which the index does not guarantee."""
    for _, same in itertools.groupby(sessions, key=_changed_at):
        yield from sorted(same, key=lambda session: session.session_id, reverse=newest_first)


def _is_after(session: Session, last: tuple[datetime, str], newest_first: bool) -> bool:
    place = (session.updated_at, session.session_id)
    return place < last if newest_first else place > last


def read_approval(table: Table, rules: Rules, session_id: str) -> Approval:
    """The current draft of a session.

    Raises:
        NotFoundError: there is no such session.
        SwitchboardError: the table can't be reached or refuses.
    """
    return approval_of(read_view(table, session_id)[0], rules)


def read_view(table: Table, session_id: str) -> tuple[View, Session]:
    """The rows of the current draft of a session, and the session. It raises as :func:`read_approval` does."""
    view = ApprovalStore(table).read_current(session_id)
    if view is None or view.session is None:
        raise errors.NotFoundError(f"there is no session {session_id[:200]!a}")
    return view, view.session


def list_operations(
    store: ApprovalStore, operations: JiraOperationStore, start: datetime, end: datetime
) -> Iterator[Operation]:
    """The audit trail of every session whose state last changed at ``start`` or later and before ``end``: what happened to
    any of its drafts, at any time. Sessions are in the order of their last change. Rows are read on demand.

    Raises:
        SwitchboardError: the table can't be reached or refuses.
    """
    last = end - timedelta(microseconds=1)
    listed = (store.sessions_in(state, since=start, until=last) for state in SessionState)
    seen: set[str] = set()  # as above
    for session in heapq.merge(*listed, key=lambda session: session.updated_at):
        if session.session_id not in seen:
            seen.add(session.session_id)
            yield from operations.get_session_operations(session.session_id)


def who_may_approve(rules: Rules, requested_by: str) -> str:
    """Who may approve a draft of ``requested_by``, as a phrase."""
    if not rules.approvers:
        return f"everybody who sees the preview{f', except {requested_by}' if rules.require_other_approver else ''}"
    return ", ".join(rules.approvers_of(requested_by)) or "nobody: the only approver requested it"


def preview_url(channel: str, message_ts: str) -> str:
    """The address that opens a message in Slack, in the browser's own workspace. It opens the channel if the message is gone.

    https://docs.slack.dev/interactivity/deep-linking
    """
    return f"https://slack.com/app_redirect?{urlencode({'channel': channel, 'message_ts': message_ts})}"


def _views(table: Table, store: ApprovalStore, hints: Mapping[str, str]) -> Iterator[View]:
    """The views of the current drafts, in order. ``hints`` are sessions with the draft that the index shows: one that has
    another draft by now is read again."""
    keys = [records.row_key(session, key) for session, of_hash in hints.items() for key in records.view_keys(of_hash)]
    rows: dict[str, dict[str, Item]] = {}
    for row in table.batch_get(keys, "read the approvals"):
        rows.setdefault(row["session_id"]["S"], {})[row["operation_key"]["S"]] = row
    for session_id, draft_hash in hints.items():
        view: View | None = records.read_view(session_id, draft_hash, rows.get(session_id, {}))
        if view is not None and view.session is not None and not view.is_current:
            view = store.read_current(session_id)
        if view is not None:
            yield view


def approval_of(view: View, rules: Rules) -> Approval:
    """The approval of a view that has its session."""
    session, stored, decided = view.session, view.draft, view.approval
    assert session is not None  # noqa: S101 - the callers have checked it
    stage = _STAGES[session.state]
    draft = stored.draft if stored else None
    requested_by = draft.requested_by if draft else ""
    return Approval(
        session_id=view.session_id,
        draft_hash=view.draft_hash,
        stage=stage,
        since=session.updated_at,
        project=draft.project if draft else "",
        title=scrub(draft.title) if draft else "",
        requested_by=scrub(requested_by),
        preview_url=_preview_url(stored),
        may_approve=scrub(who_may_approve(rules, requested_by)) if stage is Stage.WAITING else "",
        decision=decided.word if decided else "",
        decided_by=decided.decided_by if decided else "",
        decided_at=decided.at if decided else None,
        jira_key=session.jira_key or "",
        jira_label=marker_of(view.session_id, view.draft_hash).label,
        reason=scrub(view.failure or (decided.reason if decided else "")),
    )


def _preview_url(stored: StoredDraft | None) -> str:
    if stored is None or not (stored.preview_channel and stored.preview_ts):
        return ""
    return stored.preview_link or preview_url(stored.preview_channel, stored.preview_ts)
