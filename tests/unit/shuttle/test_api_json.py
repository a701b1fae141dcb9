"""The JSON that Shuttle's API takes: what a caller may send, and what is refused."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from lib.platform import errors
from lib.shuttle import api_json, ulids
from lib.shuttle.entities import NO_KEY, Column, ColumnType, Schema
from lib.shuttle.imports.uploads import MAX_PARTS, Part
from lib.shuttle.jobs.job import DuplicateRule, FileFormat, JobKind, JobMode
from lib.shuttle.jobs.limits import JobOrder
from tests.support.shuttle.builders import DOMAIN

NOW = datetime(2026, 1, 22, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def an_order(**changes: Any) -> JobOrder:
    return api_json.read_order(DOMAIN, changes, JobMode.NEW_ONLY, "token")


def test_an_import_has_defaults() -> None:
    assert an_order(file_bytes=1) == JobOrder(
        client_token="token", kind=JobKind.IMPORT, mode=JobMode.NEW_ONLY, file_format=FileFormat.CSV, file_bytes=1
    )


def test_an_export_has_defaults() -> None:
    assert an_order(kind="EXPORT", columns=None, version=None) == JobOrder(
        client_token="token", kind=JobKind.EXPORT, mode=None, file_format=FileFormat.CSV
    )


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"file_bytes": 1, "mode": "WIPE_AND_RESTORE"}, "confirm must be teapots.example.com"),
        ({"file_bytes": 1, "mode": "WIPE_AND_RESTORE", "dry_run": True}, "confirm must be"),
        ({"file_bytes": 1, "mode": "WIPE_AND_RESTORE", "confirm": "kettles.example.com"}, "confirm must be"),
        ({"file_bytes": 1, "confirm": True}, "confirm must be"),
        ({"file_bytes": 1, "dry_run": "yes"}, "dry_run is neither true nor false"),
        ({"file_bytes": 1, "duplicates": "first"}, "duplicates is not one of last, refuse"),
        ({"file_bytes": 1, "delimiter": ":"}, "delimiter is not comma, semicolon, tab or bar"),
        ({"file_bytes": 1, "delimiter": ["a"]}, "delimiter is not"),
        ({"file_bytes": 1, "delimiter": ",", "file_format": "JSON"}, "only a CSV file has a delimiter"),
        ({"file_bytes": 1, "columns": ["sku"]}, "unknown field"),
        ({"kind": "EXPORT", "file_bytes": 1}, "unknown field"),
        ({"kind": "EXPORT", "mode": "NEW_ONLY"}, "unknown field"),
        ({"kind": "EXPORT", "dry_run": True}, "unknown field"),
        ({"kind": "EXPORT", "columns": "sku"}, r'columns is not a list, such as \["sku", "title"\]'),
        ({"kind": "EXPORT", "columns": [1]}, "an element of columns is not a string"),
        ({"kind": "EXPORT", "columns": ["sku", "sku"]}, "columns names a column twice"),
        ({"kind": "EXPORT", "columns": ["sku", " SKU"]}, "columns names a column twice"),
        ({"kind": "EXPORT", "columns": [f"c{number}" for number in range(201)]}, "columns has more than 200 elements"),
        ({"kind": "EXPORT", "columns": ["\ud800"]}, "not valid Unicode"),
        ({"kind": "EXPORT", "columns": ["x" * 401]}, "longer than 400 bytes"),
        ({"kind": "EXPORT", "gzip": 1}, "gzip is neither true nor false"),
        ({"kind": "EXPORT", "version": 0}, "version is not a whole number from 1 to 999999"),
        ({"kind": "EXPORT", "changed_since": True}, "changed_since is not a whole number"),
    ],
)
def test_an_invalid_order_is_refused(order: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.InvalidInputError, match=message):
        an_order(**order)


def test_the_default_mode_of_a_shop_needs_the_confirmation_too() -> None:
    with pytest.raises(errors.InvalidInputError, match="confirm must be"):
        api_json.read_order(DOMAIN, {"file_bytes": 1}, JobMode.WIPE_AND_RESTORE, "token")


@pytest.mark.parametrize(
    "change",
    [
        {"dry_run": True},
        {"duplicate_rule": DuplicateRule.REFUSE},
        {"delimiter": ";"},
        {"columns": ("sku",)},
        {"gzip": True},
        {"version": 1},
        {"changed_since": 1},
        {"file_bytes": 2},
        {"mode": JobMode.NEW_AND_DRAFT},
        {"file_format": FileFormat.JSON},
    ],
)
def test_an_order_that_differs_has_another_fingerprint(change: dict[str, Any]) -> None:
    order = an_order(file_bytes=1)

    assert dataclasses.replace(order, **change).fingerprint() != order.fingerprint()
    assert dataclasses.replace(order, client_token="other").fingerprint() == order.fingerprint()


def completion(**changes: Any) -> dict[str, Any]:
    return {"upload_id": "2~abc", "parts": [{"part_number": 1, "etag": "x"}]} | changes


def test_a_completed_upload_names_its_parts() -> None:
    body = completion(parts=[{"part_number": MAX_PARTS, "etag": '"9b2c"'}])

    assert api_json.read_completed_upload(body) == ("2~abc", (Part(MAX_PARTS, '"9b2c"'),))


@pytest.mark.parametrize("upload_id", ["", "\ud800", "caf\u00e9", "a\nb", "x" * 1025, 1, None])
def test_an_upload_id_that_s3_never_gave_is_refused(upload_id: Any) -> None:
    with pytest.raises(errors.InvalidInputError, match="upload_id"):
        api_json.read_completed_upload(completion(upload_id=upload_id))


@pytest.mark.parametrize("number", [0, MAX_PARTS + 1, "1", True])
def test_a_part_number_out_of_range_is_refused(number: Any) -> None:
    with pytest.raises(errors.InvalidInputError, match=f"part_number is not a whole number from 1 to {MAX_PARTS}"):
        api_json.read_completed_upload(completion(parts=[{"part_number": number, "etag": "x"}]))


@pytest.mark.parametrize(("text", "size"), [(None, 20), ("1", 1), ("100", 100), ("007", 7)])
def test_the_caller_chooses_the_page_size(text: str | None, size: int) -> None:
    assert api_json.read_page_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "101", "-1", "+1", "1.0", "\u0661", "0000001009999999", "9" * 5000])
def test_a_page_size_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidInputError, match="limit is from 1 to 100"):
        api_json.read_page_size(text)


def test_a_span_has_days_or_instants_and_ends_now_by_default() -> None:
    day = datetime(2026, 1, 20, tzinfo=UTC)

    assert api_json.read_span("2026-01-20", None, NOW) == (day, NOW)
    assert api_json.read_span(None, "2026-01-20T00:00:00Z", NOW) == (EPOCH, day)


def test_a_span_may_be_empty_but_not_end_before_it_starts() -> None:
    tomorrow = datetime(2026, 1, 23, tzinfo=UTC)

    assert api_json.read_span("2026-01-23", None, NOW) == (tomorrow, tomorrow)
    with pytest.raises(errors.InvalidInputError, match="ends before it begins"):
        api_json.read_span("2026-01-22", "2026-01-21", NOW)


@pytest.mark.parametrize(("first", "last"), [("1969-12-31", None), ("0001-01-03", "2026-01-22"), (None, "1969-12-30")])
def test_a_span_starts_at_the_epoch_at_the_earliest(first: str | None, last: str | None) -> None:
    begin, end = api_json.read_span(first, last, NOW)

    assert begin == EPOCH
    assert end >= EPOCH
    assert ulids.is_ulid(ulids.first_at(begin))
    assert ulids.is_ulid(ulids.last_at(end))


# Schemas and settings


def test_a_schema_is_read_with_its_key_status_column_and_aliases() -> None:
    body = {
        "columns": [
            {"name": "sku"},
            {"name": "price", "type": "DECIMAL", "aliases": ["Preis"], "decimal_comma": True},
            {"name": "status"},
        ],
        "key": ["sku"],
        "status_column": {"name": "status", "draft": "draft"},
    }
    order = api_json.read_schema(body)
    schema = Schema(
        shop_domain=DOMAIN,
        version=1,
        columns=order.columns,
        created_at=NOW,
        key_columns=order.key_columns,
        status_column=order.status_column,
    )

    assert order.replaces is None
    assert order.columns[1] == Column(name="price", type=ColumnType.DECIMAL, aliases=("Preis",), decimal_comma=True)
    shown = api_json.schema_to_json(schema)
    assert (shown["key"], shown["status_column"]) == (["sku"], {"name": "status", "draft": "draft"})
    assert api_json.read_schema({name: shown[name] for name in ("columns", "key", "status_column")}) == order


@pytest.mark.parametrize("key", [{}, {"key": None}, {"key": []}])
def test_a_schema_without_a_key_is_refused_in_one_clear_sentence(key: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidInputError) as caught:
        api_json.read_schema({"columns": [{"name": "sku"}], **key})
    assert str(caught.value) == NO_KEY


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "sku"},
        {"key": [1]},
        {"status_column": "status"},
        {"status_column": {"name": "sku"}},
        {"status_column": {"name": "sku", "draft": 1}},
        {"status_column": {"name": "sku", "draft": "\ud800"}},
        {"columns": [{"name": "sku", "aliases": "no"}]},
        {"columns": [{"name": "sku", "aliases": [1]}]},
        {"columns": [{"name": "sku", "decimal_comma": "yes"}]},
        {"columns": [{"name": "sku", "alias": "no"}]},
    ],
)
def test_a_schema_of_wrong_types_is_refused(wrong: dict[str, Any]) -> None:
    api_json.read_schema({"columns": [{"name": "sku"}], "key": ["sku"]})
    with pytest.raises(errors.InvalidInputError):
        api_json.read_schema({"columns": [{"name": "sku"}], "key": ["sku"], **wrong})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("title", "column 2: it is not a JSON object"),
        ({"name": "title", "requierd": True}, "column 2: it has an unknown field 'requierd'"),
        ({"name": "title", "type": "FLOAT"}, "column 2: type is not one of STRING"),
    ],
)
def test_a_wrong_column_is_refused_with_its_position(wrong: Any, message: str) -> None:
    with pytest.raises(errors.InvalidInputError, match=message):
        api_json.read_schema({"columns": [{"name": "sku"}, wrong], "key": ["sku"]})


@pytest.mark.parametrize(
    ("settings", "delimiter"), [({}, None), ({"csv_delimiter": None}, None), ({"csv_delimiter": ";"}, ";")]
)
def test_a_shop_may_leave_its_delimiter_to_detection(settings: dict[str, Any], delimiter: str | None) -> None:
    shop = api_json.read_shop(DOMAIN, {"plan": "SMALL", "settings": settings}, NOW)
    assert shop.settings.csv_delimiter == delimiter


@pytest.mark.parametrize("delimiter", ["", ":", ";;", 1])
def test_an_unknown_delimiter_is_refused(delimiter: Any) -> None:
    with pytest.raises(errors.InvalidInputError):
        api_json.read_shop(DOMAIN, {"plan": "SMALL", "settings": {"csv_delimiter": delimiter}}, NOW)
