"""Any JSON is stored compressed and read as it was; any bytes are read, or refused by an error that says why."""

import contextlib
import json

import hypothesis.strategies as st
from hypothesis import given, settings

from lib.jira.snapshot_codec import decode, encode, encode_large
from lib.platform import errors
from tests.support.project.examples import examples

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)
MANY = settings(max_examples=examples(150, thorough=5_000), deadline=None)


@MANY
@given(value=anything, ascii_only=st.booleans(), indent=st.none() | st.just(1))
def test_any_json_is_read_as_it_was_written(value: object, ascii_only: bool, indent: int | None) -> None:
    snapshot = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert decode(encode(snapshot)) == decode(encode_large(snapshot)) == snapshot


@MANY
@given(stored=st.binary() | st.binary().map(lambda data: b"\x01x" + data) | st.binary().map(lambda data: b"\x1f\x8b" + data))
def test_any_bytes_are_read_or_refused(stored: bytes) -> None:
    with contextlib.suppress(errors.InvalidInputError, errors.PayloadTooLargeError):
        decode(stored)


@MANY
@given(snapshot=st.text(min_size=1), position=st.integers(min_value=1), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed(snapshot: str, position: int, bit: int) -> None:
    stored = bytearray(encode(snapshot))
    stored[position % (len(stored) - 1) + 1] ^= 1 << bit
    with contextlib.suppress(errors.InvalidInputError, errors.PayloadTooLargeError):
        assert decode(bytes(stored)) == snapshot
