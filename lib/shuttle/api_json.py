"""The JSON that Shuttle's HTTP API and command line return, and what the API takes: bodies and query parameters.

Pure. Names are the entities' own, times UTC in the canonical form. Every function that reads raises InvalidInputError for
input of other names, types or ranges; its message names the field.
"""

import dataclasses
import enum
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from lib.platform import clock, errors, fields
from lib.shuttle.catalogue.versions import Catalogue
from lib.shuttle.entities import (
    DELIMITERS,
    MAX_COLUMN_NAME,
    MAX_COLUMNS,
    MAX_DRAFT_LENGTH,
    NO_KEY,
    BillingState,
    Column,
    ColumnType,
    Schema,
    Session,
    SessionKind,
    SessionSummary,
    Shop,
    ShopSettings,
    StatusColumn,
    normalized,
)
from lib.shuttle.imports.uploads import MAX_PARTS, Part
from lib.shuttle.jobs.job import DuplicateRule, FileFormat, Job, JobKind, JobMode, JobSummary
from lib.shuttle.jobs.limits import JobOrder
from lib.shuttle.jobs.plans import Plan, PlanLimits
from lib.shuttle.validation import require

Json = dict[str, Any]
Choice = TypeVar("Choice", bound=enum.StrEnum)

#: Fields of a job that only workers need. The id of an upload is part of the upload.
_INTERNAL = frozenset({"attempt", "changes_key", "counts", "expires_at", "lease_until", "result_key", "upload_id"})

#: The longest range of days for which usage is returned at once.
MAX_DAYS = 400
MAX_FILE_BYTES = 5 * 1024**4
"""The largest object that S3 stores."""

_EVERY_ORDER = {"kind", "client_token", "file_format", "delimiter"}
_ORDERS: Mapping[JobKind, tuple[set[str], set[str]]] = {
    JobKind.IMPORT: ({"file_bytes"}, {"mode", "confirm", "dry_run", "duplicates"}),
    JobKind.EXPORT: (set(), {"columns", "gzip", "version", "changed_since"}),
}
"""The members that an order must have, and may have, besides those of every order."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_START_OF_DAY = timedelta(0)
_END_OF_DAY = timedelta(days=1, microseconds=-1)


def to_json(entity: Any) -> Json:
    """A shop, job, schema, session, usage row, upload or part of one as a JSON object."""
    return {field.name: _value(getattr(entity, field.name)) for field in dataclasses.fields(entity)}


def job_to_json(job: JobSummary) -> Json:
    """A job as a JSON object, without the fields that only workers need."""
    shown = {name: value for name, value in to_json(job).items() if name not in _INTERNAL}
    if not isinstance(job, Job):
        return shown
    has = {"has_changes": job.changes_key is not None, "has_result": job.result_key is not None}
    return shown | to_json(job.counts) | has | {"rows_valid": job.rows_valid}


def shop_to_json(shop: Shop) -> Json:
    """A shop as a JSON object. Its ``limits`` are those of its plan, or those agreed with it."""
    return to_json(shop) | {"limits": to_json(shop.limits)}


def catalogue_to_json(catalogue: Catalogue) -> Json:
    """A version of a catalogue as a JSON object. The current one does not expire."""
    shown = {"key" if name == "key_columns" else name: value for name, value in to_json(catalogue).items()}
    del shown["object_key"]
    return {"expires_at": None, **shown}


def schema_to_json(schema: Schema) -> Json:
    """A schema as a JSON object."""
    return {"key" if name == "key_columns" else name: value for name, value in to_json(schema).items()}


def session_to_json(session: SessionSummary) -> Json:
    """A session as a JSON object, without its values, which are secrets."""
    return {name: value for name, value in to_json(session).items() if name != "values"}


def read_order(domain: str, body: Any, default_mode: JobMode, default_token: str) -> JobOrder:
    """The job that a caller orders. ``default_mode`` is the shop's."""
    kind = _choice(fields.require_object(body, "the body"), "kind", JobKind, JobKind.IMPORT)
    required, optional = _ORDERS[kind]
    given = fields.require_members(body, required, optional | _EVERY_ORDER, name="the body")
    token = _text(given, "client_token", default_token)
    file_format = _choice(given, "file_format", FileFormat, FileFormat.CSV)
    delimiter = _delimiter(given, "delimiter", file_format)
    if kind is JobKind.EXPORT:
        return JobOrder(
            client_token=token,
            kind=kind,
            mode=None,
            file_format=file_format,
            delimiter=delimiter,
            columns=_names(given, "columns"),
            gzip=fields.require_flag(given.get("gzip", False), "gzip"),
            version=_optional_integer(given, "version", least=1, most=999_999),
            changed_since=_optional_integer(given, "changed_since", least=1, most=999_999),
        )
    mode = _choice(given, "mode", JobMode, default_mode)
    if mode is JobMode.WIPE_AND_RESTORE or given.get("confirm") is not None:
        require(
            given.get("confirm") == domain, f"confirm must be {domain}: WIPE_AND_RESTORE removes what the file does not have"
        )
    return JobOrder(
        client_token=token,
        kind=kind,
        mode=mode,
        file_format=file_format,
        file_bytes=fields.require_integer(given["file_bytes"], "file_bytes", least=1, most=MAX_FILE_BYTES),
        delimiter=delimiter,
        dry_run=fields.require_flag(given.get("dry_run", False), "dry_run"),
        duplicate_rule=_choice(given, "duplicates", DuplicateRule, DuplicateRule.LAST),
    )


def read_rollback(body: Any) -> int:
    """The version to which a catalogue is to be rolled back."""
    given = fields.require_members(body, {"version"}, name="the body")
    return fields.require_integer(given["version"], "version", least=1, most=999_999)


def read_completed_upload(body: Any) -> tuple[str, tuple[Part, ...]]:
    """The id of a multipart upload, and the parts that it consists of."""
    given = fields.require_members(body, {"upload_id", "parts"}, name="the body")
    upload_id = _text(given, "upload_id")
    require(
        0 < len(upload_id) <= 1024 and upload_id.isascii() and upload_id.isprintable(),
        "upload_id is not the one that was returned with the job",
    )
    parts = fields.require_list(given["parts"], "parts")
    require(0 < len(parts) <= MAX_PARTS, f"parts has 1 to {MAX_PARTS} elements")
    return upload_id, tuple(map(_part, parts))


def read_shop(domain: str, body: Any, now: datetime) -> Shop:
    """A shop as an operator wants it, installed ``now``."""
    given = fields.require_members(body, {"plan"}, {"billing_state", "settings", "feature_limits"}, name="the body")
    settings = fields.require_members(given.get("settings") or {}, (), {"csv_delimiter", "default_mode"}, name="settings")
    limits = given.get("feature_limits")
    return Shop(
        shop_domain=domain,
        plan=_choice(given, "plan", Plan),
        billing_state=_choice(given, "billing_state", BillingState, BillingState.ACTIVE),
        installed_at=now,
        settings=ShopSettings(
            csv_delimiter=_optional_text(settings, "csv_delimiter"),
            default_mode=_choice(settings, "default_mode", JobMode, JobMode.NEW_ONLY),
        ),
        feature_limits=None if limits is None else _limits(limits),
    )


def read_session(session_id: str, body: Any, now: datetime) -> Session:
    """The session that a caller stores."""
    given = fields.require_members(body, {"shop_domain", "kind"}, {"user_id", "scopes", "values"}, name="the body")
    values = fields.require_object(given.get("values") or {}, "values")
    scopes = fields.require_list(given.get("scopes") or [], "scopes")
    return Session.open(
        session_id,
        _text(given, "shop_domain"),
        _choice(given, "kind", SessionKind),
        now,
        user_id=_optional_text(given, "user_id"),
        scopes=(fields.require_text(scope, "a scope") for scope in scopes),
        values={name: fields.require_text(value, "an element of values") for name, value in values.items()},
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SchemaOrder:
    """The schema that a caller sends, and the version that it replaces if the caller names one."""

    columns: tuple[Column, ...]
    key_columns: tuple[str, ...]
    status_column: StatusColumn | None
    replaces: int | None


def read_schema(body: Any) -> SchemaOrder:
    """The new schema that a caller sends. A schema without a key is refused."""
    given = fields.require_members(body, {"columns"}, {"key", "status_column", "replaces"}, name="the body")
    key = fields.require_list(given.get("key") or [], "key", example='["sku"]')
    require(bool(key), NO_KEY)
    columns = fields.require_list(given["columns"], "columns", example='[{"name": "sku", "required": true}]')
    status = given.get("status_column")
    return SchemaOrder(
        columns=tuple(_column(n, column) for n, column in enumerate(columns, 1)),
        key_columns=tuple(fields.require_text(name, "an element of key") for name in key),
        status_column=None if status is None else _status_column(status),
        replaces=_optional_integer(given, "replaces", least=0, most=999_998),
    )


def read_span(first: str | None, last: str | None, now: datetime) -> tuple[datetime, datetime]:
    """From the start of ``first`` to the end of ``last``, each an instant or a UTC day; by default from the epoch until now.

    Both are the epoch at the earliest: a job's id can't hold an earlier time, and no job is older.
    """
    start = max(_instant(first, "from", _START_OF_DAY), _EPOCH) if first else _EPOCH
    end = max(_instant(last, "to", _END_OF_DAY), _EPOCH) if last else max(now, start)
    require(start <= end, "the range ends before it begins")
    return start, end


def read_days(first: str | None, last: str | None, today: date) -> tuple[date, date]:
    """A range of at most :data:`MAX_DAYS` days, by default the last 30."""
    try:
        end = date.fromisoformat(last) if last else today
        start = date.fromisoformat(first) if first else end - timedelta(days=29)
    except (ValueError, OverflowError):
        raise errors.InvalidInputError("from and to are days, as 2026-01-22") from None
    require(start <= end, "the range ends before it begins")
    require((end - start).days < MAX_DAYS, f"a range has at most {MAX_DAYS} days")
    return start, end


def read_page_size(text: str | None, default: int = 20, most: int = 100) -> int:
    """How many rows a caller wants at a time."""
    if text is None:
        return default
    # Length first: Python reads no number of more than 4,300 digits.
    is_number = text.isascii() and text.isdecimal() and len(text) <= 9
    require(is_number and 1 <= int(text) <= most, f"limit is from 1 to {most}")
    return int(text)


def _instant(text: str, name: str, into_day: timedelta) -> datetime:
    try:
        if len(text) == len("2026-01-22"):
            return clock.parse(f"{text}T00:00:00Z") + into_day
        return clock.parse(text)
    except (ValueError, OverflowError):
        raise errors.InvalidInputError(f"{name} is neither a day nor an instant with an offset") from None


def _part(value: Any) -> Part:
    given = fields.require_members(value, {"part_number", "etag"}, name="a part")
    number = fields.require_integer(given["part_number"], "part_number", least=1, most=MAX_PARTS)
    return Part(number, _text(given, "etag"))


def _column(position: int, value: Any) -> Column:
    try:
        return _read_column(value)
    except errors.InvalidInputError as error:
        raise errors.InvalidInputError(f"column {position}: {error}") from None


def _read_column(value: Any) -> Column:
    given = fields.require_members(value, {"name"}, {field.name for field in dataclasses.fields(Column)} - {"name"}, name="it")
    return Column(
        name=_text(given, "name"),
        type=_choice(given, "type", ColumnType, ColumnType.STRING),
        required=fields.require_flag(given.get("required", False), "required"),
        max_length=_optional_integer(given, "max_length", least=1, most=1024**2),
        aliases=tuple(
            fields.require_text(alias, "an alias") for alias in fields.require_list(given.get("aliases") or [], "aliases")
        ),
        decimal_comma=fields.require_flag(given.get("decimal_comma", False), "decimal_comma"),
    )


def _status_column(value: Any) -> StatusColumn:
    given = fields.require_members(value, {"name", "draft"}, name="status_column")
    draft = fields.checked(_text(given, "draft"), "draft", max_bytes=4 * MAX_DRAFT_LENGTH)
    return StatusColumn(name=_text(given, "name"), draft=draft)


def _limits(value: Any) -> PlanLimits:
    optional = {field.name for field in dataclasses.fields(PlanLimits) if field.default is not dataclasses.MISSING}
    required = {field.name for field in dataclasses.fields(PlanLimits)} - optional
    given = fields.require_members(value, required, optional, name="feature_limits")
    return PlanLimits(**{name: fields.require_integer(limit, name, least=0, most=10**12) for name, limit in given.items()})


def _delimiter(given: Mapping[str, Any], name: str, file_format: FileFormat) -> str | None:
    if given.get(name) is None:
        return None
    require(file_format is FileFormat.CSV, f"only a CSV file has a {name}")
    require(given[name] in DELIMITERS, f"{name} is not comma, semicolon, tab or bar")
    return str(given[name])


def _names(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    given_names = fields.require_list(given.get(name) or [], name, example='["sku", "title"]')
    names = [fields.require_text(each, f"an element of {name}") for each in given_names]
    require(len(set(map(normalized, names))) == len(names), f"{name} names a column twice")
    require(len(names) <= MAX_COLUMNS, f"{name} has more than {MAX_COLUMNS} elements")
    return tuple(fields.checked(each, f"an element of {name}", max_bytes=4 * MAX_COLUMN_NAME) for each in names)


def _text(given: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = given.get(name)
    return fields.require_text(default if value is None else value, name)


def _optional_text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    return None if value is None else fields.require_text(value, name)


def _choice(given: Mapping[str, Any], name: str, kind: type[Choice], default: Choice | None = None) -> Choice:
    return fields.require_choice(_text(given, name, default), name, kind)


def _optional_integer(given: Mapping[str, Any], name: str, *, least: int, most: int) -> int | None:
    value = given.get(name)
    return None if value is None else fields.require_integer(value, name, least=least, most=most)


def _value(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return clock.canonical(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_value(part) for part in value]
    return to_json(value) if dataclasses.is_dataclass(value) else value
