"""``issues fetch``: has the worker fetch an issue from Jira again, in the same way as for a webhook."""

import uuid

from lib.jira.issues import issue_key
from lib.jira.tasks import Task
from lib.jira.webhooks import NeedsFetch
from lib.jira.work_queue import WorkQueue
from lib.platform import clock

EVENT_TYPE = "switchboard:fetch_requested"
"""The event type of the delivery."""


def request_fetch(queue: WorkQueue, key: str, *, now: clock.Clock = clock.utc_now) -> str:
    """Queue the fetch of an issue, stored or not, and the recompute of its correlation.

    The worker stores what Jira returns as a delivery of its own; a version with the same ``updated`` is replaced. An issue
    that Jira does not return stays as it is: only reconciliation deletes.

    Returns:
        The idempotency key of the delivery, which the worker's log lines and the issue's history have.

    Raises:
        InvalidInputError: the key is malformed.
        SwitchboardError: the queue can't be reached or refuses.
    """
    key, delivery = issue_key(key), f"fetch:{uuid.uuid4().hex}"
    queue.send(Task((key,), NeedsFetch((key,), EVENT_TYPE, clock.epoch_ms(now()), delivery)))
    return delivery
