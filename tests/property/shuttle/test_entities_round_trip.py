"""Every entity is read from its row unchanged, and a row that was tampered with is refused."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.platform.errors import InvalidInputError
from lib.shuttle import entities, items, keys, ulids
from lib.shuttle.catalogue.versions import Catalogue, PendingEvent, ReplacedCatalogue
from lib.shuttle.entities import (
    AppConfig,
    BillingState,
    Column,
    ColumnType,
    Schema,
    Session,
    SessionKind,
    Shop,
    ShopSettings,
    StatusColumn,
    UsageDaily,
    UsageMonthly,
    normalized,
)
from lib.shuttle.jobs.job import Counts, DuplicateRule, ErrorSummary, FileFormat, Job, JobKind, JobMode, JobStatus
from lib.shuttle.jobs.plans import Plan, PlanLimits
from lib.shuttle.validation import whole_second

domains = st.sampled_from(["teapots.example.com", "a-1.myshop.example"])
instants = st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
seconds = instants.map(whole_second)
counts = st.integers(0, 10**12)
texts = st.text(min_size=1, max_size=20)
limits = st.builds(
    PlanLimits,
    concurrent_jobs=st.integers(0, 100),
    daily_imports=counts,
    monthly_imports=counts,
    max_file_bytes=counts,
    max_rows=counts,
    max_catalogue_rows=counts,
)
shops = st.builds(
    Shop,
    shop_domain=domains,
    plan=st.sampled_from(Plan),
    billing_state=st.sampled_from(BillingState),
    installed_at=instants,
    settings=st.builds(
        ShopSettings, csv_delimiter=st.sampled_from([None, ",", ";", "\t", "|"]), default_mode=st.sampled_from(JobMode)
    ),
    feature_limits=st.none() | limits,
)
summaries = st.lists(
    st.builds(ErrorSummary, code=texts, count=counts, first_rows=st.lists(counts, max_size=5).map(tuple)), max_size=3
).map(tuple)
counters = st.fixed_dictionaries({}, optional=dict.fromkeys(("imports", "exports", "rows_read", "bytes_read"), counts))
names = st.text("abcdé ", min_size=1, max_size=9).map(lambda name: f"c{name}c")
columns = st.lists(
    st.builds(
        lambda decimal_comma, **own: Column(**own, decimal_comma=decimal_comma and own["type"] is ColumnType.DECIMAL),
        name=names,
        type=st.sampled_from(ColumnType),
        aliases=st.lists(names, max_size=2).map(tuple),
        decimal_comma=st.booleans(),
    ),
    min_size=1,
    max_size=6,
).filter(lambda drawn: len({normalized(name) for name in _names(drawn)}) == len(_names(drawn)))


def _names(drawn: list[Column]) -> list[str]:
    return [name for column in drawn for name in (column.name, *column.aliases)]


def _status_column(name: str | None) -> st.SearchStrategy[StatusColumn | None]:
    return st.none() if name is None else st.builds(StatusColumn, name=st.just(name), draft=texts.filter(bool))


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    drawn = draw(columns)
    texts_only = [column.name for column in drawn if column.type is ColumnType.STRING]
    return Schema(
        shop_domain=draw(domains),
        version=draw(st.integers(1, 999_999)),
        columns=tuple(drawn),
        created_at=draw(instants),
        key_columns=tuple(column.name for column in drawn[: draw(st.integers(0, 3))]),
        status_column=draw(st.sampled_from([None, *texts_only]).flatmap(_status_column)),
    )


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    status = draw(st.sampled_from(JobStatus))
    kind = draw(st.sampled_from(JobKind))
    rows_read = draw(counts)
    made = draw(instants)
    return Job(
        shop_domain=draw(domains),
        job_id=ulids.new(made),
        kind=kind,
        mode=draw(st.sampled_from(JobMode)) if kind is JobKind.IMPORT else None,
        file_format=draw(st.sampled_from(FileFormat)),
        status=status,
        status_since=draw(instants),
        created_at=made,
        expires_at=draw(seconds),
        file_bytes=draw(st.none() | counts),
        upload_id=draw(st.none() | texts),
        attempt=draw(st.integers(0, 3)),
        lease_until=draw(instants) if status is JobStatus.PROCESSING else None,
        rows_read=rows_read,
        rows_failed=draw(st.integers(0, rows_read)),
        failure=draw(texts) if status is JobStatus.FAILED else None,
        errors=draw(summaries),
        has_report=draw(st.booleans()),
        dry_run=draw(st.booleans()) if kind is JobKind.IMPORT else False,
        duplicate_rule=draw(st.sampled_from(DuplicateRule)),
        delimiter=draw(st.none() | texts),
        encoding=draw(st.none() | texts),
        columns=draw(st.lists(texts, max_size=3).map(tuple)),
        gzip=draw(st.booleans()),
        version=draw(st.none() | counts),
        changed_since=draw(st.none() | counts),
        counts=draw(st.builds(Counts, added=counts, removed=counts)),
        catalogue_version=draw(st.none() | counts),
        changes_key=draw(st.none() | texts),
        result_key=draw(st.none() | texts),
    )


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    domain, made, version = draw(domains), draw(instants), draw(st.integers(1, 999_999))
    job_id = ulids.new(made)
    current = Catalogue(
        shop_domain=domain,
        version=version,
        object_key=keys.catalogue_object(domain, version, job_id, draw(st.integers(1, 3))),
        rows=draw(counts),
        bytes=draw(counts),
        schema_version=draw(st.integers(1, 999_999)),
        key_columns=draw(st.lists(texts, min_size=1, max_size=3).map(tuple)),
        job_id=job_id,
        made_at=made,
        restored_from=draw(st.none() | st.integers(1, 999_999)),
    )
    return draw(st.sampled_from([current, ReplacedCatalogue.of(current, made)]))


stored: st.SearchStrategy[Any] = st.one_of(
    shops,
    jobs(),
    catalogues(),
    st.builds(
        PendingEvent,
        shop_domain=domains,
        event_id=instants.map(ulids.new),
        detail_type=texts,
        detail=texts,
        created_at=instants,
    ),
    st.builds(lambda rest, **own: UsageDaily(**own, **rest), counters, shop_domain=domains, day=st.dates(), expires_at=seconds),
    st.builds(
        lambda rest, **own: UsageMonthly(**own, **rest),
        counters,
        shop_domain=domains,
        month=st.dates().map(lambda day: day.isoformat()[:7]),
    ),
    schemas(),
    st.builds(
        Session,
        session_id=st.just("s-1"),
        shop_domain=domains,
        kind=st.sampled_from(SessionKind),
        created_at=instants,
        expires_at=seconds,
        user_id=st.none() | texts,
        scopes=st.lists(texts, max_size=3).map(tuple),
    ),
    st.builds(AppConfig, name=st.just("imports"), values=st.dictionaries(texts, texts, max_size=3), updated_at=instants),
)


@given(stored)
def test_an_entity_is_read_from_its_row_unchanged(entity: Any) -> None:
    assert entities.from_item(type(entity), entities.to_item(entity)) == entity


@given(stored)
def test_a_row_with_a_missing_or_mistyped_attribute_is_an_error(entity: Any) -> None:
    item = entities.to_item(entity)
    for name in ("EntityType", "PK", "SK"):
        with pytest.raises((items.CorruptItemError, InvalidInputError)):
            entities.from_item(type(entity), {key: value for key, value in item.items() if key != name})
    for name in (items.attribute_name(field.name) for field in dataclasses.fields(entity)):
        if name in item:
            with pytest.raises(items.CorruptItemError):
                entities.from_item(type(entity), item | {name: {"NULL": True}})


@given(jobs(), domains)
def test_a_row_with_another_shops_key_is_an_error(job: Job, domain: str) -> None:
    item = entities.to_item(job) | keys.job("intruder.example.com", job.job_id).attributes()
    with pytest.raises(items.CorruptItemError, match="another row's key"):
        entities.from_item(Job, item)


@given(jobs())
def test_the_time_to_live_is_in_epoch_seconds(job: Job) -> None:
    assert entities.to_item(job)["ExpiresAt"] == {"N": str(int(job.expires_at.timestamp()))}


NOON = datetime(2026, 1, 22, 12, tzinfo=UTC)
VALID_JOB: dict[str, Any] = {
    "shop_domain": "teapots.example.com",
    "job_id": ulids.new(NOON),
    "kind": JobKind.IMPORT,
    "mode": JobMode.NEW_ONLY,
    "file_format": FileFormat.CSV,
    "status": JobStatus.QUEUED,
    "status_since": NOON,
    "created_at": NOON,
    "expires_at": NOON + timedelta(days=90),
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"shop_domain": "a#b"},
        {"job_id": "7"},
        {"mode": None},
        {"kind": JobKind.EXPORT},
        {"failure": "X"},
        {"status": JobStatus.FAILED},
        {"status": JobStatus.PROCESSING},
        {"rows_read": -1},
        {"rows_read": 1, "rows_failed": 2},
        {"created_at": NOON.replace(tzinfo=None)},
    ],
)
def test_an_invalid_job_is_refused(wrong: dict[str, Any]) -> None:
    Job(**VALID_JOB)
    with pytest.raises(InvalidInputError):
        Job(**VALID_JOB | wrong)


VALID_SCHEMA: dict[str, Any] = {
    "shop_domain": "teapots.example.com",
    "version": 1,
    "columns": (Column(name="sku", aliases=("Article no.",)), Column(name="status")),
    "created_at": NOON,
    "key_columns": ("sku",),
    "status_column": StatusColumn(name="status", draft="draft"),
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"columns": ()},
        {"columns": tuple(Column(name=f"c{number}") for number in range(201))},
        {"columns": (Column(name="sku"), Column(name="status"), Column(name="Status"))},
        {"columns": (Column(name="sku"), Column(name="status"), Column(name="a b"), Column(name="A  B"))},
        {"columns": (Column(name="sku"), Column(name="status", aliases=("SKU",)))},
        {"columns": (Column(name="sku", aliases=("no",)), Column(name="status", aliases=("no",)))},
        {"columns": (Column(name="sku"), Column(name="status"), Column(name="_Change"))},
        {"key_columns": ("Sku",)},
        {"key_columns": ("sku", "sku")},
        {"key_columns": ("Article no.",)},
        {"columns": tuple(Column(name=name) for name in ("status", *"abcd")), "key_columns": tuple("abcd")},
        {"status_column": StatusColumn(name="state", draft="draft")},
        {"columns": (Column(name="sku"), Column(name="status", type=ColumnType.BOOLEAN))},
    ],
)
def test_an_invalid_schema_is_refused(wrong: dict[str, Any]) -> None:
    Schema(**VALID_SCHEMA)
    with pytest.raises(InvalidInputError):
        Schema(**VALID_SCHEMA | wrong)


@pytest.mark.parametrize("draft", ["", "x" * 101])
def test_an_invalid_value_for_draft_is_refused(draft: str) -> None:
    with pytest.raises(InvalidInputError):
        StatusColumn(name="status", draft=draft)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": " a"},
        {"name": "a\n"},
        {"max_length": 0},
        {"type": ColumnType.DATE, "max_length": 3},
        {"aliases": ("",)},
        {"aliases": (" b",)},
        {"aliases": tuple(f"b{number}" for number in range(21))},
        {"decimal_comma": True},
    ],
)
def test_an_invalid_column_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        Column(**{"name": "a"} | wrong)
