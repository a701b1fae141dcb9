"""Events about a shop's catalogue on the event bus, each published at least once (docs/how-to/consume-import-events.md).

::

    transaction: job COMPLETED, catalogue moved, row EVENT#<ulid> ─► PutEvents ─► row deleted
                                                  └─► a crash: the row stays, and the sweep publishes it

The row is written in the transaction that makes the event true, so that no event is lost and none is about something that
did not happen. After a crash between PutEvents and the deletion an event is published twice, with the same ``event_id``.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Protocol

from lib.platform import aws, clock, errors
from lib.platform.contract import SHUTTLE_EVENT_SOURCE
from lib.platform.dynamodb import Delete, Put, Table
from lib.platform.wording import counted
from lib.shuttle import entities, ulids
from lib.shuttle.catalogue.versions import Catalogue, PendingEvent
from lib.shuttle.jobs.job import Job, JobKind, JobSummary, Outcome
from lib.shuttle.repository import Repository, Skip, fail

SOURCE = SHUTTLE_EVENT_SOURCE
IMPORT_COMPLETED = "ImportCompleted"
IMPORT_FAILED = "ImportFailed"
CATALOGUE_ROLLED_BACK = "CatalogueRolledBack"

#: The sweep publishes events that are older: the process that stored them has crashed.
LEFT_AFTER = timedelta(minutes=1)
_MAX_ENTRIES = 10
"""The most that one PutEvents takes."""


def completed(job: Job, outcome: Outcome, now: datetime) -> PendingEvent | None:
    """The event about an import that a worker ended; None for an export and for a dry run, which change nothing."""
    if outcome.failure is not None:
        counts = {"rows_read": outcome.rows_read, "rows_failed": outcome.rows_failed}
        return failed(job, outcome.failure, outcome.failure_detail, now, counts)
    if not _has_event(job):
        return None
    detail = {
        "job_id": job.job_id,
        "mode": job.mode,
        "catalogue_version": outcome.catalogue_version,
        "schema_version": outcome.schema_version,
        "rows_read": outcome.rows_read,
        "rows_failed": outcome.rows_failed,
        **dataclasses.asdict(outcome.counts),
        "changes": None if outcome.changes_key is None else {"key": outcome.changes_key},
    }
    return _event(job.shop_domain, IMPORT_COMPLETED, detail, now)


def failed(
    job: JobSummary, failure: str, failure_detail: str | None, now: datetime, counts: Mapping[str, int] | None = None
) -> PendingEvent | None:
    """The event about an import that failed; ``counts`` is what its worker counted, if it ended the import itself."""
    if not _has_event(job):
        return None
    detail = {"job_id": job.job_id, "mode": job.mode, "failure": failure, "failure_detail": failure_detail, **(counts or {})}
    return _event(job.shop_domain, IMPORT_FAILED, detail, now)


def rolled_back(former: Catalogue, restored: Catalogue) -> PendingEvent:
    """The event about a version that was restored in place of ``former``."""
    detail = {
        "catalogue_version": restored.version,
        "restored_from": restored.restored_from,
        "replaced_version": former.version,
        "schema_version": restored.schema_version,
        "rows": restored.rows,
    }
    return _event(restored.shop_domain, CATALOGUE_ROLLED_BACK, detail, restored.made_at)


def statement(event: PendingEvent) -> Put:
    """Store an event, to be published."""
    return Put(item=entities.to_item(event))


def _has_event(job: JobSummary) -> bool:
    return job.kind is JobKind.IMPORT and not job.dry_run


def _event(domain: str, detail_type: str, detail: Mapping[str, Any], now: datetime) -> PendingEvent:
    event_id = ulids.new(now)
    whole = {"event_id": event_id, "shop_domain": domain, "at": clock.canonical(now), **detail}
    return PendingEvent(
        shop_domain=domain, event_id=event_id, detail_type=detail_type, detail=json.dumps(whole), created_at=now
    )


class EventBus(Protocol):
    """An EventBridge client of :mod:`lib.platform.aws`."""

    def put_events(self, *, Entries: list[dict[str, Any]]) -> Mapping[str, Any]:  # noqa: N803 - botocore's own name
        """PutEvents."""


class Publisher:
    """Publishes stored events.

    Args:
        dynamodb: a DynamoDB client, or a tenant's (:mod:`lib.shuttle.tenancy`).
        table_name: the Shuttle table.
        bus: the client of the event bus.
        bus_name: its name or ARN.
        bucket: the import bucket, where the changes are that an event refers to.
        now: the clock.
    """

    def __init__(
        self, dynamodb: Any, table_name: str, bus: EventBus, bus_name: str, *, bucket: str, now: clock.Clock = clock.utc_now
    ) -> None:
        self._table = Table(dynamodb, table_name)
        self._repository = Repository(dynamodb, table_name, now)
        self._bus = bus
        self._bus_name = bus_name
        self._bucket = bucket
        self._now = now

    def publish(self, events: Iterable[PendingEvent]) -> int:
        """Publish events and delete their rows. Returns how many.

        Raises:
            UnavailableError: the bus refused some of them. The others are published. The rows stay, and the sweep tries again.
            SwitchboardError: the bus or the table can't be reached or refuses.
        """
        published, codes, pending = 0, list[str](), iter(events)
        while some := list(islice(pending, _MAX_ENTRIES)):
            with aws.translated("publish the events"):
                answer = self._bus.put_events(Entries=[self._entry(event) for event in some])
            for event, result in zip(some, answer["Entries"], strict=True):
                if "ErrorCode" in result:
                    codes.append(result["ErrorCode"])
                else:
                    self._table.delete(Delete(key=event.key().attributes()), "delete the published event")
                    published += 1
        if codes:
            raise errors.UnavailableError(
                f"the event bus refused {counted(len(codes), 'event')} and took {published}: {', '.join(sorted(set(codes)))}"
            )
        return published

    def publish_left(self, skip: Skip = fail) -> int:
        """Publish the events of all shops whose publisher crashed or failed. Returns how many. Errors as :meth:`publish`.

        ``skip`` receives the corrupt rows.
        """
        return self.publish(self._repository.pending_events(self._now() - LEFT_AFTER, skip))

    def _entry(self, event: PendingEvent) -> dict[str, Any]:
        detail = json.loads(event.detail)
        if detail.get("changes"):
            detail["changes"] = {"bucket": self._bucket, **detail["changes"]}
        return {
            "Time": event.created_at,
            "Source": SOURCE,
            "DetailType": event.detail_type,
            "Detail": json.dumps(detail),
            "EventBusName": self._bus_name,
        }
