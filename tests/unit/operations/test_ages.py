"""People write ages and times; a time without an offset is in Phoenix."""

from datetime import UTC, datetime

import pytest

from lib.operations.ages import parse_age, parse_moment
from lib.platform import errors

NOW = datetime(2026, 1, 22, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", datetime(2026, 1, 22, 18, tzinfo=UTC)),
        ("2026-01-22T11:30", datetime(2026, 1, 22, 18, 30, tzinfo=UTC)),
        (" 2026-01-22 11:30 ", datetime(2026, 1, 22, 18, 30, tzinfo=UTC)),
        ("2026-01-22T18:30:00.000000Z", datetime(2026, 1, 22, 18, 30, tzinfo=UTC)),
        ("2026-01-22T20:30:00+02:00", datetime(2026, 1, 22, 18, 30, tzinfo=UTC)),
        ("0001-01-03T00:00", datetime(1970, 1, 1, tzinfo=UTC)),
        ("99999w", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_moment(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00", "99:00", "0001-01-01T00:00"])
def test_a_text_that_is_not_a_moment_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidInputError, match="is not a time"):
        parse_moment(text, NOW)


def test_the_error_for_too_long_an_age_says_so() -> None:
    for parse in (parse_age, lambda text: parse_moment(text, NOW)):
        with pytest.raises(errors.InvalidInputError, match=r"^'999999h' is too long: write at most 99999h$"):
            parse("999999h")
