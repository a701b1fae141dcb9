"""What a record's field names tell: a fingerprint of the schema that was seen, and how it drifts from the one we know.

A changed fingerprint alone is no drift, since optional fields come and go within one status. Pure; reads nothing.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from lib.leases.records import Lease, shape_of


@dataclass(frozen=True, slots=True)
class Drift:
    """Names that a record of its status should not have, lacks, or holds in the wrong type; each sorted."""

    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    mistyped: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any drift."""
        return bool(self.unknown or self.missing or self.mistyped)


def fingerprint(names: Iterable[str]) -> str:
    """The SHA-256, in hex, of the set of ``names``: their order and repetitions do not count.

    The sorted names are joined as a JSON list, so that ``["a", "b"]`` and ``["ab"]`` or ``["a,b"]`` differ.
    """
    joined = json.dumps(sorted(set(names)), ensure_ascii=False)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


def drift(status: str | None, names: Iterable[str]) -> Drift:
    """How ``names`` differ from those of a record of ``status``: unknown ones, and required ones that are missing.

    Under an unknown status, only a name that no status has is unknown, and only one that every status needs is missing.
    """
    shape = shape_of(status)
    present = set(names)
    return Drift(
        unknown=tuple(sorted(present - shape.required - shape.optional)),
        missing=tuple(sorted(shape.required - present)),
    )


def drift_of(lease: Lease) -> Drift:
    """How a record differs from what its status promises, wrong types included."""
    by_name = drift(lease.status, lease.names)
    return Drift(by_name.unknown, by_name.missing, lease.mistyped)
