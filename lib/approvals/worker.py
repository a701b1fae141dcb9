"""The approvals' part of the Jira worker: the one place that talks to Slack about drafts, and that creates issues in Jira.

Its parts are made for each message, because a claim must outlast the invocation that made it: a claim holds for the remaining
time of the invocation, and a minute more. Jira's client is made only for a message about an issue.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lib.approvals import messages
from lib.approvals.issue_creation import IssueCreator, Outcome
from lib.approvals.issue_tracker import DryRun, IssueTracker
from lib.approvals.jira_issue_tracker import JiraTracker
from lib.approvals.messages import AnswerClick, CreateIssue, LookForMarker, Message, PostPreview, RemindApprovers, UpdatePreview
from lib.approvals.operations import JiraOperationStore
from lib.approvals.preview_posting import PreviewPoster
from lib.approvals.records import KEEP
from lib.approvals.repository import ApprovalStore, make_table
from lib.approvals.rules import Rules
from lib.platform import aws, contract, errors, metrics
from lib.platform.claims import Claims
from lib.platform.environment.jira_worker import JiraWorkerEnvironment
from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.platform.secrets import Secret
from lib.platform.sqs_batch import Record
from lib.slack.client import SlackClient

if TYPE_CHECKING:
    from lib.jira.client import JiraClient

LEASE_MARGIN = timedelta(seconds=60)
"""How much longer than its invocation a claim holds. One request to create takes less (30 s), so it is never withheld because
the claim ends too soon."""

_RETRY_SECONDS = (10, 60, 300, 900)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalWorker:
    """Works on the messages of the approvals' queue, for all invocations of one process."""

    settings: JiraWorkerEnvironment
    dynamodb: Any
    sqs: Any
    bot_token: Secret
    logger: Logger

    def process(
        self, body: str, *, seconds_left: float, connect: Callable[[], "JiraClient"], sync: Callable[[str], None]
    ) -> None:
        """Process a message.

        Args:
            body: the message.
            seconds_left: of the invocation.
            connect: makes Jira's client; called only for a message that needs Jira.
            sync: stores a created issue in JiraIssues, by its key.

        Raises:
            SwitchboardError: it could not be done now. The message must be received again; that does no harm.
        """
        lease = timedelta(seconds=seconds_left) + LEASE_MARGIN
        outcome = handle(messages.decode(body), *self._make(lease, connect, sync))
        if outcome is not None:
            metrics.count(contract.ISSUE_CREATION, outcome=outcome.value)

    def retry_soon(self, failed: Iterable[Record]) -> None:
        """Make failed messages of the approvals' queue visible again after 10 s, 1, 5 or 15 minutes: people wait.

        The queue's visibility timeout is half an hour. It applies if the queue can't be reached now.
        """
        for record in failed:
            pause = _RETRY_SECONDS[min(max(record.receives, 1), len(_RETRY_SECONDS)) - 1]
            try:
                with aws.translated("shorten the visibility timeout"):
                    self.sqs.change_message_visibility(
                        QueueUrl=self.settings.approval_queue_url,
                        ReceiptHandle=record.receipt_handle,
                        VisibilityTimeout=pause,
                    )
            except errors.SwitchboardError:
                metrics.count(contract.WORKER_FAILURE, kind="visibility_change_failed")

    def _make(
        self, lease: timedelta, connect: Callable[[], "JiraClient"], sync: Callable[[str], None]
    ) -> tuple[IssueCreator, PreviewPoster]:
        settings = self.settings
        table = make_table(self.dynamodb, settings.operations_table_name)
        store = ApprovalStore(table)
        tracker: IssueTracker = JiraTracker(connect)
        creator = IssueCreator(
            store=store,
            operations=JiraOperationStore(table, lease=lease),
            tracker=DryRun(tracker) if settings.jira_dry_run else tracker,
            sync=sync,
            send=messages.sender(Queue(self.sqs, settings.approval_queue_url)),
            logger=self.logger,
        )
        poster = PreviewPoster(
            store=store,
            claims=Claims(self.dynamodb, settings.operations_table_name, lease=lease, keep=KEEP),
            chat=SlackClient(settings.slack_api_url, self.bot_token),
            channel=settings.approvals_channel,
            jira_base_url=settings.jira_base_url,
            rules=Rules.of(settings),
            logger=self.logger,
        )
        return creator, poster


def handle(message: Message, creator: IssueCreator, poster: PreviewPoster) -> Outcome | None:
    """Process ``message``. Returns the outcome for the issue, if the message is about one. Raises as
    :meth:`ApprovalWorker.process`."""
    match message:
        case CreateIssue() | LookForMarker():
            return creator.advance(message)
        case PostPreview():
            poster.post(message)
        case UpdatePreview():
            poster.update(message)
        case RemindApprovers():
            poster.remind(message)
        case AnswerClick():
            poster.answer(message)
    return None
