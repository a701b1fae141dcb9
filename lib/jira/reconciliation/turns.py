"""The result of one invocation of a reconciliation: a turn for each project. Pure."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from lib.jira.reconciliation.checkpoint import Change, Checkpoint, Counts, Result
from lib.jira.reconciliation.requests import Request
from lib.platform.log import scrub

MAX_SHOWN_CHANGES = 100
"""Of a project, in the answer and in its log line."""

_MAX_REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Turn:
    """The result of one project in this invocation.

    Attributes:
        project: its key.
        counts: of this invocation and the earlier ones of the run.
        own_counts: of this invocation.
        refused: what was not done, and why.
        changes: of this invocation, the first 1,000.
        checkpoint: where to continue, if there was no time for the rest.
        complete: whether everything was processed, and nothing refused or failed that another run may fix.
        continued: whether another invocation goes on with it.
    """

    project: str
    counts: Counts = field(default_factory=Counts)
    own_counts: Counts = field(default_factory=Counts)
    refused: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    checkpoint: Checkpoint | None = None
    complete: bool = False
    continued: bool = False

    @classmethod
    def of(cls, result: Result, before: Counts) -> "Turn":
        """The turn with this ``result``. ``before`` are the counts of earlier invocations."""
        own = Counts(**{name: number - getattr(before, name) for name, number in asdict(result.counts).items()})
        refused = tuple(map(_shortened, result.refused))
        return cls(result.project, result.counts, own, refused, result.changes, result.checkpoint, result.complete)

    def refuse(self, reason: str) -> "Turn":
        """This turn, with one more thing not done."""
        return replace(self, refused=(*self.refused, _shortened(reason)), complete=False)

    def entries(self) -> list[dict[str, str]]:
        """Its changes as JSON values."""
        return [
            {"issue_key": change.issue_key, "action": change.action}
            | ({"reason": _shortened(change.reason)} if change.reason else {})
            for change in self.changes
        ]

    def to_json(self) -> dict[str, Any]:
        """The turn in the function's answer."""
        return {
            "project": self.project,
            "counts": asdict(self.counts),
            "refused": list(self.refused),
            "complete": self.complete,
            "continued": self.continued,
            "changes": self.entries()[:MAX_SHOWN_CHANGES],
        }


@dataclass(slots=True)
class Run:
    """One invocation while it runs.

    ``left`` are the turns for the next part, ``refused`` the reasons that belong to no single project, and ``record`` is the
    name of the run record.
    """

    id: str
    request: Request
    seconds_left: Callable[[], float]
    turns: list[Turn] = field(default_factory=list)
    left: list[Turn] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    record: str | None = None

    def reasons(self) -> list[str]:
        """Everything that was refused."""
        return [*self.refused, *(reason for turn in self.turns for reason in turn.refused)]

    def to_json(self) -> dict[str, Any]:
        """The function's answer."""
        return {
            "run_id": self.id,
            "mode": self.request.mode.value,
            "dry_run": self.request.dry_run,
            "projects": [turn.to_json() for turn in self.turns],
            "refused": self.reasons(),
            "record": self.record,
        }


def _shortened(reason: str) -> str:
    """A reason as it leaves the function: it may hold Jira's own text, and that anything."""
    return scrub(reason)[:_MAX_REASON_CHARACTERS]
