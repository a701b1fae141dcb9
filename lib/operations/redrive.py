"""``redrive``: the dead letters of any queues with the reason of each, those that a person chooses, and what is dropped.

The reason is what the letter says; for a message of a work queue, which says nothing, the last error that the function logged
about it. Log searches are bounded: a few hours per letter, and the first letters only.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lib.operations import log_search
from lib.operations.dead_letters import DeadLetter, DeadLetterQueue
from lib.operations.redrive_marks import RedriveMarks
from lib.platform import clock, errors
from lib.platform.log import scrub

MAX_LOG_SEARCHES = 20
"""Letters whose reason is looked up in the log."""
_LOG_BEFORE, _LOG_AFTER = timedelta(hours=3), timedelta(hours=6)
"""A record is written up to hours after the first failure. A work queue's message fails for hours after it was sent."""

FIELDS = ("reason", "queue", "function", "payload")
"""What a filter can name."""


@dataclass(frozen=True, slots=True)
class Held:
    """A dead letter that is hidden from other readers.

    Attributes:
        function: the entry point that failed on it.
        queue: its queue.
        letter: itself.
        reason: why it failed, without personal data.
        redriven_at: when it was sent back before, if it came back.
    """

    function: str
    queue: DeadLetterQueue
    letter: DeadLetter
    reason: str
    redriven_at: datetime | None = None

    @property
    def payload(self) -> str:
        """The whole payload, indented if it is JSON, without addresses and secrets."""
        try:
            text = json.dumps(json.loads(self.letter.payload), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            text = self.letter.payload
        return scrub(text)

    def to_json(self) -> dict[str, Any]:
        """The letter for programs, without addresses and secrets."""
        return {
            "id": self.letter.message_id,
            "function": self.function,
            "queue": self.queue.name,
            "sent_at": clock.phoenix(self.letter.sent_at),
            "reason": self.reason,
            "refused": self.letter.refused,
            "goes_to": "nowhere" if self.letter.refused else self.queue.goes_to,
            "redriven_at": clock.phoenix(self.redriven_at) if self.redriven_at else None,
            "payload": scrub(self.letter.payload),
            "timezone": clock.TIMEZONE,
        }

    def matches(self, filters: Mapping[str, str]) -> bool:
        """Whether each field of :data:`FIELDS` in ``filters`` contains its text, in any case of letters."""
        values = {
            "reason": self.reason,
            "queue": self.queue.name,
            "function": self.function,
            "payload": self.letter.payload,
        }
        return all(text.casefold() in values[name].casefold() for name, text in filters.items())


def read_all(queues: Sequence[tuple[str, DeadLetterQueue]], limit: int, held: list[Held]) -> None:
    """Read up to ``limit`` letters of all queues. They are added to ``held``, so that they can be released after an error."""
    for function, queue in queues:
        letters = queue.read(limit - len(held))
        held += [Held(function, queue, letter, scrub(letter.refused or letter.error), letter.redriven_at) for letter in letters]


def with_marks(held: Iterable[Held], marks: RedriveMarks) -> list[Held]:
    """The letters, with the time at which each event was sent back before."""
    letters = list(held)
    sent = marks.read(each.letter.request_id for each in letters if each.letter.request_id)
    return [dataclasses.replace(each, redriven_at=sent.get(each.letter.request_id) or each.redriven_at) for each in letters]


def with_logged_reasons(held: Iterable[Held], logs: Any, functions: Mapping[str, str]) -> list[Held]:
    """The letters, with the last error that the function logged about each message of a work queue.

    Args:
        held: the letters.
        logs: a client of CloudWatch Logs.
        functions: the Lambda functions by entry point.

    Raises:
        SwitchboardError: the logs can't be read.
    """
    letters = list(held)
    searches = 0
    for position, each in enumerate(letters):
        if each.queue.goes_to != "queue" or each.function not in functions or searches >= MAX_LOG_SEARCHES:
            continue
        searches += 1
        reason = _logged_reason(logs, {each.function: functions[each.function]}, each.letter)
        if reason:
            letters[position] = dataclasses.replace(each, reason=reason)
    return letters


def _logged_reason(logs: Any, function: Mapping[str, str], letter: DeadLetter) -> str:
    since, until = letter.sent_at - _LOG_BEFORE, letter.sent_at + _LOG_AFTER
    try:
        lines = [
            line
            for line in log_search.search(logs, function, letter.message_id, since, until)
            if line.level in ("ERROR", "CRITICAL")
        ]
    except errors.ResourceMissingError:
        return ""  # the function has not logged anything yet
    if not lines:
        return ""
    last = max(lines, key=lambda line: line.at)
    parts = (last.message, last.fields.get("error"), last.fields.get("error_text"))
    return scrub(": ".join(str(part) for part in parts if part))


def write_dropped(path: Path, held: Iterable[Held], now: clock.Clock = clock.utc_now) -> None:
    """Write letters to a new file that only its owner can read, one JSON object per line, complete: nothing is masked.

    Raises:
        InvalidInputError: the file exists or can't be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogatepass") as file:
            for each in held:
                own = {"payload": each.letter.payload, "attributes": _texts_of(each.letter.attributes)}
                file.write(json.dumps(each.to_json() | own | {"dropped_at": clock.phoenix(now())}) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise errors.InvalidInputError(f"could not write {path}: {error.strerror}; nothing was dropped") from None


def _texts_of(attributes: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value.get("StringValue", "")) for name, value in attributes.items()}


def release(held: Iterable[Held]) -> None:
    """Show letters to other readers again. After an error, a letter shows again when its hold is over."""
    for each in held:
        with contextlib.suppress(errors.SwitchboardError):
            each.queue.release(each.letter)
