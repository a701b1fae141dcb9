"""Wording of counts in texts for people."""

_PLURALS = {
    "acceptance criterion": "acceptance criteria",
    "delivery": "deliveries",
    "entry": "entries",
    "query": "queries",
    "search": "searches",
}


def counted(number: int, noun: str) -> str:
    """The number with its noun, which is given in the singular: "1 shop", "0 shops", "1,200 rows"."""
    return f"{number:,} {noun if number == 1 else _PLURALS.get(noun, f'{noun}s')}"
