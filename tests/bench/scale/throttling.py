"""DynamoDB's throttling rules for writes, in steps of half a second.

Documented by AWS: 1,000 write units per second and partition; 4,000 for a new on-demand table or index, then twice the peak of
more than 30 minutes ago; a write is throttled if one of the indexes that it changes can't take it; a partition under sustained
load is split, unless all of it goes to one place. Assumed, because AWS does not say: that a split takes five minutes of load.
Harsher than AWS: an index can't lag behind its table.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

STEP_SECONDS = 0.5
PARTITION_UNITS = 1_000
NEW_TABLE_UNITS = 4_000
PEAK_COUNTS_AFTER_SECONDS = 30 * 60
SPLIT_AFTER_SECONDS = 5 * 60

_SPACE = 1 << 64
_SAMPLES = 61


def position(hash_value: str, range_value: str | None, salt: int = 0) -> int:
    """Where a row is between 0 and 2**64: rows of one partition key are neighbours, by sort key.

    ``range_value`` is None if new rows always come at the end of their partition key.
    """
    end = (1 << 32) - 1 if range_value is None else _hash(range_value, salt)
    return _hash(hash_value, salt) << 32 | end


def _hash(text: str, salt: int) -> int:
    return int.from_bytes(hashlib.md5(f"{salt}:{text}".encode(), usedforsecurity=False).digest()[:4], "big")


@dataclass(slots=True)
class Partition:
    """A range of positions, from ``start`` to the next partition.

    Attributes:
        left: the units that it can take now.
        asked, taken: units of this second, with and without what was throttled.
        hot_seconds: how long it has been asked for as much as it has.
        seen: some positions that were written last: where the load is.
    """

    start: int
    left: float = PARTITION_UNITS
    asked: int = 0
    taken: int = 0
    hot_seconds: float = 0
    seen: dict[int, int] = field(default_factory=dict)


class Throughput:
    """What one on-demand table or index takes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.partitions = [Partition(_SPACE // 4 * number) for number in range(4)]
        self.throttled = 0
        self.peak_asked = self.peak_taken = self.peak_table = 0
        self._starts = [each.start for each in self.partitions]
        self._left: float = NEW_TABLE_UNITS
        self._peaks: list[tuple[float, int]] = []
        self._now = 0.0

    @property
    def units_per_second(self) -> int:
        """What all partitions together may take: twice the peak of more than 30 minutes ago."""
        old = (peak for at, peak in self._peaks if self._now - at >= PEAK_COUNTS_AFTER_SECONDS)
        return max(NEW_TABLE_UNITS, 2 * max(old, default=0))

    def partition(self, where: int) -> Partition:
        """The partition that has a position."""
        return self.partitions[bisect_right(self._starts, where) - 1]

    def can_take(self, partition: Partition, units: int) -> bool:
        """Whether a write of ``units`` is not throttled now."""
        return partition.left >= units and self._left >= units

    def take(self, partition: Partition, units: int) -> None:
        """Use units that it can take."""
        partition.left -= units
        partition.taken += units
        self._left -= units

    def next_step(self) -> None:
        """Half a second passes."""
        limit = self.units_per_second
        self._left = min(limit, self._left + limit * STEP_SECONDS)
        for partition in self.partitions:
            partition.left = min(PARTITION_UNITS, partition.left + PARTITION_UNITS * STEP_SECONDS)
        self._now += STEP_SECONDS
        if self._now % 1 == 0:
            self._next_second()

    def _next_second(self) -> None:
        table = sum(partition.taken for partition in self.partitions)
        if table > self.peak_table:
            self.peak_table = table
            self._peaks.append((self._now, table))
        for partition in tuple(self.partitions):
            self.peak_asked = max(self.peak_asked, partition.asked)
            self.peak_taken = max(self.peak_taken, partition.taken)
            is_hot = partition.asked >= PARTITION_UNITS
            partition.hot_seconds = max(0, partition.hot_seconds + (1 if is_hot else -1))
            partition.asked = partition.taken = 0
            if partition.hot_seconds >= SPLIT_AFTER_SECONDS:
                self._split(partition)

    def _split(self, partition: Partition) -> None:
        """Split where half of the load is on either side; not possible if all of it is in one place."""
        seen = sorted(partition.seen.values())
        middle = seen[len(seen) // 2]
        partition.hot_seconds = 0
        if middle == seen[0]:
            return
        at = self.partitions.index(partition) + 1
        self.partitions.insert(at, Partition(middle))
        self._starts.insert(at, middle)
        partition.seen.clear()


Cost = tuple[int, int, int]
"""Where a write takes how many units: the number of the table or index, the position, the units."""


def write(throughputs: Sequence[Throughput], costs: Sequence[Cost]) -> bool:
    """Make one write in a table and its indexes; False if it is throttled, and then it takes nothing."""
    fits = True
    places = []
    for number, where, units in costs:
        throughput = throughputs[number]
        partition = throughput.partition(where)
        partition.asked += units
        partition.seen[where % _SAMPLES] = where
        if not throughput.can_take(partition, units):
            throughput.throttled += 1
            fits = False
        places.append((throughput, partition, units))
    if fits:
        for throughput, partition, units in places:
            throughput.take(partition, units)
    return fits
