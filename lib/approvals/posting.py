"""Slack's side of an approval: the preview posted once, kept true, and an answer to each click.

Slack's posts have no idempotency key, so they are sent under a claim, and after a crash at the wrong moment one may appear
twice. That is harmless: the buttons of both carry the same draft, and the first decision wins. Nothing here touches Jira or
the state of a session.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lib import errors, log
from lib.approvals import preview, records
from lib.approvals.messages import AnswerClick, PostPreview, UpdatePreview
from lib.approvals.preview import Block, Preview
from lib.approvals.records import OperationStatus, View
from lib.approvals.store import ApprovalStore
from lib.claims import Claims, Verdict

_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Posted:
    """A message as Slack names it. ``channel`` is an ID even if it was posted to a name."""

    channel: str
    ts: str


class Chat(Protocol):
    """Slack, as far as previews need it. Every method raises SwitchboardError: retryable, permanent or ambiguous."""

    def post(self, channel: str, message: Preview, *, thread_ts: str = "") -> Posted:
        """Post a message, into a thread if one is named."""

    def update(self, posted: Posted, message: Preview) -> None:
        """Make a message another. Raises NotFoundError if it is gone."""

    def respond(self, response_url: str, text: str, blocks: Sequence[Block]) -> None:
        """Answer one person by their click's URL. Raises NotFoundError if that is used up."""

    def post_ephemeral(self, channel: str, user: str, text: str, blocks: Sequence[Block]) -> None:
        """Tell one person something in a channel they are in."""


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
    ) -> None:
        self._store = store
        self._claims = claims
        self._chat = chat
        self._channel = channel
        self._jira_base_url = jira_base_url
        self._logger = logger
        self._new_owner = new_owner

    def post(self, message: PostPreview) -> None:
        """Post the draft's preview if it is current and not posted.

        Raises:
            SwitchboardError: the table or Slack can't be reached or refuses, or another attempt is at it. The message must
                come again.
        """
        view = self._store.read(message.session_id, message.draft_hash)
        shown = preview.render(view, self._jira_base_url)
        if view.draft is None or shown is None:
            return
        posted_now = False
        if not view.draft.preview_ts and view.is_current:
            channel = view.draft.draft.channel or self._channel
            posted_now = self._once(view, records.POST_PREVIEW, lambda: self._post_and_remember(view, channel, shown))
        # What one of before shows is not known: a draft that is submitted again heals it.
        view = self._keep_true(message.session_id, message.draft_hash, shown if posted_now else None)
        if message.again:
            self._point_out_duplicate(view)

    def update(self, message: UpdatePreview) -> None:
        """Make the draft's preview show what is true now, and confirm in its thread once the issue exists.

        A preview that is not posted yet will be true when it is.

        Raises:
            SwitchboardError: the table or Slack can't be reached or refuses. The message must come again.
        """
        view = self._keep_true(message.session_id, message.draft_hash, None)
        draft, operation = view.draft, view.operation
        if draft is None or operation is None or operation.status is not OperationStatus.DONE or not draft.preview_ts:
            return
        text = preview.confirmation(draft.draft, operation, self._jira_base_url)
        self._once(view, records.CONFIRM, lambda: self._post_in_thread(view, text))

    def answer(self, message: AnswerClick) -> None:
        """Tell one person what came of their click. If nothing reaches them any more, it is logged and done.

        Raises:
            SwitchboardError: Slack can't be reached. The message must come again.
        """
        blocks: list[Block] = []
        if message.show_current:
            current = self._store.read_current(message.session_id)
            shown = preview.render(current, self._jira_base_url) if current is not None else None
            blocks = [preview.text_block(message.text), *shown.blocks] if shown is not None else []
        try:
            self._answer(message, blocks)
        except errors.PermanentError as error:
            self._logger.warning("click_not_answered", session_id=message.session_id, error=type(error).__name__)

    def _answer(self, message: AnswerClick, blocks: Sequence[Block]) -> None:
        if message.response_url:
            try:
                self._chat.respond(message.response_url, message.text, blocks)
            except errors.NotFoundError:
                pass  # used up or too old: the API is the other way
            else:
                return
        if message.channel:
            self._chat.post_ephemeral(message.channel, message.user, message.text, blocks)

    def _keep_true(self, session_id: str, draft_hash: str, shown: Preview | None) -> View:
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
                return view
            shown = due
        return view

    def _point_out_duplicate(self, view: View) -> None:
        draft, operation = view.draft, view.operation
        if draft is None or operation is None or operation.status is not OperationStatus.DONE or not draft.preview_ts:
            return
        text = preview.duplicate(draft.draft, operation, self._jira_base_url)
        self._once(view, records.POINT_OUT_DUPLICATE, lambda: self._post_in_thread(view, text))

    def _post_and_remember(self, view: View, channel: str, shown: Preview) -> None:
        posted = self._chat.post(channel, shown)
        self._store.set_preview(view.session_id, view.draft_hash, posted.channel, posted.ts)

    def _post_in_thread(self, view: View, text: Preview) -> None:
        if view.draft is not None:
            self._chat.post(view.draft.preview_channel, text, thread_ts=view.draft.preview_ts)

    def _once(self, view: View, operation: str, do: Callable[[], None]) -> bool:
        """Do it, unless it was done before; whether it was done now."""
        claim = self._claims.claim(view.session_id, records.operation_key(view.draft_hash, operation), self._new_owner())
        if claim.verdict is Verdict.DONE:
            return False
        if claim.verdict is Verdict.HELD:
            raise errors.UnavailableError(f"another attempt is at {operation} of session {view.session_id}")
        try:
            do()
        except errors.SwitchboardError as error:
            self._claims.release(claim, type(error).__name__)
            raise
        self._claims.complete(claim)
        return True
