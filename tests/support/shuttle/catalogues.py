"""Imports that change a catalogue without reading files: each adds one row, its own job id, to the version it merges with.

And the bus of their events.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from lib.shuttle import keys
from lib.shuttle.catalogue.store import CatalogueStore, replacing
from lib.shuttle.catalogue.versions import Catalogue, CatalogueMovedError, PendingEvent
from lib.shuttle.jobs.job import Counts, Job, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from tests.support.shuttle.builders import DOMAIN, NOON, ShuttleTable, an_order


def a_catalogue(job: Job, base: Catalogue | None = None, **changes: Any) -> Catalogue:
    """The version that ``job`` makes of ``base``."""
    version = base.version + 1 if base else 1
    values: dict[str, Any] = {
        "shop_domain": job.shop_domain,
        "version": version,
        "object_key": keys.catalogue_object(job.shop_domain, version, job.job_id, max(job.attempt, 1)),
        "rows": version,
        "bytes": 100,
        "schema_version": 1,
        "key_columns": ("sku",),
        "job_id": job.job_id,
        "made_at": NOON,
    }
    return Catalogue(**values | changes)


@dataclass
class Imports:
    """Workers of one shop; ``objects`` are the rows of each version's object."""

    table: ShuttleTable
    objects: dict[str, frozenset[str]] = field(default_factory=dict)

    def store(self, client: Any = None) -> CatalogueStore:
        return CatalogueStore(client or self.table.client, self.table.name, self.table.clock, sleep=lambda seconds: None)

    def jobs(self, client: Any = None) -> Jobs:
        return Jobs(client or self.table.client, self.table.name, self.table.clock, sleep=lambda seconds: None)

    def order(self, **order: Any) -> str:
        """The id of a new job."""
        return self.jobs().create(DOMAIN, an_order(**order)).job_id

    def run(self, job_id: str, client: Any = None) -> PendingEvent | None:
        """Start the job and end it, with its row in the catalogue."""
        return self.finish(self.jobs(client).start(DOMAIN, job_id), client)

    def finish(self, job: Job, client: Any = None) -> PendingEvent | None:
        """End a job that was started."""
        store, jobs = self.store(client), self.jobs(client)
        while True:
            base = store.current(DOMAIN)
            made = a_catalogue(job, base, made_at=self.table.clock())
            self.objects[made.object_key] = self.rows(base) | {job.job_id}
            outcome = Outcome(rows_read=1, counts=Counts(added=1), schema_version=1, catalogue_version=made.version)
            try:
                return jobs.finish(job, outcome, also=replacing(base, made))
            except CatalogueMovedError:
                continue

    def rows(self, catalogue: Catalogue | None) -> frozenset[str]:
        """The rows of a version."""
        return self.objects.get(catalogue.object_key, frozenset()) if catalogue else frozenset()

    def imported(self, times: int = 1) -> Catalogue:
        """The current version after so many imports."""
        for _ in range(times):
            self.run(self.order())
        return self.table.repository.catalogue(DOMAIN)


@dataclass
class Bus:
    """An event bus; it refuses the entries whose numbers are in ``refuses``."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    calls: int = 0
    refuses: set[int] = field(default_factory=set)
    fails: Exception | None = None

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        assert 0 < len(Entries) <= 10
        if self.fails is not None:
            raise self.fails
        self.calls += 1
        results = []
        for number, entry in enumerate(Entries):
            refused = number in self.refuses
            results.append({"ErrorCode": "ThrottlingException"} if refused else {"EventId": "e"})
            self.sent += [] if refused else [entry]
        return {"FailedEntryCount": len(self.refuses), "Entries": results}

    def details(self) -> list[dict[str, Any]]:
        return [json.loads(entry["Detail"]) for entry in self.sent]
