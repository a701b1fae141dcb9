"""The versions of a shop's catalogue: the current one, those that were replaced, and the events about them.

::

    CATALOGUE                  version 8 ──► catalogue/<domain>/000008-<job>-1.parquet
    CATALOGUE#VERSION#000007   version 7 ──► catalogue/<domain>/000007-<job>-1.parquet
    CATALOGUE#VERSION#000006   version 6 ──► …

The row of a version is written when the version is replaced, in the transaction that replaces it.
"""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from lib.platform import errors
from lib.shuttle import keys
from lib.shuttle.validation import require, require_instants, whole_second

#: How many versions are kept, with the current one, and for how long after they were replaced.
VERSIONS_KEPT = 20
VERSION_KEPT = timedelta(days=90)


class CatalogueMovedError(errors.RetryableError):
    """Another version became the current one since it was read. Nothing was written: merge with that version, and try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The current version of a shop's catalogue.

    Attributes:
        version: from 1, one more at each change.
        object_key: the bucket key of its rows, as Parquet. A version that was restored shares it with the older one.
        rows: how many there are.
        bytes: the size of the object.
        schema_version: the schema that its columns are of.
        key_columns: the columns that identify a row.
        job_id: the import that made the rows.
        made_at: when it became the current version.
        restored_from: the version that it equals, if it was restored.
    """

    shop_domain: str
    version: int
    object_key: str
    rows: int
    bytes: int
    schema_version: int
    key_columns: tuple[str, ...]
    job_id: str
    made_at: datetime
    restored_from: int | None = None

    def __post_init__(self) -> None:
        keys.catalogue_version(self.shop_domain, self.version)
        keys.job_id(self.job_id)
        require_instants(self.made_at)
        require(min(self.rows, self.bytes) >= 0, "a catalogue has less than no rows or bytes")
        require(self.object_key.startswith(keys.catalogue_prefix(self.shop_domain)), "a catalogue's object is another shop's")

    def restored(self, current: "Catalogue", now: datetime) -> "Catalogue":
        """The version after ``current``, with the rows of this one."""
        return Catalogue(**_values(self) | {"version": current.version + 1, "made_at": now, "restored_from": self.version})

    def key(self) -> keys.Key:  # noqa: D102
        return keys.catalogue(self.shop_domain)

    def index_keys(self) -> tuple[keys.Key, ...]:  # noqa: D102
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedCatalogue(Catalogue):
    """A version of a shop's catalogue that another one replaced."""

    expires_at: datetime

    def key(self) -> keys.Key:  # noqa: D102
        return keys.catalogue_version(self.shop_domain, self.version)

    @classmethod
    def of(cls, catalogue: Catalogue, now: datetime) -> "ReplacedCatalogue":
        """``catalogue``, replaced now."""
        return cls(**_values(catalogue), expires_at=whole_second(now + VERSION_KEPT))


def _values(catalogue: Catalogue) -> dict[str, Any]:
    return {field.name: getattr(catalogue, field.name) for field in fields(Catalogue)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingEvent:
    """An event that is still to be published; ``detail`` is JSON. It is also what GSI1 includes of it."""

    shop_domain: str
    event_id: str
    detail_type: str
    detail: str
    created_at: datetime

    def __post_init__(self) -> None:
        keys.event(self.shop_domain, self.event_id)
        require_instants(self.created_at)

    def key(self) -> keys.Key:  # noqa: D102
        return keys.event(self.shop_domain, self.event_id)

    def index_keys(self) -> tuple[keys.Key, ...]:  # noqa: D102
        return (keys.pending_events(self.event_id, self.created_at),)
