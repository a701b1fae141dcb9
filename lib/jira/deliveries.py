"""Acts on what Jira sends, once it is read: stores an issue, or has the worker fetch it from Jira.

A delivery is acknowledged once it is stored. If the queue is down, it is still acknowledged, because the next delivery or
the sweep recomputes the issue. An event that only the queue would keep is refused.
"""

from dataclasses import dataclass
from typing import Any

from lib.jira.issue_writer import IssueWriter
from lib.jira.tasks import Task
from lib.jira.webhooks import Delivery, Ignored, NeedsFetch
from lib.jira.work_queue import WorkQueue
from lib.platform import contract, metrics
from lib.platform.log import Logger, scrub

_MAX_IDENTIFIER_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a sender: ``status`` is stored, duplicate, superseded, ignored or accepted; ``fields`` have the details."""

    status: str
    fields: dict[str, Any]

    def report(self, source: str, identifier: str, logger: Logger) -> dict[str, Any]:
        """Count and log the answer, and return its JSON.

        ``identifier`` is Jira's id of the delivery, for a search in Jira's own log; it may be empty. It is not signed, so
        nothing depends on it.
        """
        metrics.count(contract.WEBHOOK_DELIVERY, source=source, outcome=self.status)
        sent_as = {"identifier": identifier[:_MAX_IDENTIFIER_CHARACTERS]} if identifier else {}
        logger.info("webhook_delivery", source=source, status=self.status, **self.fields, **sent_as)
        # A sender may put anything into its event's type.
        shown = {name: scrub(value) if isinstance(value, str) else value for name, value in self.fields.items()}
        return {"status": self.status, **shown}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Stores deliveries in ``store``, and leaves to the worker what may take longer."""

    store: IssueWriter
    queue: WorkQueue
    logger: Logger

    def take(self, delivery: Delivery | Ignored | NeedsFetch) -> Answer:
        """Store the delivery, or queue the fetch.

        Raises:
            SwitchboardError: the table failed, or the queue of a fetch. Jira sends the delivery again.
        """
        match delivery:
            case Ignored(reason):
                return Answer("ignored", {"reason": reason})
            case NeedsFetch():
                self.queue.send(Task(fetch=delivery))
                return Answer("accepted", {"event_type": delivery.event_type, "fetching": list(delivery.issues)})
            case Delivery():
                return self._record(delivery)

    def _record(self, delivery: Delivery) -> Answer:
        recorded = self.store.record(delivery)
        keys = recorded.issue_keys
        # Of a duplicate too: it may be the retry of a delivery that was stored by a process which then crashed.
        queued = self.queue.try_recomputes(keys, self.logger, issue_keys=keys) is not None
        fields = {
            "event_type": delivery.event_type,
            "issue_key": delivery.issue_key,
            "issue_keys": list(keys),
            "updated_at": delivery.stamp.version_at,
            "correlation_queued": queued,
        }
        return Answer(recorded.outcome.value, fields)
