"""The files that are imported: a catalogue of products with 12 columns of all types. The same arguments give the same bytes.

One description in seven has quotes and a comma, some texts are not ASCII, and some cells are empty. One row in 5,000 breaks a
rule, the rules in turn. The keys are in no order.
"""

import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

#: Name, type, whether each row needs a value, and the longest text.
COLUMNS = (
    ("sku", "STRING", True, 200),
    ("title", "STRING", True, 200),
    ("description", "STRING", False, 200),
    ("price", "DECIMAL", False, None),
    ("stock", "INTEGER", False, None),
    ("active", "BOOLEAN", False, None),
    ("created", "DATE", False, None),
    ("updated", "DATETIME", False, None),
    ("vendor", "STRING", False, 200),
    ("tags", "STRING", False, 200),
    ("weight", "DECIMAL", False, None),
    ("barcode", "INTEGER", False, None),
)
ROWS = 436_594
INVALID_EVERY = 5_000
CHANGED_EVERY = 20
"""In a file with changes, one row in so many has another price and stock."""

_WORDS = ("tea", "mug", "cup", "kettle", "leaf", "green", "black", "oolong", "set", "gift", "box", "large", "crème", "steel")
_TITLES = [" ".join(words) for words in itertools.product(_WORDS, repeat=4)]
_DESCRIPTIONS = [f"{' '.join(words)} {' '.join(reversed(words))}" for words in itertools.product(_WORDS, repeat=3)]
_DAYS = [(date(2024, 1, 1) + timedelta(days)).isoformat() for days in range(701)]
_INVALID = {"title": "", "price": "12.5O", "stock": "1.5", "active": "maybe", "created": "2026-02-30", "updated": "yesterday"}
_PRIME = 7_368_787
"""Larger than any number of rows here, so that its multiples, modulo that number, are all of them in another order."""


def write(path: Path, rows: int = ROWS, *, has_changes: bool = False) -> Path:
    """Write a file with so many rows; with the same keys, and other values in some rows, if it ``has_changes``."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(name for name, *_ in COLUMNS) + "\n")
        file.writelines(_lines(rows, has_changes=has_changes))
    return path


def invalid_rows(rows: int) -> int:
    """How many rows of such a file are invalid."""
    return rows // INVALID_EVERY


def changed_rows(rows: int) -> int:
    """How many rows of such a file with changes are valid and differ from those without."""
    return sum((row + 1) % INVALID_EVERY != 0 for row in range(0, rows, CHANGED_EVERY))


def _lines(rows: int, *, has_changes: bool) -> Iterator[str]:
    titles, descriptions, words, days = _TITLES, _DESCRIPTIONS, _WORDS, _DAYS
    invalid = itertools.cycle(_INVALID.items())
    for row in range(rows):
        change = has_changes and row % CHANGED_EVERY == 0
        is_invalid = (row + 1) % INVALID_EVERY == 0
        mixed = (row + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF  # much the same as random, but fast
        mixed ^= mixed >> 29
        description = descriptions[(mixed >> 7) % len(descriptions)] if row % 11 else ""
        if description and row % 7 == 0 and not is_invalid:
            description = f'"{row % 97} pieces, ""{description}"""'
        active = "false" if row % 3 else "true"
        line = (
            f"sku-{row * _PRIME % rows:08d},{titles[mixed % len(titles)]},{description},"
            f"{(mixed >> 20) % 10_000 + change}.{mixed % 90 + 10},{(mixed >> 40) % 500 + change},{active},"
            f"{days[mixed % 701]},{days[(mixed >> 11) % 701]}T{mixed % 24:02d}:{(mixed >> 9) % 60:02d}:00Z,vendor{row % 50},"
            f"{words[mixed % len(words)]},{mixed % 1000 / 10 if row % 13 else ''},{1_000_000_000_000 + (mixed >> 24)}\n"
        )
        if is_invalid:
            line = _replaced(line, *next(invalid))
        yield line


def _replaced(line: str, name: str, value: str) -> str:
    """A line, in which no cell has quotes, with ``value`` in column ``name``."""
    cells = line.rstrip("\n").split(",")
    return ",".join(value if column == name else cell for cell, (column, *_) in zip(cells, COLUMNS, strict=True)) + "\n"
