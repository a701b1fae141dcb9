"""A bot submits drafts, and people decide on them: one person, nobody, or two at once."""

import random
import threading
import time
from typing import Any

import requests

from stack.local.standins.slack_workspace import id_of
from tests.bench.soak.clockwork import Clockwork
from tests.bench.soak.history import CLICK, DRAFT, History, Sent
from tests.bench.soak.load import DRAFTS
from tests.support.approvals.cloud import ADA, CHANNEL, GRACE, ApprovalsCloud, buttons_of

APPROVE, REJECT = "approve_draft", "reject_draft"
PREVIEW_SECONDS = 1_800.0
_LOOKS = 1.0

Clicks = tuple[tuple[str, str], ...]
DECISIONS: tuple[tuple[Clicks, int], ...] = (
    (((ADA, APPROVE),), 45),
    (((GRACE, REJECT),), 15),
    (((ADA, APPROVE), (GRACE, APPROVE)), 15),
    (((ADA, APPROVE), (GRACE, REJECT)), 20),
    ((), 5),
)
"""Who clicks what at once, and of how many drafts in a hundred."""


class Previews:
    """The previews in Slack by the values of their buttons, read at most once per second."""

    def __init__(self, world: ApprovalsCloud) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._read_at = 0.0
        self._found: dict[str, dict[str, Any]] = {}

    def find(self, value: str) -> dict[str, Any] | None:
        """The preview whose buttons have a value; None if there is none, or if it is decided."""
        with self._lock:
            if time.monotonic() - self._read_at > _LOOKS:
                channel = id_of(CHANNEL)
                posts = (post for post in self._world.posts() if post["channel"] == channel and not post.get("thread_ts"))
                self._found = {value: post for post in posts for value in buttons_of(post).values()}
                self._read_at = time.monotonic()
            return self._found.get(value)


class People:
    """Submits drafts, and clicks as soon as a preview has buttons."""

    def __init__(self, world: ApprovalsCloud, history: History, clockwork: Clockwork, seed: int) -> None:
        self._world = world
        self._history = history
        self._clockwork = clockwork
        self._chance = random.Random(seed)
        self._previews = Previews(world)
        self._number = 0

    def draft(self) -> None:
        """Submit a draft; the clicks follow."""
        self._number += 1
        title = f"Soak draft {self._number:05}"
        clicks = self._chance.choices([each for each, _ in DECISIONS], [weight for _, weight in DECISIONS])[0]
        draft = self._world.draft(title=title, project=DRAFTS)
        sent = self._history.add(DRAFT, title, session=draft["session_id"], clicks=clicks)
        send = self._history.delivery(sent, lambda: self._world.submit(draft), then=lambda answer: self._watch(sent, answer))
        self._clockwork.add(send)

    def _watch(self, sent: Sent, answer: requests.Response) -> None:
        value = f"{sent.facts['session']}:{answer.json()['draft_hash']}"
        end = self._history.now() + PREVIEW_SECONDS

        def look() -> float | None:
            preview = self._previews.find(value)
            if preview is None:
                return _LOOKS if self._history.now() < end else None
            sent.facts["shown"] = True
            for user, action in sent.facts["clicks"]:
                self._click(sent, preview, user, action)
            return None

        self._clockwork.add(look, _LOOKS)

    def _click(self, draft: Sent, preview: dict[str, Any], user: str, action: str) -> None:
        payload = self._world.payload(preview, user, action, reason="not_planned" if action == REJECT else "")
        sent = self._history.add(CLICK, f"{action} of {draft.name}", session=draft.facts["session"], action=action)
        self._clockwork.add(self._history.delivery(sent, lambda: self._world.interact(payload)))
