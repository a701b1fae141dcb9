"""How urgent an alarm is, and who is notified: ``alarmEmail`` and ``alarmTargets``."""

import dataclasses
import enum
import hashlib
from collections.abc import Iterable
from typing import Self


class Severity(enum.StrEnum):
    """How fast a person should react. Each severity has its own topic."""

    PAGE = "page"
    """Now, at any hour: something is lost, or waits until a person acts."""

    TICKET = "ticket"
    """On the next working day: Switchboard works, or repairs itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Who is notified of the alarms of a severity.

    Attributes:
        severity: of these alarms.
        protocol: SNS's name: ``email``, ``https``, or ``http`` for a server on this machine.
        endpoint: an e-mail address or a URL. The URL of an on-call service contains its key.
    """

    severity: Severity
    protocol: str
    endpoint: str

    @property
    def logical_name(self) -> str:
        """Stays the same when other targets come and go, so that nobody has to confirm a subscription again."""
        return f"alarms-{self.severity}-{hashlib.sha256(self.endpoint.encode()).hexdigest()[:12]}"

    @classmethod
    def of(cls, entry: str) -> list[Self]:
        """The targets of an entry of ``alarmTargets``, which may begin with ``page:`` or ``ticket:``: one for each severity."""
        severities, endpoint = split(entry)
        protocol, is_url, _ = endpoint.partition("://")
        return [cls(severity, protocol if is_url else "email", endpoint) for severity in severities]


def split(entry: str) -> tuple[tuple[Severity, ...], str]:
    """The severities that an entry of ``alarmTargets`` wants, and its endpoint."""
    prefix, _, endpoint = entry.partition(":")
    return ((Severity(prefix),), endpoint) if prefix in list(Severity) else (tuple(Severity), entry)


def targets_of(entries: Iterable[str]) -> list[Target]:
    """The targets of entries, each once."""
    return list(dict.fromkeys(target for entry in entries for target in Target.of(entry)))
