"""Slack's side of an approval: the preview posted once, kept true, and an answer to each click.

A preview is posted without buttons, then the replies in its thread that show the rest of the draft. Each is recorded before
the next one is posted, and the buttons appear once the last one is: whoever can click can read the whole draft, and a
preview that is not recorded has no buttons.

Slack's posts have no idempotency key, so they are sent under a claim, and after a crash between a post and its record one may
appear twice. Nothing here touches Jira, and of a session's state only whether its draft could be shown.
"""

import secrets
import time
from collections.abc import Callable
from typing import Protocol

from lib.approvals import preview, records
from lib.approvals.drafts import Draft
from lib.approvals.messages import AnswerClick, PostPreview, UpdatePreview
from lib.approvals.records import OperationStatus, SessionState, StoredDraft, View
from lib.approvals.repository import ApprovalStore
from lib.platform import errors, log
from lib.platform.claims import Claim, Claims, Verdict
from lib.slack.blocks import Posted, SlackMessage

SECONDS_A_MESSAGE = 1.0
"""Slack takes about one message a second in a channel."""

_ROUNDS = 5


class Chat(Protocol):
    """Slack, as far as previews need it. Every method raises SwitchboardError: retryable, permanent or ambiguous."""

    def post(self, channel: str, message: SlackMessage, *, thread_ts: str = "") -> Posted:
        """Post a message, into a thread if one is named."""

    def update(self, posted: Posted, message: SlackMessage) -> None:
        """Make a message another. Raises NotFoundError if it is gone."""

    def respond(self, response_url: str, text: str) -> None:
        """Answer one person by their click's URL. Raises NotFoundError if that is used up."""

    def post_ephemeral(self, channel: str, user: str, text: str) -> None:
        """Tell one person something in a channel they are in."""


class _PreviewRefusedError(Exception):
    """Slack refuses a message of the preview, and would refuse it again."""

    def __init__(self, cause: errors.PermanentError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class PreviewPoster:
    """Keeps previews true.

    Args:
        store: sessions, drafts and decisions.
        claims: on the same table; their lease must be longer than the function can run.
        chat: Slack.
        channel: where previews go whose draft names no channel.
        jira_base_url: where people see issues; may be empty.
        logger: of the function.
        new_owner: makes a name that no other attempt has.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        *,
        store: ApprovalStore,
        claims: Claims,
        chat: Chat,
        channel: str,
        jira_base_url: str,
        logger: log.Logger,
        new_owner: Callable[[], str] = lambda: secrets.token_hex(16),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._claims = claims
        self._chat = chat
        self._channel = channel
        self._jira_base_url = jira_base_url
        self._logger = logger
        self._new_owner = new_owner
        self._sleep = sleep

    def post(self, message: PostPreview) -> None:
        """Post the draft's preview and its thread if the draft is current and they are not posted or were deleted.

        If Slack refuses the preview, the reason is recorded with the draft.

        Raises:
            SwitchboardError: the table or Slack can't be reached, Slack refuses the token or the configured channel, or
                another attempt is at it. The message must come again.
        """
        view = self._show(message.session_id, message.draft_hash)
        if view.draft is not None and view.draft.preview_number and not view.draft.preview_ts:
            view = self._show(message.session_id, message.draft_hash)  # it was deleted
        if message.again:
            self._point_out_duplicate(view)

    def _show(self, session_id: str, draft_hash: str) -> View:
        view = self._store.read(session_id, draft_hash)
        if view.draft is None:
            return view
        shown = None
        if view.is_current and not view.draft.is_shown:
            try:
                shown = self._post_whole(view)
            except _PreviewRefusedError as refused:
                self._refuse(view, view.draft.draft, refused.cause)
                view = self._store.read(session_id, draft_hash)
                if view.is_current:
                    return view
        # What an earlier preview shows is not known: submitting the draft again updates it.
        return self._sync_preview(session_id, draft_hash, shown)

    def update(self, message: UpdatePreview) -> None:
        """Make the draft's preview show what is true now, and confirm in its thread once the issue exists.

        A preview that is not posted yet will be true when it is.

        Raises:
            SwitchboardError: the table or Slack can't be reached or refuses. The message must come again.
        """
        view = self._sync_preview(message.session_id, message.draft_hash, None)
        draft, operation = view.draft, view.operation
        if draft is None or operation is None or operation.status is not OperationStatus.DONE or not draft.preview_ts:
            return
        text = preview.confirmation(draft.draft, operation, self._jira_base_url)
        self._once(view, records.CONFIRM, lambda _: self._post_in_thread(view, text))

    def answer(self, message: AnswerClick) -> None:
        """Tell one person what came of their click. If nothing reaches them any more, it is logged and done.

        Raises:
            SwitchboardError: Slack can't be reached. The message must come again.
        """
        try:
            self._answer(message)
        except errors.PermanentError as error:
            self._logger.warning("click_not_answered", session_id=message.session_id, error=type(error).__name__)

    def _answer(self, message: AnswerClick) -> None:
        if message.response_url:
            try:
                self._chat.respond(message.response_url, message.text)
            except errors.NotFoundError:
                pass  # used up or too old: the API is the other way
            else:
                return
        if message.channel:
            self._chat.post_ephemeral(message.channel, message.user, message.text)

    def _sync_preview(self, session_id: str, draft_hash: str, shown: SlackMessage | None) -> View:
        """Update the message until it shows what a reading after the update says: two updates that overtake each other end
        in the later state, whichever arrives last."""
        for _ in range(_ROUNDS):
            view = self._store.read(session_id, draft_hash)
            due = preview.render(view, self._jira_base_url)
            if view.draft is None or due is None or not view.draft.preview_ts or due == shown:
                return view
            try:
                self._chat.update(Posted(view.draft.preview_channel, view.draft.preview_ts), due)
            except errors.NotFoundError:
                self._logger.warning("preview_gone", session_id=session_id, draft_hash=draft_hash)
                return self._forget(view, view.draft)
            shown = due
        return view

    def _point_out_duplicate(self, view: View) -> None:
        draft, operation = view.draft, view.operation
        if draft is None or operation is None or operation.status is not OperationStatus.DONE or not draft.preview_ts:
            return
        text = preview.duplicate(draft.draft, operation, self._jira_base_url)
        self._once(view, records.POINT_OUT_DUPLICATE, lambda _: self._post_in_thread(view, text))

    def _forget(self, view: View, draft: StoredDraft) -> View:
        """Forget a deleted preview if the draft still waits: the next message about it posts another."""
        if view.approval is not None or not view.is_current:
            return view
        self._store.forget_preview(view.session_id, view.draft_hash, draft.preview_ts)
        return self._store.read(view.session_id, view.draft_hash)

    def _post_whole(self, view: View) -> SlackMessage | None:
        """Post what is missing of the preview and its thread; what the preview shows then, if it was posted now."""
        operation = records.POST_PREVIEW
        if view.draft is not None and view.draft.preview_number:
            operation += f"#{view.draft.preview_number + 1}"
        shown: list[SlackMessage] = []
        if not self._once(view, operation, lambda claim: shown.extend(self._post_missing(view, operation, claim))):
            return self._replace_unrecorded(view)
        return shown[0] if shown else None

    def _replace_unrecorded(self, posted: View) -> SlackMessage | None:
        """Post another preview where an earlier version of Switchboard posted one: it did not record that the preview shows
        the whole draft, so its buttons do not count."""
        view = self._store.read(posted.session_id, posted.draft_hash)
        if view.draft is None or view.draft.is_shown or posted.draft is None:
            return None
        if view.draft.preview_number != posted.draft.preview_number:
            return None  # another attempt is posting
        if not self._store.forget_preview(view.session_id, view.draft_hash, view.draft.preview_ts):
            return None
        return self._post_whole(self._store.read(view.session_id, view.draft_hash))

    def _refuse(self, view: View, draft: Draft, error: errors.PermanentError) -> None:
        self._logger.error("preview_refused", error, session_id=view.session_id, draft_hash=view.draft_hash)
        self._store.fail_preview(view.session_id, view.draft_hash, str(error))
        if isinstance(error, errors.CredentialRefusedError) or not draft.channel:
            raise error  # it is our own settings: the message becomes a dead letter, and its alarm goes off

    def _post_missing(self, view: View, operation: str, claim: Claim) -> list[SlackMessage]:
        session_id, draft_hash = view.session_id, view.draft_hash
        draft, replies = self._store.preview_progress(session_id, draft_hash, operation)
        if draft is None or draft.is_shown:
            return []
        shown: list[SlackMessage] = []
        place = Posted(draft.preview_channel, draft.preview_ts)
        if not place.ts:
            shown.append(preview.waiting(draft))
            place = self._send(draft.draft.channel or self._channel, shown[0])
            if not self._store.set_preview(session_id, draft_hash, place.channel, place.ts):
                raise errors.UnavailableError(f"another attempt has posted the preview of session {session_id}")
        for number, reply in enumerate(preview.thread(draft.draft)[replies:], start=replies + 1):
            self._sleep(SECONDS_A_MESSAGE)
            self._reply(view, place, reply)
            if not self._store.count_replies(session_id, draft_hash, operation, claim.owner, number):
                raise errors.UnavailableError(f"another attempt posts the preview of session {session_id}")
        failed = records.state_of(draft, None, None) is SessionState.FAILED
        self._store.open_preview(session_id, draft_hash, place.channel, place.ts, failed=failed)
        return shown

    def _reply(self, view: View, place: Posted, reply: SlackMessage) -> None:
        try:
            self._send(place.channel, reply, thread_ts=place.ts)
        except _PreviewRefusedError as refused:
            gone = isinstance(refused.cause, errors.NotFoundError)
            if gone and self._store.forget_preview(view.session_id, view.draft_hash, place.ts):
                raise errors.UnavailableError(f"the preview of session {view.session_id} was deleted") from None
            raise

    def _send(self, channel: str, message: SlackMessage, *, thread_ts: str = "") -> Posted:
        try:
            return self._chat.post(channel, message, thread_ts=thread_ts)
        except errors.PermanentError as error:
            raise _PreviewRefusedError(error) from error

    def _post_in_thread(self, view: View, text: SlackMessage) -> None:
        if view.draft is not None:
            self._chat.post(view.draft.preview_channel, text, thread_ts=view.draft.preview_ts)

    def _once(self, view: View, operation: str, do: Callable[[Claim], None]) -> bool:
        """Do it, unless it was done before: then False."""
        claim = self._claims.claim(view.session_id, records.operation_key(view.draft_hash, operation), self._new_owner())
        if claim.verdict is Verdict.DONE:
            return False
        if claim.verdict is Verdict.HELD:
            raise errors.UnavailableError(f"another attempt is at {operation} of session {view.session_id}")
        try:
            do(claim)
        except (errors.SwitchboardError, _PreviewRefusedError) as error:
            self._claims.release(claim, str(error))
            raise
        self._claims.complete(claim)
        return True
