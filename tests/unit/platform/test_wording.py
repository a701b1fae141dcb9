"""Counts in texts for people."""

import pytest

from lib.platform.wording import counted


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "shop", "0 shops"),
        (1, "shop", "1 shop"),
        (1200, "row", "1,200 rows"),
        (1, "delivery", "1 delivery"),
        (2, "delivery", "2 deliveries"),
    ],
)
def test_the_noun_agrees_with_the_number(number: int, noun: str, text: str) -> None:
    assert counted(number, noun) == text
