"""Keys can't be forged: no id contains the separator, and an upload key is parsed into what it was built from."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.platform.errors import InvalidInputError
from lib.shuttle import keys, ulids

JOB = "01KFK6V8M0ABCDEFGHJKMNPQRS"
HOSTILE = [
    "",
    "a#b.example.com",
    "a.example.com#JOB",
    "a.example.com\n",
    "A.example.com",
    "localhost",
    "-a.example.com",
    "a..example.com",
    "a/b.example.com",
    "é.example.com",
    "a.example.com/../b.example.com",
    "a" * 64 + ".example.com",
    ".".join(["abcdefgh"] * 40),
]


@pytest.mark.parametrize("domain", HOSTILE)
@pytest.mark.parametrize(
    "build",
    [
        keys.shop,
        keys.slots,
        keys.schema_current,
        keys.sessions_partition,
        lambda domain: keys.job(domain, JOB),
        lambda domain: keys.upload_object(domain, JOB),
        lambda domain: keys.shops_by_plan(domain, "FREE", "ACTIVE"),
    ],
)
def test_a_domain_that_could_forge_a_key_is_refused(build: Callable[[str], Any], domain: str) -> None:
    with pytest.raises(InvalidInputError):
        build(domain)


@pytest.mark.parametrize("identifier", ["", "a#b", "a b", "a/b", "x" * 129, "é", "a\n", "#", "-a"])
@pytest.mark.parametrize("build", [keys.session, keys.app_config, lambda identifier: keys.request("a.example.com", identifier)])
def test_an_id_that_could_forge_a_key_is_refused(build: Callable[[str], Any], identifier: str) -> None:
    with pytest.raises(InvalidInputError):
        build(identifier)


@pytest.mark.parametrize("identifier", ["", JOB.lower(), JOB[:-1], JOB + "A", "8" + JOB[1:], JOB[:-1] + "#", JOB[:-1] + "U"])
def test_a_job_id_is_a_ulid(identifier: str) -> None:
    with pytest.raises(InvalidInputError):
        keys.job("a.example.com", identifier)


@pytest.mark.parametrize("month", ["2026-1", "2026-13", "2026-00", "26-01", "2026-01#", "2026-01-01"])
def test_a_malformed_month_is_refused(month: str) -> None:
    with pytest.raises(InvalidInputError):
        keys.usage_monthly("a.example.com", month)


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z0-9]{1,10}){1,3}", fullmatch=True).filter(lambda d: len(d) > 3))
def test_an_upload_key_is_parsed_into_its_shop_and_job(domain: str) -> None:
    assert keys.parse_upload_object(keys.upload_object(domain, JOB)) == (domain, JOB)


@pytest.mark.parametrize("key", ["", "reports/a.example.com/" + JOB, "uploads/a.example.com", f"uploads/a.example.com/{JOB}/x"])
def test_another_object_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidInputError):
        keys.parse_upload_object(key)


@given(st.text(max_size=30), st.text(max_size=30))
def test_two_shops_never_share_a_partition(one: str, other: str) -> None:
    try:
        partitions = keys.tenant_partitions(one), keys.tenant_partitions(other)
    except InvalidInputError:
        return
    assert one == other or not partitions[0] & partitions[1]


@given(st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)), min_size=2, max_size=2))  # noqa: DTZ001
def test_ulids_sort_by_time(moments: list[datetime]) -> None:
    early, late = sorted(moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in moments)
    assert ulids.first_at(early) <= ulids.new(early) <= ulids.last_at(early)
    assert early == late or ulids.last_at(early) < ulids.first_at(late)


def test_days_and_versions_sort_as_text() -> None:
    days = [date(2025, 12, 31), date(2026, 1, 2), date(2026, 1, 10)]
    assert sorted(days) == sorted(days, key=lambda day: keys.usage_daily("a.example.com", day).sk)
    versions = [1, 9, 10, 999_999]
    assert versions == sorted(versions, key=lambda version: keys.schema_version("a.example.com", version).sk)


@pytest.mark.parametrize("version", [0, -1, 1_000_000])
def test_a_schema_version_has_six_digits(version: int) -> None:
    with pytest.raises(InvalidInputError):
        keys.schema_version("a.example.com", version)
