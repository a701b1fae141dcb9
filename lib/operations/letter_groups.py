"""Dead letters by reason, and what each is about. Pure."""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lib.operations.redrive import Held
from lib.platform import errors
from lib.platform.log import scrub
from lib.shuttle.jobs.messages import read_jobs

_VARIABLE = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|\b[0-9a-f]{12,}\b"  # a hash
    r"|\b[A-Z][A-Z0-9_]+-\d+\b"  # an issue key
    r"|\d+(?:[.,:]\d+)*",
    re.IGNORECASE,
)
"""What differs between two letters that failed for the same reason."""


class About(StrEnum):
    """What the id of a :class:`Subject` names."""

    EVENT = "event"
    ISSUE = "issue"
    SESSION = "session"
    JOB = "job"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a payload is about.

    Attributes:
        kind: as its sender names it: ``LeaseApproved``, ``create_issue``, ``jira``, ``export``, ``sweep``.
        about: what ``id`` names.
        id: of it; empty if it has none.
        shop: of a job.
    """

    kind: str
    about: About = About.OTHER
    id: str = ""
    shop: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Letters of one function that failed for the same reason, in the order given.

    Attributes:
        key: finds the group again while its reason is the same.
        function: the entry point.
        reason: of its first letter.
        letters: at least one.
    """

    key: str
    function: str
    reason: str
    letters: tuple[Held, ...]


def group_by_reason(letters: Iterable[Held]) -> list[Group]:
    """The letters by function and reason, the largest group first. Ids and numbers in a reason make no difference."""
    groups: dict[str, list[Held]] = {}
    for each in letters:
        text = f"{each.function}\n{_VARIABLE.sub('…', each.reason)}"
        groups.setdefault(hashlib.sha256(text.encode()).hexdigest()[:12], []).append(each)
    found = [Group(key, some[0].function, some[0].reason, tuple(some)) for key, some in groups.items()]
    return sorted(found, key=lambda group: -len(group.letters))


def subject_of(payload: str) -> Subject:
    """What a payload of any of the queues is about, without personal data."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        value = None
    found = _subject(value, payload) if isinstance(value, dict) else None
    return found or Subject("unknown")


def _subject(value: Mapping[str, Any], payload: str) -> Subject | None:
    if "detail-type" in value:
        return Subject(_text(value["detail-type"]), About.EVENT, _text(value.get("id")))
    kind = _text(value.get("kind"))
    if kind and "session_id" in value:
        return Subject(kind, About.SESSION, _text(value["session_id"]))
    if kind:
        return Subject(kind, About.ISSUE, _issue_of(value))
    if "mode" in value:
        return Subject(_text(value["mode"]))
    with contextlib.suppress(errors.InvalidInputError):
        for job in read_jobs(payload):
            return Subject(job.kind.value.lower(), About.JOB, _text(job.job_id), _text(job.shop_domain))
    return None


def _issue_of(task: Mapping[str, Any]) -> str:
    """The first issue of a task of the Jira worker."""
    fetch = task.get("fetch")
    lists = [fetch.get("issues") if isinstance(fetch, dict) else None, task.get("touched")]
    return next((_text(each[0]) for each in lists if isinstance(each, list) and each), "")


def _text(value: Any) -> str:
    return scrub(value)[:200] if isinstance(value, str) else ""
