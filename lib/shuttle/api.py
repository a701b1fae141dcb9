"""Shuttle's entities as its HTTP API and command line show and take them: JSON objects, checked on the way in.

Pure. Names are the entities' own, times UTC in the canonical form. What is not an object of the expected names and types
is InvalidInputError, which names the field and never shows more of a value than it has to.
"""

import dataclasses
import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from lib.platform import clock, errors
from lib.shuttle.entities import BillingState, Column, ColumnType, Shop, ShopSettings
from lib.shuttle.imports.uploads import MAX_PARTS, MultipartUpload, Part, SingleUpload
from lib.shuttle.jobs.job import FileFormat, Job, JobKind, JobMode, JobSummary
from lib.shuttle.jobs.limits import JobOrder
from lib.shuttle.jobs.plans import Plan, PlanLimits
from lib.shuttle.validation import require

Json = dict[str, Any]

#: Fields of a job that only workers need. The id of an upload is part of the upload.
_INTERNAL = frozenset({"attempt", "expires_at", "lease_until", "upload_id"})
Choice = TypeVar("Choice", bound=enum.StrEnum)

#: The longest range of days that usage is shown for at once.
MAX_DAYS = 400
MAX_FILE_BYTES = 5 * 1024**4
"""The largest object that S3 holds."""


def to_json(entity: Any) -> Json:
    """A shop, job, schema, usage row or part of one as a JSON object."""
    return {field.name: _value(getattr(entity, field.name)) for field in dataclasses.fields(entity)}


def job_to_json(job: Job | JobSummary) -> Json:
    """A job as a JSON object; what only workers need to know is left out."""
    shown = {name: value for name, value in to_json(job).items() if name not in _INTERNAL}
    return shown | ({"rows_valid": job.rows_valid} if isinstance(job, Job) else {})


def upload_to_json(upload: SingleUpload | MultipartUpload | None) -> Json | None:
    """Where to upload to, or None."""
    return None if upload is None else to_json(upload)


def job_order(body: Any, default_mode: JobMode, make_token: Callable[[], str]) -> JobOrder:
    """What a caller asks for.

    ``default_mode`` is the shop's, ``make_token`` stands in for a client token that is not given.

    Raises:
        InvalidInputError: it asks for nothing that there is.
    """
    given = _object(body, {"file_bytes"}, {"client_token", "kind", "mode", "file_format"})
    kind = _choice(JobKind, given, "kind", JobKind.IMPORT)
    require(kind is JobKind.IMPORT, "only IMPORT jobs can be begun: there is no worker for exports yet")
    return JobOrder(
        client_token=_text(given, "client_token", make_token()),
        kind=kind,
        mode=_choice(JobMode, given, "mode", default_mode),
        file_format=_choice(FileFormat, given, "file_format", FileFormat.CSV),
        file_bytes=_number(given, "file_bytes", 1, MAX_FILE_BYTES),
    )


def completed_upload(body: Any) -> tuple[str, tuple[Part, ...]]:
    """The id of an upload, and the parts that it consists of.

    Raises:
        InvalidInputError: the body tells of none.
    """
    given = _object(body, {"upload_id", "parts"})
    upload_id = _text(given, "upload_id")
    given_by_s3 = 0 < len(upload_id) <= 1024 and upload_id.isascii() and upload_id.isprintable()
    require(given_by_s3, "upload_id is what the job was answered with")
    parts = [_object(part, {"part_number", "etag"}) for part in _list(given, "parts")]
    require(bool(parts), "parts is empty")
    return upload_id, tuple(Part(_number(part, "part_number", 1, MAX_PARTS), _text(part, "etag")) for part in parts)


def shop(domain: str, body: Any, now: datetime) -> Shop:
    """A shop as an operator wants it.

    Raises:
        InvalidInputError: there is no such shop.
    """
    given = _object(body, {"plan"}, {"billing_state", "settings", "feature_limits"})
    settings = _object(given.get("settings") or {}, (), {"csv_delimiter", "default_mode"}, "settings")
    limits = given.get("feature_limits")
    return Shop(
        shop_domain=domain,
        plan=_choice(Plan, given, "plan"),
        billing_state=_choice(BillingState, given, "billing_state", BillingState.ACTIVE),
        installed_at=now,
        settings=ShopSettings(
            csv_delimiter=_text(settings, "csv_delimiter", ","),
            default_mode=_choice(JobMode, settings, "default_mode", JobMode.NEW_ONLY),
        ),
        feature_limits=None if limits is None else _limits(limits),
    )


def schema_columns(body: Any) -> tuple[tuple[Column, ...], int | None]:
    """The columns of a new schema, and the version that it was made from if the caller says which.

    Raises:
        InvalidInputError: they make no schema.
    """
    given = _object(body, {"columns"}, {"replaces"})
    replaces = None if given.get("replaces") is None else _number(given, "replaces", 0, 999_998)
    return tuple(_column(each) for each in _list(given, "columns")), replaces


def span(first: str | None, last: str | None, now: datetime) -> tuple[datetime, datetime]:
    """From the begin of ``first`` to the end of ``last``, each an instant or a UTC day; all the time until now if not told.

    Both are the epoch at the earliest: a job's id can tell no time before it, and no job is older.

    Raises:
        InvalidInputError: one is neither, or the span ends before it begins.
    """
    begin = max(_instant(first, "from", _DAY_BEGINS), _EPOCH) if first else _EPOCH
    end = max(_instant(last, "to", _DAY_ENDS), _EPOCH) if last else max(now, begin)
    require(begin <= end, "the range ends before it begins")
    return begin, end


def days(first: str | None, last: str | None, today: date) -> tuple[date, date]:
    """A range of days, the last 30 if not told otherwise.

    Raises:
        InvalidInputError: it is none, ends before it begins, or is longer than :data:`MAX_DAYS`.
    """
    try:
        end = date.fromisoformat(last) if last else today
        begin = date.fromisoformat(first) if first else end - timedelta(days=29)
    except (ValueError, OverflowError):
        raise errors.InvalidInputError("from and to are days, as 2026-01-22") from None
    require(begin <= end, "the range ends before it begins")
    require((end - begin).days < MAX_DAYS, f"a range has at most {MAX_DAYS} days")
    return begin, end


def page_size(text: str | None, default: int = 20, most: int = 100) -> int:
    """How many rows a caller wants at a time.

    Raises:
        InvalidInputError: ``text`` is no number from 1 to ``most``.
    """
    if text is None:
        return default
    # Length first: Python reads no number of more than 4,300 digits.
    is_number = text.isascii() and text.isdecimal() and len(text) <= 9
    require(is_number and 1 <= int(text) <= most, f"limit is from 1 to {most}")
    return int(text)


def one_of(kind: type[Choice], text: str, what: str) -> Choice:
    """The member of ``kind`` that ``text`` names.

    Raises:
        InvalidInputError: it names none; ``what`` is the field.
    """
    try:
        return kind(text)
    except ValueError:
        raise errors.InvalidInputError(f"{what} is none of {', '.join(kind)}") from None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_BEGINS = timedelta(0)
_DAY_ENDS = timedelta(days=1, microseconds=-1)


def _instant(text: str, what: str, into_day: timedelta) -> datetime:
    try:
        if len(text) == len("2026-01-22"):
            return clock.parse(f"{text}T00:00:00Z") + into_day
        return clock.parse(text)
    except (ValueError, OverflowError):
        raise errors.InvalidInputError(f"{what} is no day and no instant with an offset") from None


def _column(value: Any) -> Column:
    given = _object(value, {"name"}, {"type", "required", "max_length"}, "a column")
    required = given.get("required", False)
    require(isinstance(required, bool), "required is true or false")
    return Column(
        name=_text(given, "name"),
        type=_choice(ColumnType, given, "type", ColumnType.STRING),
        required=required,
        max_length=None if given.get("max_length") is None else _number(given, "max_length", 1, 1024**2),
    )


def _limits(value: Any) -> PlanLimits:
    names = {field.name for field in dataclasses.fields(PlanLimits)}
    given = _object(value, names, (), "feature_limits")
    return PlanLimits(**{name: _number(given, name, 0, 10**12) for name in names})


def _object(value: Any, required: Collection[str], optional: Collection[str] = (), what: str = "the body") -> Mapping[str, Any]:
    require(isinstance(value, Mapping), f"{what} is no JSON object")
    missing = sorted(set(required) - value.keys())
    require(not missing, f"{what} lacks {', '.join(missing)}")
    unknown = sorted(value.keys() - set(required) - set(optional))
    require(not unknown, f"{what} has an unknown field {unknown[0][:40]!r}" if unknown else "")
    return dict(value)


def _text(given: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = given.get(name, default)
    value = default if value is None else value
    require(isinstance(value, str), f"{name} is no text")
    return str(value)


def _number(given: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise errors.InvalidInputError(f"{name} is no whole number from {least} to {most}")
    return value


def _list(given: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = given.get(name)
    if not isinstance(value, list):
        raise errors.InvalidInputError(f"{name} is no list")
    require(len(value) <= 10_000, f"{name} is too long")
    return value


def _choice(kind: type[Choice], given: Mapping[str, Any], name: str, default: Choice | None = None) -> Choice:
    return one_of(kind, _text(given, name, default), name)


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
