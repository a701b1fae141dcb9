"""How commands speak: results as tables or JSON lines on standard output, progress and remarks on standard error."""

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from lib.platform import clock

_WIDTH_OF_A_FILE = 160
"""Columns of a table that goes to a file or another program, which have no width."""


def out() -> Console:
    """The console of results."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_FILE)


def err() -> Console:
    """The console of progress and remarks."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table. ``numbers`` are the columns that hold some."""
    made = Table()
    for column in columns:
        made.add_column(column, overflow="fold", justify="right" if column in numbers else "left")
    return made


def show(shown: Table, title: str) -> None:
    """Print a table as a result. Its title stands above it, since rich would fold it to the table's width."""
    console = out()
    console.print(Text(title, style="bold"))
    console.print(shown)


def plain(value: object) -> Text:
    """A text from outside, with nothing in it that a terminal would obey."""
    return Text("".join(character if character.isprintable() else "·" for character in str(value)))


def when(canonical: str) -> str:
    """A stored time as people read it: in Phoenix."""
    return clock.phoenix(clock.parse(canonical))


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object, on one line."""
    click.echo(json.dumps(value))


def progress() -> Progress:
    """A progress bar on standard error; silent if that is no terminal."""
    console = err()
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
