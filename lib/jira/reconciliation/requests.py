"""The requests of the reconciliation function: its event, read strictly, and the event of its next part. Pure.

::

    {"mode": "changes"}  {"mode": "full"}             the schedules
    {project?, full?, dry_run?, max_deletes?}         a person; {} is the changes of every configured project
    {"key_range": {project, after?, through?}, dry_run?, max_deletes?}    a person who splits a sweep
    {"checkpoint": {...}}                             the function itself, with the rest of its work
"""

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from typing import Any

from lib.jira.issues import is_issue_key, project_key
from lib.jira.reconciliation.checkpoint import MAX_CANDIDATES, Checkpoint
from lib.jira.reconciliation.merge import KeyRange
from lib.platform import errors
from lib.platform.fields import (
    require_flag,
    require_integer,
    require_list,
    require_members,
    require_object,
    require_text,
)

MAX_PARTS = 1_000
"""A run with more invocations is stopped: at 14 minutes each it takes days, and Jira's listing does not end."""

MAX_EVENT_BYTES = 1_000_000
"""Lambda takes 1 MB in an asynchronous call (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). A
checkpoint with 1,000 candidates has about 250 kB, and at most half of the limit."""

_MAX_RUN_ID = 100

_MAX_COUNT = 10**18


class Mode(enum.StrEnum):
    """What is reconciled: recent changes, or everything."""

    CHANGES = "changes"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Request:
    """One reconciliation.

    Attributes:
        mode: what is reconciled.
        dry_run: count only, write nothing.
        projects: the projects in their order; None for every configured one.
        sweep: the progress in the first of them, or the range of it to sweep; None for a whole sweep.
        run_id: of the first invocation; empty in that one.
        part: the number of this invocation, from 1.
        max_deletes: how many issues this run may delete, instead of the configured limit; None for that.
    """

    mode: Mode = Mode.CHANGES
    dry_run: bool = False
    projects: tuple[str, ...] | None = None
    sweep: Checkpoint | None = None
    run_id: str = ""
    part: int = 1
    max_deletes: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is for whole projects, not for a range of one."""
        return self.sweep is None or self.sweep.key_range == KeyRange(self.sweep.key_range.project)

    def continued(self, run_id: str, projects: tuple[str, ...], sweep: Checkpoint | None) -> "Request":
        """The request for the rest: ``projects``, with the progress ``sweep`` in the first one.

        ``run_id`` is the id of this invocation; later parts keep the id of the first one.

        Raises:
            PermanentError: there were too many parts already.
        """
        if self.part >= MAX_PARTS:
            raise errors.PermanentError(f"the run did not end after {MAX_PARTS} invocations")
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
        InvalidInputError: the event has none of the forms above, an unknown key, or a value of the wrong type.
    """
    value = require_object(event, "the event")
    if "checkpoint" in value:
        require_members(value, {"checkpoint"}, name="the event")
        return _read_own(value["checkpoint"])
    if "key_range" in value:
        require_members(value, {"key_range"}, {"dry_run", "max_deletes"}, name="the event")
        key_range = _read_range(value["key_range"])
        sweep = Checkpoint(key_range)
        return Request(Mode.FULL, _flag(value, "dry_run"), (key_range.project,), sweep, max_deletes=_max_deletes(value))
    require_members(value, (), {"mode", "project", "full", "dry_run", "max_deletes"}, name="the event")
    if "mode" in value and "full" in value:
        raise errors.InvalidInputError("mode and full mean the same: give only one of them")
    full = _flag(value, "full")
    mode = _mode(value["mode"]) if "mode" in value else (Mode.FULL if full else Mode.CHANGES)
    projects = (_project(value["project"]),) if "project" in value else None
    max_deletes = _max_deletes(value)
    if max_deletes is not None and (mode is not Mode.FULL or projects is None):
        raise errors.InvalidInputError("max_deletes is for the full sweep of one project")
    return Request(mode, _flag(value, "dry_run"), projects, max_deletes=max_deletes)


def _read_own(checkpoint: object) -> Request:
    value = require_members(checkpoint, {field.name for field in dataclass_fields(Request)}, name="checkpoint")
    keys = tuple(_project(key) for key in require_list(value["projects"], "projects of the checkpoint"))
    if not keys:
        raise errors.InvalidInputError("projects of the checkpoint is empty")
    run_id, part = require_text(value["run_id"], "run_id"), _count(value["part"], "part")
    if len(run_id) > _MAX_RUN_ID:
        raise errors.InvalidInputError("run_id of the checkpoint is too long")
    sweep = None if value["sweep"] is None else _read_sweep(value["sweep"])
    if sweep is not None and sweep.key_range.project != keys[0]:
        raise errors.InvalidInputError("the checkpoint's sweep is not of its first project")
    return Request(_mode(value["mode"]), _flag(value, "dry_run"), keys, sweep, run_id, part, _max_deletes(value))


def _read_sweep(value: object) -> Checkpoint:
    sweep = Checkpoint.from_json(require_object(value, "sweep"))
    numbers = (sweep.position, sweep.stored, sweep.missing, sweep.unreadable, sweep.unidentified, sweep.pages)
    candidates = (*sweep.candidates, *(gone.candidate for gone in sweep.gone))
    stamps = [candidate.stamp for candidate in candidates]
    times = (*(stamp.event_at for stamp in stamps), *(gone.seen_at for gone in sweep.gone))
    for number in (*numbers, *asdict(sweep.counts).values(), *times):
        _count(number, "a number of the checkpoint")
    for text in (text for stamp in stamps for text in (stamp.version_at, stamp.idempotency_key)):
        require_text(text, "a stamp of the checkpoint")
    if not (
        all(isinstance(candidate.issue_id, str | None) for candidate in candidates)
        and all(is_issue_key(candidate.issue_key) for candidate in candidates)
        and all(gone.moved_to is None or is_issue_key(gone.moved_to) for gone in sweep.gone)
        and isinstance(sweep.token, str | None)
        and isinstance(sweep.listed, bool)
    ):
        raise errors.InvalidInputError("the checkpoint has a value of the wrong type")
    return replace(sweep, key_range=_read_range(asdict(sweep.key_range)))


def _read_range(value: object) -> KeyRange:
    given = require_members(value, {"project"}, {"after", "through"}, name="key_range")
    after = _count(given.get("after", 0), "after of key_range")
    through = None if given.get("through") is None else _count(given["through"], "through of key_range")
    if through is not None and through <= after:
        raise errors.InvalidInputError(f"key_range is empty: through {through} is not greater than after {after}")
    return KeyRange(_project(given["project"]), after, through)


def _max_deletes(value: Mapping[str, Any]) -> int | None:
    given = value.get("max_deletes")
    return None if given is None else require_integer(given, "max_deletes", least=0, most=MAX_CANDIDATES)


def _flag(value: Mapping[str, Any], name: str) -> bool:
    return require_flag(value.get(name, False), name)


def _count(value: object, name: str) -> int:
    return require_integer(value, name, least=0, most=_MAX_COUNT)


def _mode(value: object) -> Mode:
    try:
        return Mode(value)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        raise errors.InvalidInputError(f"mode is one of {', '.join(Mode)}") from None


def _project(value: object) -> str:
    return project_key(require_text(value, "a project key"))
