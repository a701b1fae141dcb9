"""What the reconciliation function is asked to do: its event, read strictly, and the event by which it goes on. Pure.

::

    {"mode": "changes"}  {"mode": "full"}             the schedules
    {project?, full?, dry_run?}                       a person; {} is the changes of every configured project
    {"key_range": {project, after?, through?}, dry_run?}    a person, who splits a sweep
    {"checkpoint": {...}}                             the function itself, with what it had no time for
"""

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from lib.jira.issues import is_issue_key, project_key
from lib.jira.reconciliation.checkpoint import Checkpoint
from lib.jira.reconciliation.merge import KeyRange
from lib.platform import errors

MAX_PARTS = 1_000
"""A run that is not over after so many invocations is stopped: Jira's listing has no end. At 14 minutes each, that is days."""

MAX_EVENT_BYTES = 1_000_000
"""Lambda takes 1 MB in an asynchronous call (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). A
checkpoint with 1,000 candidates has about 250 kB, and at the most half of this."""

_MAX_RUN_ID = 100

_PERSONS = frozenset({"mode", "project", "full", "dry_run"})
_RANGES = frozenset({"key_range", "dry_run"})
_OWN = frozenset({"mode", "dry_run", "projects", "sweep", "run_id", "part"})


class Mode(enum.StrEnum):
    """What is looked at: what changed lately, or everything."""

    CHANGES = "changes"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Request:
    """One reconciliation.

    Attributes:
        mode: what is looked at.
        dry_run: count only, write nothing.
        projects: the projects, in their turn; None for every configured one.
        sweep: where the first of them stands, or the range of it that is meant; None to sweep it whole.
        run_id: of the invocation that began it; empty in that one.
        part: which invocation this is, from 1.
    """

    mode: Mode = Mode.CHANGES
    dry_run: bool = False
    projects: tuple[str, ...] | None = None
    sweep: Checkpoint | None = None
    run_id: str = ""
    part: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether it is about whole projects, and not about a range of one."""
        return self.sweep is None or self.sweep.key_range == KeyRange(self.sweep.key_range.project)

    def continued(self, run_id: str, projects: tuple[str, ...], sweep: Checkpoint | None) -> "Request":
        """The request that goes on with ``projects``, the first of which stands at ``sweep``.

        ``run_id`` is of the invocation that hands over; the one that began it all counts, if that was another.

        Raises:
            PermanentError: there were too many parts already.
        """
        if self.part >= MAX_PARTS:
            raise errors.PermanentError(f"it is not over after {MAX_PARTS} invocations")
        return replace(self, projects=projects, sweep=sweep, run_id=self.run_id or run_id, part=self.part + 1)

    def to_event(self) -> dict[str, Any]:
        """The event that :func:`read_request` reads as this request."""
        return {"checkpoint": {**asdict(self), "sweep": self.sweep.to_json() if self.sweep else None}}

    def to_payload(self) -> bytes:
        """:meth:`to_event` as an asynchronous call of the function takes it.

        Raises:
            PayloadTooLargeError: it is over :data:`MAX_EVENT_BYTES`.
        """
        payload = json.dumps(self.to_event(), separators=(",", ":")).encode()
        if len(payload) > MAX_EVENT_BYTES:
            raise errors.PayloadTooLargeError(
                f"the checkpoint has {len(payload)} bytes, too many for a call: split the project"
            )
        return payload


def read_request(event: object) -> Request:
    """The request of an event.

    Raises:
        InvalidInputError: the event is of none of the forms above, has a key that none knows, or a value of another type.
    """
    value = _object(event, "the event")
    if "checkpoint" in value:
        _only(value, frozenset({"checkpoint"}))
        return _read_own(_object(value["checkpoint"], "checkpoint"))
    if "key_range" in value:
        _only(value, _RANGES)
        key_range = _read_range(_object(value["key_range"], "key_range"))
        return Request(Mode.FULL, _flag(value, "dry_run"), (key_range.project,), Checkpoint(key_range))
    _only(value, _PERSONS)
    if "mode" in value and "full" in value:
        raise errors.InvalidInputError("mode and full say the same: give one of them")
    full = _flag(value, "full")
    mode = _mode(value["mode"]) if "mode" in value else (Mode.FULL if full else Mode.CHANGES)
    projects = (_project(value["project"]),) if "project" in value else None
    return Request(mode, _flag(value, "dry_run"), projects)


def _read_own(value: Mapping[str, Any]) -> Request:
    _only(value, _OWN)
    missing = _OWN - value.keys()
    if missing:
        raise errors.InvalidInputError(f"the checkpoint has no {sorted(missing)[0]}")
    projects, run_id, part = value["projects"], value["run_id"], value["part"]
    if not isinstance(projects, list) or not projects:
        raise errors.InvalidInputError("projects of the checkpoint is a list of project keys")
    if not isinstance(run_id, str) or len(run_id) > _MAX_RUN_ID or not _is_count(part):
        raise errors.InvalidInputError("run_id or part of the checkpoint has another type")
    keys = tuple(_project(key) for key in projects)
    sweep = None if value["sweep"] is None else _read_sweep(_object(value["sweep"], "sweep"))
    if sweep is not None and sweep.key_range.project != keys[0]:
        raise errors.InvalidInputError("the checkpoint's sweep is not of its first project")
    return Request(_mode(value["mode"]), _flag(value, "dry_run"), keys, sweep, run_id, part)


def _read_sweep(value: Mapping[str, Any]) -> Checkpoint:
    sweep = Checkpoint.from_json(value)
    key_range = _read_range(asdict(sweep.key_range))
    numbers = (sweep.position, sweep.stored, sweep.missing, sweep.unreadable, sweep.unidentified, sweep.pages)
    candidates = (*sweep.candidates, *(gone.candidate for gone in sweep.gone))
    stamps = [candidate.stamp for candidate in candidates]
    texts = [text for stamp in stamps for text in (stamp.version_at, stamp.idempotency_key)]
    if not (
        all(_is_count(number) for number in (*numbers, *asdict(sweep.counts).values()))
        and all(_is_count(number) for number in (*(stamp.event_at for stamp in stamps), *(gone.seen_at for gone in sweep.gone)))
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(candidate.issue_id, str | None) for candidate in candidates)
        and all(is_issue_key(candidate.issue_key) for candidate in candidates)
        and all(gone.moved_to is None or is_issue_key(gone.moved_to) for gone in sweep.gone)
        and isinstance(sweep.token, str | None)
        and isinstance(sweep.listed, bool)
    ):
        raise errors.InvalidInputError("the checkpoint has a value of another type")
    return replace(sweep, key_range=key_range)


def _read_range(value: Mapping[str, Any]) -> KeyRange:
    _only(value, frozenset({"project", "after", "through"}))
    if "project" not in value:
        raise errors.InvalidInputError("key_range names no project")
    after, through = value.get("after", 0), value.get("through")
    if not _is_count(after) or not (through is None or _is_count(through)):
        raise errors.InvalidInputError("after and through of key_range are issue numbers")
    if through is not None and through <= after:
        raise errors.InvalidInputError(f"key_range is empty: through {through} is not behind after {after}")
    return KeyRange(_project(value["project"]), after, through)


def _only(value: Mapping[str, Any], known: frozenset[str]) -> None:
    for name in value:
        if name not in known:
            raise errors.InvalidInputError(f"{str(name)[:40]!a} is not understood here: {', '.join(sorted(known))} are")


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise errors.InvalidInputError(f"{name} is not a JSON object")
    return value


def _flag(value: Mapping[str, Any], name: str) -> bool:
    flag = value.get(name, False)
    if not isinstance(flag, bool):
        raise errors.InvalidInputError(f"{name} is true or false")
    return flag


def _mode(value: object) -> Mode:
    try:
        return Mode(value)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        raise errors.InvalidInputError(f"mode is one of {', '.join(Mode)}") from None


def _project(value: object) -> str:
    if not isinstance(value, str):
        raise errors.InvalidInputError("a project is named by its key, a text")
    return project_key(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
