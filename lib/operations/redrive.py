"""``redrive``: reads dead letters with their reasons, and sends the chosen ones back or drops them into a file.

The reason is in the letter itself or, for a message of a work queue, the last error that the function logged about it. Log
searches are bounded: a few hours per letter, and the first letters only.

Reading hides letters from other readers. The command line holds them until its user has decided; :class:`LetterBox`, for web
pages that may never be answered, releases them at once and finds the chosen ones again.
"""

import contextlib
import dataclasses
import json
import os
import shlex
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from lib.operations import log_search
from lib.operations.dead_letters import DeadLetter, DeadLetterQueue
from lib.operations.deployed import Deployment
from lib.operations.redrive_marks import RedriveMarks
from lib.platform import clock, errors
from lib.platform.dynamodb import Table
from lib.platform.log import scrub

MAX_LOG_SEARCHES = 20
"""For this many letters, the reason is looked up in the log."""
_LOG_BEFORE, _LOG_AFTER = timedelta(hours=3), timedelta(hours=6)
"""A record is written up to hours after the first failure. A work queue's message fails for hours after it was sent."""

FIELDS = ("reason", "queue", "function", "payload")
"""The fields that a filter can name."""
MOST_READ = 1000
"""The most letters of one queue that are read to find chosen ones again."""
_THREADS = 8


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
    def key(self) -> str:
        """Its queue and its id, to find it again."""
        return f"{self.queue.name}/{self.letter.message_id}"

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
            "received": self.letter.received,
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


def open_queues(deployed: Deployment, names: Iterable[tuple[str, str]]) -> list[tuple[str, DeadLetterQueue]]:
    """The dead-letter queues of these names, each with the entry point of its function.

    Raises:
        SwitchboardError: one does not exist or can't be reached.
    """
    return in_parallel(lambda name: (name[0], open_queue(deployed, *name)), names)


def open_queue(deployed: Deployment, entry_point: str, name: str) -> DeadLetterQueue:
    """One dead-letter queue of a function. Errors as above."""
    function, marks = deployed.function_name(entry_point), _marks(deployed)
    return DeadLetterQueue(deployed.client("sqs"), deployed.client("lambda"), name, function, marks=marks)


def read_all(queues: Sequence[tuple[str, DeadLetterQueue]], limit: int, held: list[Held]) -> None:
    """Read up to ``limit`` letters of all queues. They are added to ``held``, so that they can be released after an error."""
    for function, queue in queues:
        held += held_of(function, queue, queue.read(limit - len(held)))


def held_of(function: str, queue: DeadLetterQueue, letters: Iterable[DeadLetter]) -> list[Held]:
    """The letters, each with its queue and with the reason that it names itself."""
    return [Held(function, queue, each, scrub(each.refused or each.error), each.redriven_at) for each in letters]


def explained(held: Sequence[Held], deployed: Deployment) -> tuple[list[Held], str]:
    """The letters with the reason from the log, and whether each came back; and what could not be read, or an empty text."""
    letters, marks = list(held), _marks(deployed)
    try:
        if letters and marks is not None:
            letters = with_marks(letters, marks)
        if letters:
            letters = with_logged_reasons(letters, deployed.client("logs"), deployed.functions)
    except errors.SwitchboardError as error:
        return letters, f"Not all reasons are known: {error}"
    return letters, ""


def _marks(deployed: Deployment) -> RedriveMarks | None:
    name = deployed.outputs.get("jira_operations_table_name")
    return RedriveMarks(Table(deployed.client("dynamodb"), name)) if isinstance(name, str) and name else None


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
    searched = [
        position for position, each in enumerate(letters) if each.queue.goes_to == "queue" and each.function in functions
    ][:MAX_LOG_SEARCHES]

    def reason_of(position: int) -> str:
        each = letters[position]
        return _logged_reason(logs, {each.function: functions[each.function]}, each.letter)

    for position, reason in zip(searched, in_parallel(reason_of, searched), strict=True):
        if reason:
            letters[position] = dataclasses.replace(letters[position], reason=reason)
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


def dropped_path(now: datetime) -> Path:
    """The file of the letters that are dropped now, in the working directory."""
    return Path(f"dropped-{clock.phoenix(now)[:19].replace(':', '')}.jsonl")


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
    """Make letters visible to other readers. After an error, a letter becomes visible when its hold is over."""
    of_queues: dict[DeadLetterQueue, list[DeadLetter]] = {}
    for each in held:
        of_queues.setdefault(each.queue, []).append(each.letter)
    for queue, letters in of_queues.items():
        with contextlib.suppress(errors.SwitchboardError):
            queue.release(*letters)


def send_back(each: Held) -> None:
    """Send a letter back, as :meth:`DeadLetterQueue.send_back` does."""
    each.queue.send_back(each.letter)


def drop(each: Held) -> None:
    """Delete a letter. Write it to a file before: :func:`write_dropped`."""
    each.queue.drop(each.letter)


def attempt(act: Callable[[Held], None], held: list[Held]) -> Iterator[tuple[Held, str]]:
    """Act on each letter, and take those that succeed out of ``held``. Yields each with the error, or an empty text."""
    for each in list(held):
        try:
            act(each)
        except errors.SwitchboardError as error:
            yield each, str(error)
        else:
            held.remove(each)
            yield each, ""


def selection(function: str | None, letter_id: str | None, filters: Iterable[tuple[str, str]]) -> str:
    """The command that chooses the same letters again, without the program's name."""
    options = {"--function": function, "--id": letter_id}
    chosen = [*((name, value) for name, value in options.items() if value), *(("--where", "=".join(each)) for each in filters)]
    return shlex.join(["redrive", *(part for option in chosen for part in option)])


@dataclass(frozen=True, slots=True)
class Reading:
    """What a letter box had.

    Attributes:
        letters: the newest first; none of them is held.
        has_more: whether a queue has more than was read.
        held: how many others hold, about.
        problem: what could not be read, for people; empty if all was.
    """

    letters: tuple[Held, ...]
    has_more: bool
    held: int
    problem: str


class LetterBox:
    """All dead-letter queues of a deployment, for pages: what is read is released at once.

    Args:
        deployed: the deployment.
    """

    _lock = threading.Lock()  # of this process: two readers would hide letters from each other

    def __init__(self, deployed: Deployment) -> None:
        self._deployed = deployed

    def read(self, limit: int) -> Reading:
        """Up to ``limit`` letters of each queue, with reasons and marks.

        Raises:
            SwitchboardError: a queue can't be read.
        """
        queues = open_queues(self._deployed, self._deployed.dead_letter_queues())
        with self._lock:
            peeks = in_parallel(lambda each: each[1].peek(limit), queues)
        found = [each for queue, (letters, _) in zip(queues, peeks, strict=True) for each in held_of(*queue, letters)]
        shown, problem = explained(sorted(found, key=_newest_first), self._deployed)
        # SQS counts late: a letter that was just released may be counted as hidden.
        held = sum(total - len(letters) for letters, total in peeks if len(letters) < limit)
        return Reading(tuple(shown), any(len(letters) >= limit for letters, _ in peeks), held, problem)

    @contextlib.contextmanager
    def hold(self, keys: Iterable[str]) -> Iterator[list[Held]]:
        """Hold the letters of these keys that are still there. Those that are left in the list are released at the end.

        Raises:
            NotFoundError: a key is not of one of the deployment's queues.
            SwitchboardError: a queue can't be read.
        """
        wanted: dict[str, set[str]] = {}
        for key in keys:
            name, _, message_id = key.partition("/")
            wanted.setdefault(name, set()).add(message_id)
        names = [(of, name) for of, name in self._deployed.dead_letter_queues() if name in wanted]
        if len(names) < len(wanted):
            raise errors.NotFoundError("there is no such dead-letter queue")
        held: list[Held] = []
        with self._lock:
            try:
                for function, queue in open_queues(self._deployed, names):
                    ids = wanted[queue.name]
                    read = held_of(function, queue, queue.read(MOST_READ, at_least=queue.depth().visible, wanted=ids))
                    held += [each for each in read if each.letter.message_id in ids]
                    release(each for each in read if each.letter.message_id not in ids)
                yield held
            finally:
                release(held)


def _newest_first(each: Held) -> tuple[float, str]:
    return -each.letter.sent_at.timestamp(), each.key


Given = TypeVar("Given")
Result = TypeVar("Result")


def in_parallel(function: Callable[[Given], Result], given: Iterable[Given]) -> list[Result]:
    """The results in the order of ``given``. The first error is raised after all calls have ended."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(function, given))
