"""The demo's terminal: headings, tables, progress, and the results of its checks."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import track
from rich.table import Table
from rich.text import Text

from stack.local.cloud import LocalCloud

Item = TypeVar("Item")

NEXT_STEPS = """\
Try next:
  make demo FULL=1        every table and every notification
  make dev > ready.json   keep the local cloud running; in another terminal:
  .venv/bin/python -m handlers.cli --outputs ready.json health
  docs/quickstart.md      send events, webhooks, drafts and files of your own"""


class Stage:
    """Prints the demo. ``full`` adds the details that :meth:`detail` leaves out otherwise."""

    def __init__(self, console: Console, *, full: bool = False) -> None:
        self.console = console
        self._full = full
        self._checks: list[tuple[bool, str]] = []

    def play(self, cloud: LocalCloud, name: str, flow: "Callable[[LocalCloud, Stage], None]") -> None:
        """Play a flow. If it raises, a check fails, and the next flow can begin."""
        try:
            flow(cloud, self)
        except Exception:
            self.console.print_exception(max_frames=4)
            self.check(False, f"{name}: the flow was played to its end")

    def heading(self, text: str) -> None:
        """Begin a part of a flow."""
        self.console.print()
        self.console.rule(Text(text, "bold"), align="left")

    def say(self, text: str, style: str = "") -> None:
        """Print a line."""
        self.show(Text(text, style))

    def show(self, shown: RenderableType) -> None:
        """Print a table, a panel or a text, indented."""
        self.console.print(Padding(shown, (0, 0, 0, 2), expand=False))

    def detail(self, *shown: RenderableType) -> None:
        """The same, in the full demo only."""
        if self._full:
            for each in shown:
                self.show(each)

    def check(self, passed: bool, statement: str) -> None:
        """Show whether a statement is true; if not, the demo fails."""
        self._checks.append((passed, statement))
        self.show(Text.assemble(("✓ ", "green"), statement) if passed else Text(f"✗ {statement}", "bold red"))

    def steps(self, items: list[Item], doing: str) -> Iterable[Item]:
        """The items, with a progress bar on a terminal."""
        return track(items, doing, console=self.console, transient=True, disable=not self.console.is_terminal)

    @contextlib.contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Show that work is in progress: a spinner on a terminal, a line elsewhere."""
        if self.console.is_terminal:
            with self.console.status(text):
                yield
        else:
            self.say(text)
            yield

    def close(self) -> int:
        """Print the result and what to try next; the exit code, 0 if every check passed."""
        failed = sum(not passed for passed, _ in self._checks)
        self.console.print()
        if failed:
            self.console.rule(f"[bold red]{failed} of {len(self._checks)} checks failed")
            return 1
        self.console.rule(f"[bold green]All {len(self._checks)} checks passed")
        self.console.print(NEXT_STEPS)
        return 0


def table(*columns: str) -> Table:
    """An empty table without a frame."""
    return Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed (nearest rank); NaN, which keeps no limit, without values."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def plot(values: list[float], buckets: int = 8, width: int = 40) -> list[str]:
    """A histogram in text, one line per bucket."""
    if not values:
        return []
    low, high = min(values), max(values)
    step = (high - low) / buckets or 1.0
    counts = [0] * buckets
    for value in values:
        counts[min(buckets - 1, int((value - low) / step))] += 1
    return [
        f"{low + index * step:7.1f} ms │{'█' * round(width * count / max(counts))}{' ' if count else ''}{count or ''}"
        for index, count in enumerate(counts)
    ]
