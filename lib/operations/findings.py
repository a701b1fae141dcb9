"""The findings of ``status`` and of the console's Home: what was checked, and whether it needs a person."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lib.platform.wording import counted


class Verdict(enum.StrEnum):
    """Whether something needs a person."""

    OK = "ok"
    ATTENTION = "attention"
    UNKNOWN = "unknown"
    """It could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        part: ``alarms``, ``dead letters``, ``queues``, ``schedules``, ``drafts``, ``jobs``, ``projects`` or ``health``.
        verdict: whether it needs a person.
        text: what was found, for people; no secret and no e-mail address.
        command: the first command to run; empty if there is none.
        values: the numbers and names behind the text. Times are datetimes.
    """

    part: str
    verdict: Verdict
    text: str
    command: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Status:
    """All findings, and when they were made."""

    at: datetime
    findings: tuple[Finding, ...]

    @property
    def needs_person(self) -> bool:
        """Whether anything needs a person, or could not be read."""
        return any(finding.verdict is not Verdict.OK for finding in self.findings)


def duration(length: timedelta) -> str:
    """A length of time in its largest unit: "3 minutes", "26 hours", "4 days"."""
    seconds = max(int(length.total_seconds()), 0)
    if seconds < 120:
        return counted(seconds, "second")
    if seconds < 2 * 3600:
        return counted(seconds // 60, "minute")
    return counted(seconds // 3600, "hour") if seconds < 48 * 3600 else counted(seconds // 86400, "day")
