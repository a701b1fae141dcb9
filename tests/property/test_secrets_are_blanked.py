"""Every text with the format of a secret is redacted; the quick check before the search misses none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.platform import log
from tests.support.project.examples import examples

SHAPES = [shape for _, shape in log._SHAPES] + [log._TWO_UUIDS]


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data())
def test_no_secret_of_any_shape_is_left_in_a_line(shape: str, data: st.DataObject) -> None:
    secret = data.draw(st.from_regex(shape, fullmatch=True))
    assert log.scrub(f"before {secret} after").startswith("before [redacted]")


@settings(max_examples=examples(80, thorough=1_500))
@given(st.text("ab.@%40'\"\\ ,-é", max_size=300) | st.text("a@", min_size=120, max_size=300))
def test_addresses_are_found_as_if_every_character_were_tried(text: str) -> None:
    expected = log._EMAIL.sub(lambda match: log.hash_email(match.group().replace("%40", "@")), text)

    assert log._hash_emails(text) == expected
