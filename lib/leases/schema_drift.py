"""The schema of a lease record: a fingerprint of its field names, and how they differ from the known schema.

A changed fingerprint alone is not drift, because optional fields come and go within one status.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from lib.leases.records import Lease, shape_of


@dataclass(frozen=True, slots=True)
class Drift:
    """Names that a record of its status should not have, lacks, or has with the wrong type; each sorted."""

    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    mistyped: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any drift."""
        return bool(self.unknown or self.missing or self.mistyped)


def fingerprint(names: Iterable[str]) -> str:
    """The SHA-256, in hex, of the set of ``names``, regardless of order and repetition.

    The sorted names are joined as a JSON list, so that ``["a", "b"]`` and ``["ab"]`` or ``["a,b"]`` differ.
    """
    joined = json.dumps(sorted(set(names)), ensure_ascii=False)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


def drift(status: str | None, names: Iterable[str]) -> Drift:
    """How ``names`` differ from those of a record of ``status``.

    For an unknown status, a name is unknown only if no status has it, and missing only if every status requires it.
    """
    shape = shape_of(status)
    present = set(names)
    return Drift(
        unknown=tuple(sorted(present - shape.required - shape.optional)),
        missing=tuple(sorted(shape.required - present)),
    )


def drift_of(lease: Lease) -> Drift:
    """How a record differs from the schema of its status, including wrong types."""
    by_name = drift(lease.status, lease.names)
    return Drift(by_name.unknown, by_name.missing, lease.mistyped)
