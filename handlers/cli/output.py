"""What commands print: results as tables or JSON lines on standard output; progress and notes on standard error.

A line is broken between words only: an id, a key or a heading is never cut or split. A table that does not fit is printed as
one block per row.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import click
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from lib.platform import clock
from lib.platform.wording import counted

Row = TypeVar("Row")

_FILE_WIDTH = 160
"""Columns of a table that goes to a file or another program: they have no width of their own, unless COLUMNS is set."""

_LEAST_TEXT_COLUMNS = 16
"""A column of sentences is not made narrower than this."""


def out() -> Console:
    """The console of results."""
    environ = _environment()
    console = Console(highlight=False, soft_wrap=True, _environ=environ)
    if console.is_terminal or "COLUMNS" in environ:
        return console
    return Console(highlight=False, soft_wrap=True, width=_FILE_WIDTH)


def err() -> Console:
    """The console of progress and notes."""
    return Console(stderr=True, highlight=False, soft_wrap=True, _environ=_environment())


def _environment() -> dict[str, str]:
    """The environment without a COLUMNS that is not a width: with 0, rich prints nothing."""
    is_width = re.fullmatch(r"0*[1-9][0-9]{0,4}", os.environ.get("COLUMNS", ""), re.ASCII)
    return {name: value for name, value in os.environ.items() if name != "COLUMNS" or is_width}


def table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table. The columns ``numbers`` are aligned to the right."""
    made = Table()
    for column in columns:
        made.add_column(column, overflow="fold", justify="right" if column in numbers else "left")
    return made


def show(shown: Table, title: str = "") -> None:
    """Print a table; as one block per row if it is wider than the terminal. Its title goes above it."""
    console = out()
    if title:
        console.print(Text(title, style="bold"))
    rows = list(zip(*([_as_text(cell) for cell in column.cells] for column in shown.columns), strict=True))
    names = [str(column.header) for column in shown.columns]
    frame = 3 * len(shown.columns) + 1
    widths = _fit([[Text(name), *cells] for name, *cells in zip(names, *rows, strict=True)], console.width - frame)
    if widths is not None:
        for column, width in zip(shown.columns, widths, strict=True):
            column.width = width
        console.print(shown, soft_wrap=False)
    elif shown.show_header:
        for number, row in enumerate(rows):
            if number:
                console.print()
            _show_block(console, [(Text(name), value) for name, value in zip(names, row, strict=True)])
    else:
        _show_block(console, rows)


def _fit(columns: list[list[Text]], width: int) -> list[int] | None:
    """The width of each column, so that they add up to ``width`` and no word is broken; None if that is impossible.

    The first text of a column is its heading, which stays on one line.
    """
    natural = [max(text.cell_len for text in column) for column in columns]
    least = [
        max(min(most, _LEAST_TEXT_COLUMNS), column[0].cell_len, *(_longest_word(text) for text in column))
        for column, most in zip(columns, natural, strict=True)
    ]
    left = width - sum(least)
    if left < 0:
        return None
    fitted = list(least)
    for index in sorted(range(len(columns)), key=lambda index: natural[index] - least[index]):
        given = min(natural[index] - least[index], left)
        fitted[index] += given
        left -= given
    return fitted


def _longest_word(text: Text) -> int:
    return max((cell_len(word) for word in text.plain.split()), default=0)


def _show_block(console: Console, rows: Iterable[Iterable[Text]]) -> None:
    """Print names and values, one pair per line. A long value continues below its beginning."""
    pairs = [(name, value) for name, value in rows if value.plain]
    indent = max((name.cell_len for name, _ in pairs), default=0) + 2
    for name, value in pairs:
        for number, line in enumerate(_wrap(value, max(console.width - indent, _LEAST_TEXT_COLUMNS))):
            console.print(Text.assemble((f"{'' if number else name.plain:<{indent}}", "bold"), line))


def show_entry(at: str, level: str, source: str, text: str) -> None:
    """Print something that happened: one line, or on a terminal as many as it needs, broken between words."""
    console = out()
    style = "bold red" if level in ("ERROR", "CRITICAL") else "yellow" if level == "WARNING" else ""
    head = [(f"{at} ", "dim"), (f"{level} ", style) if level else "", f"{source}: "]
    whole = Text.assemble(*head, plain(text))
    for number, line in enumerate(_wrap(whole, console.width - 4) if console.is_terminal else [whole]):
        console.print(Text("    " if number else "") + line)


def _wrap(text: Text, width: int) -> list[Text]:
    """The text in lines of ``width``, broken between words only: rich would break or cut a long word."""
    breaks, used = [], 0
    for word in re.finditer(r"\S+\s*", text.plain):
        if used and used + cell_len(word[0].rstrip()) > width:
            breaks.append(word.start())
            used = 0
        used += cell_len(word[0])
    lines = list(text.divide(breaks))
    for line in lines:
        line.rstrip()
    return lines


def _as_text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))


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
    if shown.row_count:
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
