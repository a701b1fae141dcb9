"""Which part of the approvals does what a message of the queue asks."""

from lib.approvals.issue_creation import IssueCreator, Outcome
from lib.approvals.messages import AnswerClick, CreateIssue, LookForMarker, Message, PostPreview, UpdatePreview
from lib.approvals.preview_posting import PreviewPoster


class ApprovalWorker:
    """The approvals' part of the worker.

    Args:
        creator: talks to Jira.
        poster: talks to Slack.
    """

    def __init__(self, *, creator: IssueCreator, poster: PreviewPoster) -> None:
        self._creator = creator
        self._poster = poster

    def handle(self, message: Message) -> Outcome | None:
        """Do what ``message`` asks; what became of the issue, where it is about one.

        Raises:
            SwitchboardError: it could not be done now. The message must come again, and does no harm if it does.
        """
        match message:
            case CreateIssue() | LookForMarker():
                return self._creator.advance(message)
            case PostPreview():
                self._poster.post(message)
            case UpdatePreview():
                self._poster.update(message)
            case AnswerClick():
                self._poster.answer(message)
        return None
