"""How snapshots are compressed, and that every form that was ever written is read."""

import base64
import gzip
import itertools
import json

import pytest

from lib.jira import items, snapshot_codec
from lib.jira.snapshot_codec import decode, encode, encode_large
from lib.jira.snapshot_dictionaries import DICTIONARIES
from lib.platform import errors
from tests.bench.speed.samples import ISSUE
from tests.support.jira.bodies import issue_event

BODY = json.dumps(ISSUE, separators=(",", ":"))


@pytest.mark.parametrize("snapshot", ["", "{}", BODY, '{"a": 0.10, "b": "ü\\ud83d"}', "\x01 not JSON", "x" * 350_000])
def test_a_snapshot_is_read_as_it_was_written(snapshot: str) -> None:
    assert decode(encode(snapshot)) == decode(encode_large(snapshot)) == decode(snapshot) == snapshot


def test_a_row_of_an_earlier_release_is_read() -> None:
    item = {
        **items.key("OPS-7", "2026-03-01T12:00:00.000000Z"),
        "event_at": {"N": "1"},
        "idempotency_key": {"S": "d"},
        "event_type": {"S": "jira:issue_updated"},
        "received_at": {"S": "2026-03-01T12:00:00.000000Z"},
        "deleted": {"BOOL": False},
        "fields": {"M": {}},
    }
    assert items.read_version(item | {"raw": {"S": '{"a": 0.10}'}}).snapshot() == '{"a": 0.10}'
    assert items.read_version(item | {"raw_object": {"S": "snapshots/one"}}).snapshot() is None
    assert items.read_version(item).snapshot() is None


def test_a_row_that_the_first_release_with_compression_wrote_is_read() -> None:
    """A change of a dictionary fails here: it would make all rows that were written with it unreadable."""
    stored = base64.b64decode(WRITTEN_WITH_1)
    assert json.loads(decode(stored)) == issue_event()


def test_an_issue_shrinks_to_a_third_and_further_by_the_dictionary() -> None:
    assert len(encode(BODY)) < len(BODY) / 3
    update = json.dumps(issue_event(), separators=(",", ":"))
    assert len(encode(update)) < len(gzip.compress(update.encode())) * 0.6


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        (b"", "begins with the byte 0"),
        (b"\x09" + encode(BODY)[1:], "of a later release: it begins with the byte 9"),
        (b'{"plain": 1}', "begins with the byte 123"),
        (encode(BODY)[:-1], "does not end where it should"),
        (encode(BODY) + b"x", "does not end where it should"),
        (encode_large(BODY)[:-9], "does not end where it should"),
        (encode(BODY)[:1] + b"\x00" + encode(BODY)[2:], "is damaged"),
        (encode(BODY)[:40] + b"\x00\x00" + encode(BODY)[42:], "is damaged"),
        (b"\x01", "does not end where it should"),
        (gzip.compress(b"\xff", mtime=0), "is damaged"),
    ],
    ids=itertools.count(),
)
def test_what_is_damaged_is_an_error_that_says_so(stored: bytes, problem: str) -> None:
    with pytest.raises(errors.InvalidInputError, match=problem):
        decode(stored)


@pytest.mark.parametrize("encoded", [encode, encode_large])
def test_what_is_too_large_is_not_decompressed(encoded: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_codec, "MAX_BYTES", 10)
    assert decode(encoded("x" * 10)) == "x" * 10
    with pytest.raises(errors.PayloadTooLargeError, match="more than 10 bytes"):
        decode(encoded("x" * 11))


def test_the_dictionaries_are_within_what_zlib_uses_of_them() -> None:
    assert all(1 <= number < 0x1F and len(text) <= 32_768 - 262 for number, text in DICTIONARIES.items())


WRITTEN_WITH_1 = (
    "AXj5ilm0aHWZsQ0AIAzDXrG4hWeQ2Jj7O0VVikCwZ0i81T2QcTLjgsaTGhpBrEAziD6oENnIk+klKbWNpbt6XxGdXh4J+OhNzTbS/IxruGszmwdCPbo="
)
