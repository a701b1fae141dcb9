"""Untrusted values as text for people."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from lib.notifications import values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("  two\n\nlines\tand\x00more  ", "two lines and more"),
        ("evil\u202etxt.exe", "evil txt.exe"),
        ("zero\u200bwidth", "zero width"),
        ("\ud800lone", "lone"),
        ("👩\u200d💻", "👩\u200d💻"),
        (5, "5"),
        (-0.50, "-0.5"),
        (123456789012, "123456789012"),
        (Decimal("1E+3"), "1000"),
        (True, "yes"),
        (False, "no"),
        (None, ""),
        ([], ""),
        ({"a": 1}, ""),
        (float("nan"), ""),
        (float("inf"), ""),
        (10**40, ""),
        (b"bytes", ""),
    ],
)
def test_a_value_is_one_line_of_text(value: Any, text: str) -> None:
    assert values.text(value) == text


def test_a_huge_number_is_omitted() -> None:
    assert values.text(10**5000) == ""
    assert values.amount(10**5000) is None


def test_a_long_value_is_cut_and_marked() -> None:
    assert values.text("x" * 400_000, 10) == "x" * 9 + "…"
    assert values.text("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, Decimal(5)),
        (76.5, Decimal("76.5")),
        (0.1, Decimal("0.1")),
        (Decimal("12.34"), Decimal("12.34")),
        ("12.34", Decimal("12.34")),
        ("-3", Decimal(-3)),
    ],
)
def test_numbers_are_read_exactly(value: Any, number: Decimal) -> None:
    assert values.amount(value) == number


@pytest.mark.parametrize(
    "value", [None, True, "", "much", "1e5", "٣", "1" * 400_000, float("nan"), 10**12, -(10**12), 1e300, Decimal("NaN"), [], {}]
)
def test_a_value_of_absurd_size_is_not_a_number(value: Any) -> None:
    assert values.amount(value) is None


@pytest.mark.parametrize(
    ("dollars", "text"), [("0", "$0.00"), ("1234.5", "$1,234.50"), ("-3", "-$3.00"), ("0.005", "$0.00"), ("101.01", "$101.01")]
)
def test_money(dollars: str, text: str) -> None:
    assert values.money(Decimal(dollars)) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=1, minutes=5), "1 hour 5 minutes"),
        (timedelta(hours=24), "24 hours"),
        (timedelta(hours=48), "48 hours"),
        (timedelta(hours=49), "2 days 1 hour"),
        (timedelta(days=7), "7 days"),
        (timedelta(days=6, hours=23, minutes=59), "6 days 23 hours"),
    ],
)
def test_spans_of_time(duration: timedelta, text: str) -> None:
    assert values.span(duration) == text


@pytest.mark.parametrize(
    ("given", "text"), [(168, "7 days"), ("24", "24 hours"), (0.5, "30 minutes"), (0, ""), (-1, ""), (10**9, ""), (None, "")]
)
def test_hours(given: Any, text: str) -> None:
    assert values.hours(given) == text


@pytest.mark.parametrize("address", ["a@example.org", "o'brien+x@mail.example.gov.uk", "ünsal@example.org"])
def test_a_valid_address_is_kept(address: str) -> None:
    assert values.email(address) == address


@pytest.mark.parametrize(
    "address",
    [
        None,
        5,
        "",
        "rosa",
        "rosa@",
        "@example.org",
        "rosa@localhost",
        "a@b@example.org",
        "rosa@example.org\n",
        "rosa@example.org, sam@example.org",
        "Rosa <rosa@example.org>",
        "rosa@example..org",
        "x" * 65 + "@example.org",
        "rosa@" + "x." * 200 + "org",
    ],
)
def test_an_invalid_address_is_empty(address: Any) -> None:
    assert values.email(address) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SomeNewReason", "some new reason"),
        ("SOME_NEW_REASON", "some new reason"),
        ("AWSLimitReached", "aws limit reached"),
        ("PendingApproval", "pending approval"),
        ("plain words", "plain words"),
        ("", ""),
    ],
)
def test_names_become_words(name: str, words: str) -> None:
    assert values.words(name) == words
