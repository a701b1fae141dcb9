"""The approvals' part of the Jira worker: the one place that talks to Slack about drafts, and creates issues in Jira.

Put together anew for each invocation, since a claim must outlast the invocation that made it: its lease is the time that
the invocation has left, and a minute. Imported by the worker only once a message of the approvals comes; Jira's SDK is
imported only for one that is about an issue.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.approvals import messages
from lib.approvals.issue_creation import IssueCreator
from lib.approvals.issue_tracker import DryRun, FoundIssue, IssueTracker, Marker
from lib.approvals.operations import JiraOperationStore
from lib.approvals.preview_posting import PreviewPoster
from lib.approvals.records import KEEP
from lib.approvals.repository import ApprovalStore
from lib.approvals.worker import ApprovalWorker
from lib.platform import contract, errors, metrics
from lib.platform.claims import Claims
from lib.platform.dynamodb import Table
from lib.platform.environment import JiraWorkerEnvironment
from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.platform.secrets import Secret
from lib.slack.client import SlackClient

LEASE_MARGIN = timedelta(seconds=60)
"""How much longer than its invocation a claim holds. More than one request to create takes (30 s), so that the claim is never
the reason why one does not go out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What lasts from one invocation to the next."""

    environment: JiraWorkerEnvironment
    dynamodb: Any
    sqs: Any
    bot_token: Secret
    api_token: Secret
    logger: Logger


def handle(
    body: str,
    parts: Parts,
    *,
    seconds_left: float,
    connect: Callable[[], IssueTracker],
    sync: Callable[[str], None],
) -> None:
    """Do what a message of the approvals asks.

    Args:
        body: the message.
        parts: clients and settings.
        seconds_left: of the invocation.
        connect: makes the tracker; called only for a message that needs Jira.
        sync: stores a created issue in JiraIssues, by its key.

    Raises:
        SwitchboardError: it could not be done now. The message must come again, and does no harm if it does.
    """
    message = messages.decode(body)
    outcome = _worker(parts, timedelta(seconds=seconds_left) + LEASE_MARGIN, connect, sync).handle(message)
    if outcome is not None:
        metrics.count(contract.ISSUE_CREATION, outcome=outcome.value)


def _worker(parts: Parts, lease: timedelta, connect: Callable[[], IssueTracker], sync: Callable[[str], None]) -> ApprovalWorker:
    environment = parts.environment
    table = Table(
        parts.dynamodb, environment.operations_table_name, on_throttle=lambda: metrics.count(contract.STORE_THROTTLE_RETRY)
    )
    store = ApprovalStore(table)
    tracker: IssueTracker = _PatientTracker(connect, parts.api_token)
    if environment.jira_dry_run:
        tracker = DryRun(tracker)
    creator = IssueCreator(
        store=store,
        operations=JiraOperationStore(table, lease=lease),
        tracker=tracker,
        sync=sync,
        send=messages.sender(Queue(parts.sqs, environment.approval_queue_url)),
        logger=parts.logger,
    )
    poster = PreviewPoster(
        store=store,
        claims=Claims(parts.dynamodb, environment.operations_table_name, lease=lease, keep=KEEP),
        chat=SlackClient(environment.slack_api_url, parts.bot_token),
        channel=environment.approvals_channel,
        jira_base_url=environment.jira_base_url,
        logger=parts.logger,
    )
    return ApprovalWorker(creator=creator, poster=poster)


class _PatientTracker:
    """A tracker that is connected when first needed, and once more if its token turns out to have been rotated.

    Only a search can find that out. One comes before every create, so that a create is never sent twice for it.
    """

    def __init__(self, connect: Callable[[], IssueTracker], token: Secret) -> None:
        self._connect = connect
        self._token = token
        self._connected: IssueTracker | None = None

    def create_issue(self, fields: Mapping[str, Any], marker: Marker) -> str:
        return self._tracker().create_issue(fields, marker)

    def find_by_marker(self, marker: Marker) -> Sequence[FoundIssue]:
        try:
            return self._tracker().find_by_marker(marker)
        except errors.AccessDeniedError:
            if not self._token.refresh():
                raise
        self._connected = None
        return self._tracker().find_by_marker(marker)

    def _tracker(self) -> IssueTracker:
        if self._connected is None:
            self._connected = self._connect()
        return self._connected


def come_back_soon(sqs: Any, queue_url: str, receipt_handle: str, receives: int) -> None:
    """Have a message that failed come again after 10 s, then a minute, then five, and not only when its time is up.

    A message in the worker's hands is hidden for half an hour. If the queue can't be told, that is when it comes again.
    """
    pause = _COME_BACK_SECONDS[min(max(receives, 1), len(_COME_BACK_SECONDS)) - 1]
    try:
        sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=pause)
    except (ClientError, BotoCoreError):
        metrics.count(contract.WORKER_FAILURE, kind="retry_not_hastened")


_COME_BACK_SECONDS = (10, 60, 300, 900)
