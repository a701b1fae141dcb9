"""What the senders know: each request, how often it was sent, and how each attempt was answered."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

WEBHOOK, COMMENT, PUSH = "Jira webhook", "Jira comment", "Git push"
POSTED, PUT = "lease event over HTTP", "lease event on the bus"
DRAFT, CLICK = "draft", "click"
SHUTTLE = "Shuttle request"
FORGED = "wrong signature"

PATIENT = (1.0, 2.0, 4.0, 8.0, 16.0, *(30.0,) * 8)
"""Pauses of a sender that tries again for four minutes, which is longer than any fault."""
JIRA_WAITS = (1.0, 3.0, 9.0, 20.0)
"""Jira sends a webhook five times; its own pauses are minutes. What it gives up, reconciliation has to find."""
_MOST_TEXT = 1_000

Job = Callable[[], float | None]
"""Work that returns after how many seconds it wants to be called again; None if it is done."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: when it began (seconds since the start), how long it took, and the answer. Without one, the status is 0."""

    at: float
    seconds: float
    status: int
    text: str

    @property
    def accepted(self) -> bool:
        """Whether the sender may forget it."""
        return 200 <= self.status < 300


@dataclass(slots=True)
class Sent:
    """One request. ``facts`` are what the checks need to know about it."""

    kind: str
    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether one of the attempts was accepted."""
        return any(attempt.accepted for attempt in self.attempts)

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON of the first accepted answer; empty if there is none."""
        texts = (attempt.text for attempt in self.attempts if attempt.accepted)
        try:
            found = json.loads(next(texts, "{}"))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def overlaps(self, start: float, end: float) -> bool:
        """Whether it was under way at some time between two times."""
        return bool(self.attempts) and self.attempts[0].at <= end and self.attempts[-1].at + self.attempts[-1].seconds >= start


class History:
    """Everything that was sent. Threads may add to it."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._sent: list[Sent] = []

    def restart(self) -> None:
        """Count the time from now on."""
        self._began = time.monotonic()

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def add(self, kind: str, name: str, **facts: Any) -> Sent:
        """A request that is about to be sent."""
        sent = Sent(kind, name, facts)
        with self._lock:
            self._sent.append(sent)
        return sent

    def of(self, *kinds: str) -> list[Sent]:
        """The requests of these kinds; without kinds, all."""
        with self._lock:
            return [sent for sent in self._sent if not kinds or sent.kind in kinds]

    def attempt(self, sent: Sent, send: Callable[[], requests.Response]) -> requests.Response | None:
        """Send a request once, and keep the answer; None if there was none."""
        began = self.now()
        answer: requests.Response | None = None
        try:
            answer = send()
        except requests.RequestException as error:
            status, text = 0, repr(error)
        else:
            status, text = answer.status_code, answer.text
        sent.attempts.append(Attempt(began, self.now() - began, status, text[:_MOST_TEXT]))
        return answer

    def delivery(
        self,
        sent: Sent,
        send: Callable[[], requests.Response],
        waits: Sequence[float] = PATIENT,
        then: Callable[[requests.Response], None] | None = None,
    ) -> Job:
        """The job that sends a request until an answer is neither an error of the server nor missing, or ``waits`` are over.

        ``then`` gets an accepted answer.
        """
        pauses: Iterator[float] = iter(waits)

        def job() -> float | None:
            answer = self.attempt(sent, send)
            if answer is None or answer.status_code >= 500 or answer.status_code == 429:
                return next(pauses, None)
            if then is not None and answer.ok:
                then(answer)
            return None

        return job
