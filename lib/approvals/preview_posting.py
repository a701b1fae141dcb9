"""Posts each preview once, updates it, and answers clicks in Slack.

A preview is posted without buttons, then the replies in its thread that show the rest of the draft. Each message is recorded
before the next one is posted, and the buttons appear after the last one: whoever can click can read the whole draft, and a
preview that is not recorded has no buttons.

Slack's posts have no idempotency key, so they are sent under a claim; after a crash between a post and its record, a message
may appear twice. Nothing here touches Jira. Of a session's state it only changes whether the draft could be shown.
"""

import re
import secrets
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from lib.approvals import preview, records
from lib.approvals.drafts import Draft
from lib.approvals.messages import AnswerClick, PostPreview, RemindApprovers, UpdatePreview
from lib.approvals.records import OperationStatus, StoredDraft, View
from lib.approvals.repository import ApprovalStore
from lib.approvals.rules import Rules
from lib.platform import errors, log
from lib.platform.claims import Claim, Claims, Verdict
from lib.slack.blocks import Posted, SlackMessage

SECONDS_PER_MESSAGE = 1.0
"""Slack accepts about one message per second in a channel."""

_MAX_UPDATES = 5
_URL = re.compile(r"https?://[^\s<>|]{1,500}")

Result = TypeVar("Result")


class Chat(Protocol):
    """The calls to Slack that previews need. Every method raises SwitchboardError: retryable, permanent or ambiguous."""

    def post(self, channel: str, message: SlackMessage, *, thread_ts: str = "") -> Posted:
        """Post a message, in the thread ``thread_ts`` if it is given."""

    def update(self, posted: Posted, message: SlackMessage) -> None:
        """Replace a message. Raises NotFoundError if it was deleted."""

    def permalink(self, posted: Posted) -> str:
        """The URL of a message, which everybody who may read it can open."""

    def respond(self, response_url: str, text: str) -> None:
        """Answer one person through the click's URL. Raises NotFoundError if it is used up or has expired."""

    def post_ephemeral(self, channel: str, user: str, text: str) -> None:
        """Show a message to one person in a channel."""


class _PreviewRefusedError(Exception):
    """Slack refused a message of the preview, and would refuse it again."""

    def __init__(self, cause: errors.PermanentError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class PreviewPoster:
    """Posts previews and keeps them up to date.

    Every public method raises SwitchboardError if the table or Slack can't be reached or refuses: then the message must be
    received again.

    Args:
        store: sessions, drafts and decisions.
        claims: on the same table; their lease must be longer than the function can run.
        chat: Slack.
        channel: for previews of drafts that name no channel.
        jira_base_url: where people see issues; may be empty.
        rules: who may decide; previews name them.
        logger: of the function.
        new_owner: makes a name that no other attempt has.
        sleep: waits a number of seconds.
    """

    def __init__(
        self,
        *,
        store: ApprovalStore,
        claims: Claims,
        chat: Chat,
        channel: str,
        jira_base_url: str,
        rules: Rules,
        logger: log.Logger,
        new_owner: Callable[[], str] = lambda: secrets.token_hex(16),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._claims = claims
        self._chat = chat
        self._channel = channel
        self._jira_base_url = jira_base_url
        self._rules = rules
        self._logger = logger
        self._new_owner = new_owner
        self._sleep = sleep

    def post(self, message: PostPreview) -> None:
        """Post the draft's preview and its thread if the draft is current and they are not posted or were deleted.

        If Slack refuses the preview, the reason is recorded with the draft; refusing the token or the configured channel is an
        error, too. Also an error: another attempt is posting the preview.
        """
        view = self._show(message.session_id, message.draft_hash)
        if view.draft is not None and view.draft.preview_number and not view.draft.preview_ts:
            view = self._show(message.session_id, message.draft_hash)  # it was deleted
        if message.again and view.draft is not None and view.created is not None:
            reply = preview.duplicate(view.draft.draft, view.created, self._jira_base_url)
            self._reply_once(view, view.draft, records.POINT_OUT_DUPLICATE, reply)

    def _show(self, session_id: str, draft_hash: str) -> View:
        view = self._store.read(session_id, draft_hash)
        if view.draft is None:
            return view
        shown = None
        if view.is_current and view.approval is None and not view.draft.is_shown:
            try:
                shown = self._post_whole(view)
            except _PreviewRefusedError as refused:
                self._refuse(view, view.draft.draft, refused.cause)
                view = self._store.read(session_id, draft_hash)
                if view.is_current:
                    return view
        # What a preview posted before shows is not known: submitting the draft again updates it.
        now = self._sync_preview(session_id, draft_hash, shown)
        if now.is_current and now.session is not None and now.session.replaced_hash:
            self._link_from(session_id, now.session.replaced_hash)
        return now

    def _link_from(self, session_id: str, replaced_hash: str) -> None:
        """Make the preview of the replaced draft link to the current one, which is posted by now."""
        try:
            self._sync_preview(session_id, replaced_hash, None)
        except errors.PermanentError as error:
            # The current preview is posted. The message about the replaced one reports the error.
            self._logger.warning("old_preview_not_linked", session_id=session_id, error=type(error).__name__)

    def update(self, message: UpdatePreview) -> None:
        """Make the draft's preview show its current state, and report in its thread how the draft ended.

        The requester is mentioned: rejected and why, created, or failed; each attempt that fails is reported once.
        """
        self._report(self._sync_preview(message.session_id, message.draft_hash, None))

    def remind(self, message: RemindApprovers) -> None:
        """Remind the approvers in the preview's thread, once, if the draft still waits and can be decided on."""
        view = self._store.read(message.session_id, message.draft_hash)
        if view.draft is not None and view.draft.is_shown and view.is_current and view.approval is None:
            self._reply_once(view, view.draft, records.REMIND, preview.reminder(view.draft.draft, self._rules))

    def answer(self, message: AnswerClick) -> None:
        """Answer one person's click. If the answer can no longer be delivered, that is logged."""
        try:
            self._answer(message)
        except errors.PermanentError as error:
            self._logger.warning("click_not_answered", session_id=message.session_id, error=type(error).__name__)

    def _answer(self, message: AnswerClick) -> None:
        if message.response_url:
            try:
                self._chat.respond(message.response_url, message.text)
            except errors.NotFoundError:
                pass  # use the API instead
            else:
                return
        if message.channel:
            self._chat.post_ephemeral(message.channel, message.user, message.text)

    def _sync_preview(self, session_id: str, draft_hash: str, shown: SlackMessage | None) -> View:
        """Update the message until the rows, read after the update, agree with it: of two concurrent updates, whichever arrives
        last, the message ends in the later state."""
        for _ in range(_MAX_UPDATES):
            view = self._store.read(session_id, draft_hash)
            due = self.render(view)
            if view.draft is None or due is None or not view.draft.preview_ts or due == shown:
                return view
            try:
                self._chat.update(Posted(view.draft.preview_channel, view.draft.preview_ts), due)
            except errors.NotFoundError:
                self._logger.warning("preview_gone", session_id=session_id, draft_hash=draft_hash)
                return self._forget(view, view.draft)
            shown = due
        return view

    def render(self, view: View) -> SlackMessage | None:
        """The draft's preview in its current state; None if the draft does not exist."""
        return preview.render(view, self._jira_base_url, self._rules, self._link_to_current(view))

    def _link_to_current(self, view: View) -> str:
        if view.is_current or view.session is None or view.created is not None:
            return ""
        current = self._store.read_draft(view.session_id, view.session.draft_hash)
        return current.preview_link if current is not None and current.is_shown else ""

    def _report(self, view: View) -> None:
        draft, approval, operation = view.draft, view.approval, view.operation
        if draft is None or approval is None:
            return
        if approval.expired:
            self._reply_once(view, draft, records.REPORT_EXPIRY, preview.expiry(draft.draft))
        elif not approval.approved:
            self._reply_once(view, draft, records.REPORT_REJECTION, preview.rejection(draft.draft, approval))
        elif view.created is not None:
            reply = preview.confirmation(draft.draft, view.created, self._jira_base_url)
            self._reply_once(view, draft, records.CONFIRM, reply)
        elif operation is not None and operation.status is OperationStatus.FAILED:
            name = f"{records.REPORT_FAILURE}#{operation.attempts}"
            self._reply_once(view, draft, name, preview.failure(draft.draft, operation))

    def _reply_once(self, view: View, draft: StoredDraft, operation: str, reply: SlackMessage) -> None:
        """Reply in the preview's thread. If the preview was deleted, there is no thread, and that is logged."""
        if not draft.preview_ts:
            return
        try:
            self._once(view, operation, lambda _: self._chat.post(draft.preview_channel, reply, thread_ts=draft.preview_ts))
        except errors.NotFoundError:
            self._logger.warning("thread_gone", session_id=view.session_id, draft_hash=view.draft_hash, operation=operation)

    def _forget(self, view: View, draft: StoredDraft) -> View:
        """Forget a deleted preview if the draft waits for a decision: the next message about it posts another."""
        if view.approval is not None or not view.is_current:
            return view
        self._store.forget_preview(view.session_id, view.draft_hash, draft.preview_ts)
        return self._store.read(view.session_id, view.draft_hash)

    def _post_whole(self, view: View) -> SlackMessage | None:
        """Post what is missing of the preview and its thread. Returns what the preview shows, if it was posted now."""
        operation = records.POST_PREVIEW
        if view.draft is not None and view.draft.preview_number:
            operation += f"#{view.draft.preview_number + 1}"
        return self._once(view, operation, lambda claim: self._post_missing(view, operation, claim))

    def _refuse(self, view: View, draft: Draft, error: errors.PermanentError) -> None:
        self._logger.error("preview_refused", error, session_id=view.session_id, draft_hash=view.draft_hash)
        self._store.fail_preview(view.session_id, view.draft_hash, str(error))
        if isinstance(error, errors.CredentialRefusedError) or not draft.channel:
            raise error  # the configuration is wrong: the message becomes a dead letter, and an alarm is raised

    def _post_missing(self, view: View, operation: str, claim: Claim) -> SlackMessage | None:
        session_id, draft_hash = view.session_id, view.draft_hash
        draft, replies = self._store.preview_progress(session_id, draft_hash, operation)
        if draft is None or draft.is_shown:
            return None
        shown = None
        place = Posted(draft.preview_channel, draft.preview_ts)
        if not place.ts:
            shown = preview.waiting(draft, self._rules)
            place = self._send(draft.draft.channel or self._channel, shown)
            if not self._store.set_preview(session_id, draft_hash, place.channel, place.ts):
                raise errors.UnavailableError(f"another attempt has posted the preview of session {session_id}")
        for number, reply in enumerate(preview.thread(draft.draft)[replies:], start=replies + 1):
            self._sleep(SECONDS_PER_MESSAGE)
            self._reply(view, place, reply)
            if not self._store.count_replies(session_id, draft_hash, operation, claim.owner, number):
                raise errors.UnavailableError(f"another attempt is posting the preview of session {session_id}")
        self._store.open_preview(session_id, draft_hash, place.channel, place.ts, self._link_of(place))
        return shown

    def _link_of(self, place: Posted) -> str:
        """The preview's URL; empty if Slack doesn't say: a preview without a link to it is better than none."""
        try:
            link = self._chat.permalink(place)
        except errors.SwitchboardError as error:
            self._logger.warning("preview_without_link", error=type(error).__name__)
            return ""
        return link if _URL.fullmatch(link) else ""

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

    def _once(self, view: View, operation: str, do: Callable[[Claim], Result]) -> Result | None:
        """Do it under a claim and return its result; None if it was done before."""
        claim = self._claims.claim(view.session_id, records.operation_key(view.draft_hash, operation), self._new_owner())
        if claim.verdict is Verdict.DONE:
            return None
        if claim.verdict is Verdict.HELD:
            raise errors.UnavailableError(f"another attempt is doing {operation} of session {view.session_id}")
        try:
            result = do(claim)
        except (errors.SwitchboardError, _PreviewRefusedError) as error:
            self._claims.release(claim, str(error))
            raise
        self._claims.complete(claim)
        return result
