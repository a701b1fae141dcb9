"""What commands print: results as tables or JSON lines on standard output; progress and notes on standard error."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from lib.platform import clock
from lib.platform.wording import counted

Row = TypeVar("Row")

_FILE_WIDTH = 160
"""Columns of a table that goes to a file or another program: they have no width of their own."""


def out() -> Console:
    """The console of results."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_FILE_WIDTH)


def err() -> Console:
    """The console of progress and notes."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table. The columns ``numbers`` are aligned to the right."""
    made = Table()
    for column in columns:
        made.add_column(column, overflow="fold", justify="right" if column in numbers else "left")
    return made


def show(shown: Table, title: str = "") -> None:
    """Print a table. Its title goes above it, since rich would fold it to the table's width."""
    console = out()
    if title:
        console.print(Text(title, style="bold"))
    console.print(shown)


def show_details(title: str, details: Iterable[tuple[str, object]]) -> None:
    """Print one thing as a table of names and values."""
    shown = table()
    shown.show_header = False
    for name, value in details:
        shown.add_row(name, plain(value))
    show(shown, title)


def show_list(
    found: Iterable[Row],
    noun: str,
    columns: tuple[str, ...],
    cells: Callable[[Row], Iterable[object]],
    to_json: Callable[[Row], Mapping[str, Any]],
    *,
    as_json: bool,
    limit: int | None = None,
    title: str = "",
) -> int:
    """Print up to ``limit`` rows, as JSON lines or as a table, and on standard error how many there are.

    Args:
        found: the rows; no more are read than are printed, and one to see whether there are more.
        noun: names a row, in the singular: "issue".
        columns: the table's headings.
        cells: the table's cells of a row.
        to_json: a row as JSON.
        as_json: print JSON lines.
        limit: the most rows; None for all.
        title: of the table.

    Returns:
        The exit code 0.
    """
    rest = iter(found)
    if as_json:
        for row in islice(rest, limit):
            print_json(to_json(row))
        return 0
    shown = table(*columns)
    for row in islice(rest, limit):
        shown.add_row(*(plain(cell) for cell in cells(row)))
    show(shown, title)
    more = next(rest, None) is not None
    err().print(
        f"Showing {counted(shown.row_count, noun)}; use --limit for more." if more else f"{counted(shown.row_count, noun)}."
    )
    return 0


def plain(value: object) -> Text:
    """A value from outside as text, without control characters that a terminal would obey. None is empty."""
    text = "" if value is None else str(value)
    return Text("".join(character if character.isprintable() else "·" for character in text))


def phoenix(stored: str) -> str:
    """A stored time in Phoenix time."""
    return clock.phoenix(clock.parse(stored))


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    click.echo(json.dumps(value))


@contextmanager
def progress(doing: str, total: int | None) -> Iterator[Callable[[int, str], None]]:
    """A progress bar on standard error, silent if that is not a terminal.

    Args:
        doing: what is in progress: "Deleting".
        total: how much there is to do; None if that is unknown.

    Yields:
        A function that takes how much is done and a note, and updates the bar.
    """
    console = err()
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task(doing, total=total, note="")

    def update(completed: int, note: str) -> None:
        bar.update(task, completed=completed, note=note)

    with bar:
        yield update
