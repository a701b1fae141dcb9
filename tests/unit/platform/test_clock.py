"""Time: what is read, what is stored, and what people see."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from lib.platform import clock

NOON = datetime(2026, 1, 22, 12, 0, tzinfo=UTC)


# Reading


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-22T12:00:00Z", "2026-01-22T12:00:00.000000Z"),
        ("2026-01-22T12:00:00.000Z", "2026-01-22T12:00:00.000000Z"),
        ("2020-08-03T19:25:21.559-0700", "2020-08-04T02:25:21.559000Z"),
        ("2026-01-22T17:30:00+05:30", "2026-01-22T12:00:00.000000Z"),
        ("2026-01-22T12:00:00.123456Z", "2026-01-22T12:00:00.123456Z"),
    ],
)
def test_every_offset_and_fraction_is_read_as_utc(text: str, expected: str) -> None:
    moment = clock.parse(text)
    assert clock.canonical(moment) == expected
    assert moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-01-22", "1772280000", "x" * 400_000])
def test_text_that_is_not_an_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".{1,200}"):
        clock.parse(text)


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="has no offset"):
        clock.parse("2026-01-22T12:00:00")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_at_the_ends_of_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        clock.parse(text)


@pytest.mark.parametrize("text", ["0001-01-02T00:00:00Z", "9999-12-30T23:59:59Z"])
def test_every_accepted_time_can_be_shown(text: str) -> None:
    moment = clock.parse(text)
    assert clock.for_people(moment).endswith("Phoenix time")
    assert "-07:" in clock.phoenix(moment)


# Storing


def test_text_order_is_time_order_with_and_without_fraction() -> None:
    earlier, later = clock.parse("2026-01-22T12:00:00Z"), clock.parse("2026-01-22T12:00:00.5Z")
    assert clock.canonical(earlier) < clock.canonical(later)


def test_text_order_is_time_order_across_offsets() -> None:
    earlier, later = clock.parse("2026-01-22T12:00:00Z"), clock.parse("2026-01-22T05:30:00-07:00")
    assert clock.canonical(earlier) < clock.canonical(later)


def test_an_instant_of_any_zone_is_stored_in_utc() -> None:
    assert clock.canonical(NOON.astimezone(timezone(timedelta(hours=9)))) == "2026-01-22T12:00:00.000000Z"


def test_an_instant_without_zone_is_not_stored() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        clock.canonical(datetime(2026, 1, 22, 12, 0))  # noqa: DTZ001 - that is the point


# Epochs


def test_epochs_are_read_and_written() -> None:
    assert clock.from_epoch_ms(1_769_083_200_123) == NOON + timedelta(milliseconds=123)
    assert clock.epoch_ms(NOON + timedelta(microseconds=123_999)) == 1_769_083_200_123
    assert clock.epoch_s(NOON + timedelta(microseconds=999_999)) == 1_769_083_200


def test_times_before_the_epoch_are_rounded_down_too() -> None:
    assert clock.from_epoch_ms(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    assert clock.epoch_ms(clock.from_epoch_ms(-1)) == -1
    assert clock.epoch_s(clock.from_epoch_ms(-1)) == -1


@pytest.mark.parametrize("milliseconds", [10**30, -(10**30), 253_402_300_799_999, -62_135_596_800_000])
def test_an_epoch_out_of_range_is_refused(milliseconds: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        clock.from_epoch_ms(milliseconds)


# People


def test_people_see_phoenix_time() -> None:
    assert clock.for_people(NOON) == "22 Jan 2026 05:00 Phoenix time"
    assert clock.phoenix(NOON) == "2026-01-22T05:00:00.000-07:00"


def test_phoenix_has_the_offset_of_the_time_zone_database() -> None:
    phoenix = ZoneInfo(clock.TIMEZONE)
    for moment in (datetime(year, month, 1, tzinfo=UTC) for year in range(1968, 2040) for month in range(1, 13)):
        assert clock.phoenix(moment) == moment.astimezone(phoenix).isoformat(timespec="milliseconds")


def test_now_is_utc() -> None:
    assert clock.utc_now().utcoffset() == timedelta(0)
