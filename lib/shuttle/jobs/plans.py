"""What a plan allows. The numbers are only here; a shop's own ``feature_limits`` replace them where agreed."""

import enum
from dataclasses import dataclass, fields

from lib.platform import errors

MIB = 1024 * 1024
MOST_CATALOGUE_ROWS = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """What a shop may do: unfinished jobs at a time, imports per day and per month (UTC), bytes and rows per file, and rows of
    its catalogue. Limits agreed without the last have that of the largest plan.
    """

    concurrent_jobs: int
    daily_imports: int
    monthly_imports: int
    max_file_bytes: int
    max_rows: int
    max_catalogue_rows: int = MOST_CATALOGUE_ROWS

    def __post_init__(self) -> None:
        if min(getattr(self, field.name) for field in fields(self)) < 0:
            raise errors.InvalidInputError("a limit is below zero")
        if self.concurrent_jobs > 100:
            raise errors.InvalidInputError("at most 100 jobs at a time: their ids are stored in one row")


class Plan(enum.StrEnum):
    """What a shop pays for."""

    FREE = "FREE"
    SMALL = "SMALL"
    MEDIUM = "MEDIUM"
    LARGE = "LARGE"

    @property
    def limits(self) -> PlanLimits:
        """What the plan allows."""
        return _LIMITS[self]


_LIMITS = {
    Plan.FREE: PlanLimits(
        concurrent_jobs=1,
        daily_imports=5,
        monthly_imports=50,
        max_file_bytes=10 * MIB,
        max_rows=10_000,
        max_catalogue_rows=50_000,
    ),
    Plan.SMALL: PlanLimits(
        concurrent_jobs=2,
        daily_imports=25,
        monthly_imports=300,
        max_file_bytes=50 * MIB,
        max_rows=100_000,
        max_catalogue_rows=500_000,
    ),
    Plan.MEDIUM: PlanLimits(
        concurrent_jobs=5,
        daily_imports=100,
        monthly_imports=2_000,
        max_file_bytes=250 * MIB,
        max_rows=1_000_000,
        max_catalogue_rows=5_000_000,
    ),
    Plan.LARGE: PlanLimits(
        concurrent_jobs=10,
        daily_imports=500,
        monthly_imports=10_000,
        max_file_bytes=1024 * MIB,
        max_rows=5_000_000,
        max_catalogue_rows=MOST_CATALOGUE_ROWS,
    ),
}
