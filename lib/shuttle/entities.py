"""The entities in the Shuttle table: Shop, UsageDaily, UsageMonthly, Schema, Session, AppConfig; jobs are in :mod:`.jobs.job`.

An entity validates its own values, so that neither a caller nor a stored row can bring in a wrong one. Each has a key and
index keys; :func:`to_item` and :func:`from_item` convert it to a row and back. A summary is what an index includes of an
entity.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol, Self, TypeVar

from lib.platform import fields
from lib.shuttle import items, keys
from lib.shuttle.jobs.job import JobMode
from lib.shuttle.jobs.plans import Plan, PlanLimits
from lib.shuttle.validation import require, require_instants, require_values, whole_second

USAGE_DAILY_KEPT = timedelta(days=400)
ONLINE_SESSION_LASTS = timedelta(hours=24)
OFFLINE_SESSION_LASTS = timedelta(days=365)
MAX_SCOPES = 100
MAX_SCOPE_BYTES = 200
MAX_USER_ID_BYTES = 256
REMOVAL_ATTRIBUTE = "RemovalBeganAt"
"""Marks the row of a shop that is being removed: nothing of the shop may be created from then on."""
MAX_COLUMNS = 200
MAX_COLUMN_NAME = 100
MAX_ALIASES = 20
MAX_KEY_COLUMNS = 3
MAX_DRAFT_LENGTH = 100
DELIMITERS = (",", ";", "\t", "|")
"""What may separate the cells of a CSV file."""
CHANGE_COLUMN = "_change"
"""A column of the catalogue's files that no column of a schema may be named after."""
NO_KEY = 'The schema has no key. Save it with a key of 1 to 3 columns, for example "key": ["sku"].'
"""Why a schema without a key is refused, when it is saved and when a file is imported."""


class BillingState(enum.StrEnum):
    """Whether a shop pays."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CANCELLED = "CANCELLED"


class ColumnType(enum.StrEnum):
    """The type of the cells of a column."""

    STRING = "STRING"
    INTEGER = "INTEGER"
    DECIMAL = "DECIMAL"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    DATETIME = "DATETIME"


class SessionKind(enum.StrEnum):
    """ONLINE: a person at a browser. OFFLINE: the app itself, acting for the shop."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSettings:
    """Settings that a shop chooses. Without ``csv_delimiter``, the delimiter of each file is detected."""

    csv_delimiter: str | None = None
    default_mode: JobMode = JobMode.NEW_ONLY

    def __post_init__(self) -> None:
        is_known = self.csv_delimiter is None or self.csv_delimiter in DELIMITERS
        require(is_known, "the CSV delimiter is not comma, semicolon, tab or bar")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSummary:
    """The part of a Shop that GSI1 and GSI2 include."""

    shop_domain: str
    plan: Plan
    billing_state: BillingState
    installed_at: datetime

    def key(self) -> keys.Key:
        """The primary key of the shop."""
        return keys.shop(self.shop_domain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop(ShopSummary):
    """A tenant. ``feature_limits``, if agreed with the shop, replaces its plan's limits."""

    settings: ShopSettings = ShopSettings()
    feature_limits: PlanLimits | None = None

    def __post_init__(self) -> None:
        keys.shop_domain(self.shop_domain)
        require_instants(self.installed_at)

    @property
    def limits(self) -> PlanLimits:
        """The limits of this shop."""
        return self.feature_limits or self.plan.limits

    def index_keys(self) -> tuple[keys.Key, ...]:  # noqa: D102
        return (
            keys.shops_by_install(self.shop_domain, self.installed_at),
            keys.shops_by_plan(self.shop_domain, self.plan, self.billing_state),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCounters:
    """What is metered. ``imports`` and ``exports`` count when a job is created, the rest when it ends."""

    imports: int = 0
    exports: int = 0
    jobs_completed: int = 0
    jobs_failed: int = 0
    jobs_cancelled: int = 0
    rows_read: int = 0
    rows_failed: int = 0
    bytes_read: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDaily(UsageCounters):
    """A shop's usage on one day, in UTC."""

    shop_domain: str
    day: date
    expires_at: datetime

    def key(self) -> keys.Key:  # noqa: D102
        return keys.usage_daily(self.shop_domain, self.day)

    def index_keys(self) -> tuple[keys.Key, ...]:  # noqa: D102
        return (keys.usage_of_day(self.shop_domain, self.day),)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageMonthly(UsageCounters):
    """A shop's usage in one month (``2026-01``), in UTC. Never deleted: twelve small rows a year."""

    shop_domain: str
    month: str

    def key(self) -> keys.Key:  # noqa: D102
        return keys.usage_monthly(self.shop_domain, self.month)

    def index_keys(self) -> tuple[keys.Key, ...]:  # noqa: D102
        return (keys.usage_of_month(self.shop_domain, self.month),)


def normalized(name: str) -> str:
    """The form in which column names are compared: case and blanks around a name do not matter, nor how many blanks it has."""
    return " ".join(name.split()).casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a schema.

    ``max_length`` counts characters and is for STRING only. ``aliases`` are other names that the header of a file may use.
    ``decimal_comma``, for DECIMAL only: the text of a file is ``1,50`` instead of ``1.50``.
    """

    name: str
    type: ColumnType = ColumnType.STRING
    required: bool = False
    max_length: int | None = None
    aliases: tuple[str, ...] = ()
    decimal_comma: bool = False

    def __post_init__(self) -> None:
        _require_column_name(self.name, "name")
        require(self.max_length is None or self.type is ColumnType.STRING, "only a STRING column has a maximum length")
        require(self.max_length is None or self.max_length > 0, "a maximum length is above zero")
        require(not self.decimal_comma or self.type is ColumnType.DECIMAL, "only a DECIMAL column has a decimal comma")
        require(len(self.aliases) <= MAX_ALIASES, f"a column has at most {MAX_ALIASES} aliases")
        for alias in self.aliases:
            _require_column_name(alias, "alias")


def _require_column_name(name: str, what: str) -> None:
    require(0 < len(name) <= MAX_COLUMN_NAME, f"a column's {what} has 1 to {MAX_COLUMN_NAME} characters")
    require(name == name.strip() and name.isprintable(), f"a column's {what} has space around it or is not printable")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusColumn:
    """The column with the status of a row, and the value, as the catalogue stores it, that means draft."""

    name: str
    draft: str

    def __post_init__(self) -> None:
        require(0 < len(self.draft) <= MAX_DRAFT_LENGTH, f"the value that means draft has 1 to {MAX_DRAFT_LENGTH} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One version of what a shop's files must look like. The newest one is also stored with the current key.

    ``key_columns``, ``key`` in JSON, are the names of the 1 to 3 columns whose values identify a row; a schema that was saved
    before there were keys has none.
    """

    shop_domain: str
    version: int
    columns: tuple[Column, ...]
    created_at: datetime
    key_columns: tuple[str, ...] = ()
    status_column: StatusColumn | None = None

    def __post_init__(self) -> None:
        keys.schema_version(self.shop_domain, self.version)
        require_instants(self.created_at)
        require(0 < len(self.columns) <= MAX_COLUMNS, f"a schema has 1 to {MAX_COLUMNS} columns")
        given = [normalized(name) for column in self.columns for name in (column.name, *column.aliases)]
        require(len(set(given)) == len(given), "two columns or aliases have the same name, apart from case and blanks")
        names = {column.name for column in self.columns}
        require(CHANGE_COLUMN not in map(normalized, names), f"{CHANGE_COLUMN} is reserved: choose another name for the column")
        require(len(self.key_columns) <= MAX_KEY_COLUMNS, f"a key has 1 to {MAX_KEY_COLUMNS} columns")
        require(len(set(self.key_columns)) == len(self.key_columns), "the key names a column twice")
        for name in self.key_columns:
            require(name in names, f"the key has {name[:40]!a}, which is not the name of a column")
        if self.status_column is not None:
            types = {column.name: column.type for column in self.columns}
            require(self.status_column.name in types, "the status column is not one of the schema's columns")
            require(types[self.status_column.name] is ColumnType.STRING, "the status column is not of type STRING")

    def key(self) -> keys.Key:  # noqa: D102
        return keys.schema_version(self.shop_domain, self.version)

    def index_keys(self) -> tuple[keys.Key, ...]:  # noqa: D102
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """The part of a Session that GSI3 includes."""

    session_id: str
    shop_domain: str
    kind: SessionKind
    created_at: datetime
    expires_at: datetime

    def key(self) -> keys.Key:
        """The primary key of the session."""
        return keys.session(self.session_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(SessionSummary):
    """A sign-in to a shop. ``values`` are the app's own, such as access tokens: secrets, so its text does not show them."""

    user_id: str | None = None
    scopes: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        keys.session(self.session_id)
        keys.shop_domain(self.shop_domain)
        require_instants(self.created_at, self.expires_at)
        require(len(self.scopes) <= MAX_SCOPES, f"a session has at most {MAX_SCOPES} scopes")
        for scope in self.scopes:
            fields.checked(scope, "a scope", max_bytes=MAX_SCOPE_BYTES)
        fields.checked(self.user_id or "", "user_id", max_bytes=MAX_USER_ID_BYTES)
        require_values(self.values, "values")

    @classmethod
    def open(
        cls,
        session_id: str,
        shop_domain: str,
        kind: SessionKind,
        now: datetime,
        *,
        user_id: str | None = None,
        scopes: Iterable[str] = (),
        values: Mapping[str, str] | None = None,
    ) -> Self:
        """A session that begins now and lasts 24 hours (ONLINE) or a year (OFFLINE)."""
        lasts = ONLINE_SESSION_LASTS if kind is SessionKind.ONLINE else OFFLINE_SESSION_LASTS
        return cls(
            session_id=session_id,
            shop_domain=shop_domain,
            kind=kind,
            created_at=now,
            expires_at=whole_second(now + lasts),
            user_id=user_id,
            scopes=tuple(scopes),
            values=values or {},
        )

    def index_keys(self) -> tuple[keys.Key, ...]:  # noqa: D102
        return (keys.sessions_of_shop(self.shop_domain, self.session_id, self.expires_at),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppConfig:
    """Named settings of the whole app. They are not secrets."""

    name: str
    values: Mapping[str, str]
    updated_at: datetime

    def __post_init__(self) -> None:
        keys.app_config(self.name)
        require_instants(self.updated_at)
        require_values(self.values, "an app config")

    def key(self) -> keys.Key:  # noqa: D102
        return keys.app_config(self.name)

    def index_keys(self) -> tuple[keys.Key, ...]:  # noqa: D102
        return ()


class Summary(Protocol):
    """What every entity has, and the part of it that an index includes."""

    def key(self) -> keys.Key:
        """The primary key."""


class Entity(Summary, Protocol):
    """What every entity has."""

    def index_keys(self) -> tuple[keys.Key, ...]:
        """The keys in the indexes."""


Stored = TypeVar("Stored", bound=Entity)
Summarized = TypeVar("Summarized", bound=Summary)


def to_item(entity: Entity, key: keys.Key | None = None) -> items.Attributes:
    """The row of ``entity``: its key (or ``key`` instead), its index keys, its type and its fields."""
    row = (key or entity.key()).attributes() | {"EntityType": {"S": type(entity).__name__}}
    for index_key in entity.index_keys():
        row |= index_key.attributes()
    return row | items.to_attributes(entity)


def from_item(kind: type[Stored], item: Mapping[str, Any]) -> Stored:
    """The entity in a row.

    Raises:
        CorruptItemError: the row has another type, lacks a field, breaks a rule, or has the key of another row.
    """
    if item.get("EntityType") != {"S": kind.__name__}:
        raise items.CorruptItemError(f"a stored row is not of type {kind.__name__}")
    return summary_of(kind, item)


def summary_of(kind: type[Summarized], item: Mapping[str, Any]) -> Summarized:
    """The part of an entity in a row of an index.

    Raises:
        CorruptItemError: the row lacks a field, breaks a rule, or has the key of another row.
        InvalidInputError: the row has an id that is not one.
    """
    summary = items.from_attributes(kind, item)
    own = {summary.key()} | ({keys.schema_current(summary.shop_domain)} if isinstance(summary, Schema) else set())
    if keys.parse(item) not in own:
        raise items.CorruptItemError(f"a stored {kind.__name__} has another row's key")
    return summary
