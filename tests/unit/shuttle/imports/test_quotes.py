"""Quotes with blanks beside them. What is found for whole files is in test_spool.py."""

import itertools
import re

import pytest

from lib.shuttle.imports import quotes


def test_one_pass_over_a_text_finds_whatever_two_find(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [b"\n" + bytes(text) for length in range(1, 7) for text in itertools.product(b'" ,x', repeat=length)]
    quickly = [quotes._has_blank_beside_quote(text) for text in texts]
    monkeypatch.setattr(quotes, "_EITHER", re.compile(b""))

    assert quickly == [quotes._has_blank_beside_quote(text) for text in texts]
    assert 0 < sum(quickly) < len(texts)
