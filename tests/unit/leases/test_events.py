"""Reading an event: valid forms, replacements for missing parts, and what is refused in a clear sentence."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lib.leases.events import MAX_CLOCK_SKEW, MAX_EVENT_BYTES, read_event
from lib.platform import clock, errors
from tests.support.leases.builders import ABSENT, lease_event

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_every_part_is_read() -> None:
    event = read_event(lease_event("LeaseFrozen", {"accountId": "444455556666"}))

    assert event.id == "0b6c6f0e-3a1f-4f5e-8d7d-9a4e7a2f1c01"
    assert event.detail_type == "LeaseFrozen"
    assert event.source == "InnovationSandbox-test"
    assert event.time == datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
    assert event.detail == {"accountId": "444455556666"}


@pytest.mark.parametrize(
    ("obj", "sentence"),
    [
        (None, "the event is null, not a JSON object"),
        ([], "the event is a list, not a JSON object"),
        ("LeaseFrozen", "the event is text, not a JSON object"),
        (12, "the event is a number, not a JSON object"),
        (True, "the event is a boolean, not a JSON object"),
        ({}, "the event has no detail-type"),
        (lease_event(**{"detail-type": ABSENT}), "the event has no detail-type"),
        (lease_event(**{"detail-type": " "}), "the event has no detail-type"),
        (lease_event() | {"detail-type": ["LeaseFrozen"]}, "the event has no detail-type"),
        (lease_event("x" * 129), "the event's detail-type is longer than 128 characters"),
        (lease_event(detail=ABSENT), "the event has no detail object"),
        (lease_event(detail=[]), "the event has no detail object"),
        (lease_event(detail='{"leaseId": "1"}'), "the event has no detail object"),
        (lease_event(detail={"x": float("nan")}), "the event contains a value that JSON can't represent"),
        (lease_event(detail={"x": b"bytes"}), "the event contains a value that JSON can't represent"),
    ],
    ids=str,
)
def test_an_invalid_event_is_refused_in_a_clear_sentence(obj: object, sentence: str) -> None:
    with pytest.raises(errors.InvalidInputError) as refusal:
        read_event(obj)

    assert str(refusal.value) == sentence


@pytest.mark.parametrize("levels", [70, 100_000])
def test_deep_nesting_is_refused_and_not_followed(levels: int) -> None:
    with pytest.raises(errors.InvalidInputError, match="the event nests deeper than 64 levels"):
        read_event(lease_event(detail={"x": nested(levels)}))


@pytest.mark.parametrize(
    "detail",
    [
        {"comment": "x" * 5_000_000},
        {"comments": ["x" * 1000] * 5_000},
        {"comments": [0] * 3_000_000},
        {"comment": "é" * (MAX_EVENT_BYTES // 2)},
    ],
    ids=["one string", "many strings", "many numbers", "two bytes a character"],
)
def test_an_event_of_megabytes_is_refused_as_too_large(detail: dict[str, Any]) -> None:
    with pytest.raises(errors.PayloadTooLargeError):
        read_event(lease_event(detail=detail))


def test_an_event_that_contains_itself_is_refused() -> None:
    detail: dict[str, Any] = {}
    detail["detail"] = detail

    with pytest.raises(errors.InvalidInputError):
        read_event(lease_event(detail=detail))


def test_an_event_that_repeats_a_value_a_trillion_times_is_refused() -> None:
    value: Any = "ha"
    for _ in range(40):
        value = [value, value]

    with pytest.raises(errors.PayloadTooLargeError):
        read_event(lease_event(detail={"laughs": value}))


@pytest.mark.parametrize("text", ["a\x00b", "x" * 400_000, "😀" * 100_000], ids=["NUL", "400 kB", "emoji"])
def test_odd_text_within_the_limit_is_unchanged(text: str) -> None:
    assert read_event(lease_event(detail={"comment": text})).detail["comment"] == text


def test_lone_surrogates_are_replaced() -> None:
    event = read_event(json.loads('{"detail-type": "Lease\\ud800", "detail": {"a\\udfff": ["\\ud83d\\ude00 \\ud800!"]}}'))

    assert event.detail_type == "Lease\ufffd"
    assert event.detail == {"a\ufffd": ["😀 \ufffd!"]}


@pytest.mark.parametrize("event_id", [ABSENT, None, "", 7, "two words", "x" * 129, "a\x00b", "é"], ids=repr)
def test_an_unusable_id_is_replaced_by_a_stable_one(event_id: object) -> None:
    first = read_event(lease_event(id=event_id))
    retry = read_event(dict(reversed(lease_event(id=event_id).items())))
    another = read_event(lease_event(id=event_id, detail={"accountId": "9"}))

    assert len(first.id) == 64
    assert retry.id == first.id
    assert another.id != first.id


@pytest.mark.parametrize("time", [ABSENT, None, "", "yesterday", "2026-03-04T17:30:00", 1772645400], ids=repr)
def test_an_unreadable_time_is_now_and_undated(time: object) -> None:
    event = read_event(lease_event(time=time), now=lambda: NOW)

    assert (event.time, event.is_dated) == (NOW, False)


@pytest.mark.parametrize(
    ("ahead", "is_dated"),
    [
        (timedelta(days=-9999), True),
        (timedelta(0), True),
        (MAX_CLOCK_SKEW, True),
        (MAX_CLOCK_SKEW + timedelta(seconds=1), False),
    ],
    ids=str,
)
def test_a_time_in_the_future_is_undated(ahead: timedelta, is_dated: bool) -> None:
    event = read_event(lease_event(time=clock.canonical(NOW + ahead)), now=lambda: NOW)

    assert (event.time, event.is_dated) == (NOW + ahead, is_dated)


@pytest.mark.parametrize("source", [ABSENT, 7], ids=repr)
def test_the_source_may_be_missing_or_wrong(source: object) -> None:
    assert read_event(lease_event(source=source)).source == ""
