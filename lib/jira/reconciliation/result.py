"""The result of a project in one invocation, and the whole of the invocation. Pure."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from lib.jira.reconciliation.checkpoint import Checkpoint, Counts
from lib.jira.reconciliation.requests import Request
from lib.platform.log import scrub

MAX_SHOWN_CHANGES = 100
"""The most changes of a project that the answer and the log line show."""

_MAX_REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Change:
    """An issue and its outcome: ``created``, ``updated``, ``deleted`` or ``failed``."""

    issue_key: str
    action: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one project in one invocation.

    Attributes:
        project: its key.
        counts: of this invocation and the earlier ones of the run.
        before: of the earlier ones.
        refused: what was not done, and why.
        changes: of this invocation, the first 1,000.
        checkpoint: where to continue; None if nothing is left.
        unreadable: how many of the failed issues another run can't fix.
        unidentified: how many of those are entries of Jira's listing without an issue key.
        missing: the first issues that Jira lacks, if a limit stopped their deletion.
        continued: whether another invocation continues with it.
    """

    project: str
    counts: Counts = field(default_factory=Counts)
    before: Counts = field(default_factory=Counts)
    refused: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    checkpoint: Checkpoint | None = None
    unreadable: int = 0
    unidentified: int = 0
    missing: tuple[str, ...] = ()
    continued: bool = False

    @property
    def complete(self) -> bool:
        """Whether everything was processed, and nothing refused or failed that another run may fix."""
        done = self.checkpoint is None and not self.continued
        return done and not self.refused and self.counts.failed == self.unreadable

    @property
    def own_counts(self) -> Counts:
        """The counts of this invocation."""
        return self.counts.minus(self.before)

    def refuse(self, reason: str) -> "Result":
        """This result, with one more thing not done: ``reason`` says what and why."""
        return replace(self, refused=(*self.refused, _shortened(f"{self.project}: {reason}")))

    def entries(self) -> list[dict[str, str]]:
        """The changes as JSON values."""
        return [
            {"issue_key": change.issue_key, "action": change.action}
            | ({"reason": _shortened(change.reason)} if change.reason else {})
            for change in self.changes
        ]

    def to_json(self) -> dict[str, Any]:
        """The project in the function's answer."""
        return {
            "project": self.project,
            "counts": asdict(self.counts),
            "refused": list(self.refused),
            "complete": self.complete,
            "continued": self.continued,
            "changes": self.entries()[:MAX_SHOWN_CHANGES],
            "unidentified": self.unidentified,
            "missing": list(self.missing),
        }


@dataclass(slots=True)
class Run:
    """One invocation while it runs.

    ``function`` is what to invoke for the next part and ``left`` its projects. ``refused`` are the reasons that belong to no
    single project, and ``record`` is the name of the run record.
    """

    id: str
    request: Request
    function: str
    seconds_left: Callable[[], float]
    results: list[Result] = field(default_factory=list)
    left: list[Result] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    record: str | None = None

    def reasons(self) -> list[str]:
        """Everything that was refused."""
        return [*self.refused, *(reason for result in self.results for reason in result.refused)]

    def to_json(self) -> dict[str, Any]:
        """The function's answer."""
        return {
            "run_id": self.id,
            "mode": self.request.mode.value,
            "dry_run": self.request.dry_run,
            "max_deletes": self.request.max_deletes,
            "projects": [result.to_json() for result in self.results],
            "refused": self.reasons(),
            "record": self.record,
        }


def _shortened(reason: str) -> str:
    """A reason as it leaves the function: it may contain any text of Jira's."""
    return scrub(reason)[:_MAX_REASON_CHARACTERS]
