"""Removes a shop with everything that is stored of it: rows, sessions and objects (docs/how-to/onboard-a-shop.md).

::

    shop CANCELLED and marked, its jobs cancelled     from now on nothing of the shop can be created
    sessions and objects deleted
    SETTLING later: both again                        what a worker still stored, and what an index did not show yet
    rows deleted, that of the shop as the last

Each step is repeatable, and the shop's row stays until the rest is gone, so that the next call continues what an interrupted
one began. A worker that still runs can't store a result: the transaction that ends its job needs the job's row.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from lib.platform import aws, clock, errors
from lib.platform.dynamodb import Condition, Delete, Table, Update
from lib.shuttle import items, keys
from lib.shuttle.entities import REMOVAL_ATTRIBUTE, BillingState
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.transitions import IllegalTransitionError
from lib.shuttle.queries import Query
from lib.shuttle.tenancy import TenantClient, of_shop

#: A cancelled worker stops within 5 seconds, and an index shows a new row within a second or two.
SETTLING = timedelta(seconds=20)
_CALL_SECONDS = 2
"""A call deletes for this long, so that a person sees progress."""
_WAIT_SECONDS = 2
"""The pause after a call that only waits for the settling."""
_ROWS_AT_ONCE = 250
_OBJECTS_AT_ONCE = 1000
"""The most that one DeleteObjects takes."""

HasTime = Callable[[], bool]
"""Says whether there is time for another batch."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a call deleted, and whether it was the last one needed."""

    rows: int
    objects: int
    sessions: int
    complete: bool


class ShopObjects:
    """Deletes a shop's objects from the import bucket. Every method raises a SwitchboardError if S3 refuses.

    Args:
        client: an S3 client of :mod:`lib.platform.aws`.
        bucket: the import bucket.
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def delete(self, domain: str, has_time: HasTime) -> tuple[int, bool]:
        """Delete all objects and incomplete uploads. Returns how many, and whether these were all."""
        deleted = 0
        for prefix in keys.object_prefixes(domain):
            for batch in (self._abort_uploads, self._delete_objects):
                more = True
                while more:
                    if not has_time():
                        return deleted, False
                    with aws.translated("delete the shop's objects"):
                        some, more = batch(prefix)
                    deleted += some
        return deleted, True

    def _abort_uploads(self, prefix: str) -> tuple[int, bool]:
        listed = self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=prefix)
        uploads = listed.get("Uploads", [])
        for upload in uploads:
            try:
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            except ClientError as error:
                if aws.error_code(error) != "NoSuchUpload":  # completed or aborted in the meantime
                    raise
        return len(uploads), bool(listed.get("IsTruncated"))

    def _delete_objects(self, prefix: str) -> tuple[int, bool]:
        listed = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=_OBJECTS_AT_ONCE)
        found = [{"Key": each["Key"]} for each in listed.get("Contents", [])]
        if found:
            answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": found, "Quiet": True})
            if kept := answer.get("Errors"):
                codes = ", ".join(sorted({str(each.get("Code")) for each in kept}))
                raise errors.UnavailableError(f"S3 did not delete {len(kept)} of {len(found)} objects: {codes}")
        return len(found), bool(listed.get("IsTruncated"))


class Removal:
    """Removes one shop. Every method raises a SwitchboardError if a service can't be reached or refuses: call it again.

    Args:
        dynamodb: a DynamoDB client.
        table_name: the Shuttle table.
        domain: the shop. No row or object of another one can be reached.
        now: the clock.
    """

    def __init__(self, dynamodb: Any, table_name: str, domain: str, now: clock.Clock = clock.utc_now) -> None:
        client = TenantClient(dynamodb, table_name, domain)
        self._table = Table(client, table_name)
        self._jobs = Jobs(client, table_name, now)
        self._domain = domain
        self._now = now

    def run(self, objects: ShopObjects, has_time: HasTime) -> Removed:
        """Remove as much as there is time for. Call it again until it is complete.

        Raises:
            NotFoundError: the shop is not installed, and nothing of it is left.
        """
        began_at = self._begin()
        self._cancel_jobs()
        sessions, are_sessions_gone = self.delete_sessions(has_time)
        deleted, are_objects_gone = objects.delete(self._domain, has_time)
        has_settled = began_at is None or self._now() >= began_at + SETTLING
        rows, is_complete = 0, False
        if are_sessions_gone and are_objects_gone and has_settled:
            rows, is_complete = self._delete_rows(has_time)
        if began_at is None and is_complete and not rows + deleted + sessions:
            raise errors.NotFoundError(f"the shop {self._domain} does not exist, and nothing of it is stored")
        return Removed(rows, deleted, sessions, is_complete)

    def calls(self, objects: ShopObjects, sleep: Callable[[float], None] = time.sleep) -> Iterator[Removed]:
        """Call :meth:`run` until the whole shop is removed, and yield the result of each call. Errors as :meth:`run`."""
        while True:
            end = clock.monotonic() + _CALL_SECONDS
            call = self.run(objects, lambda: clock.monotonic() < end)  # noqa: B023 - asked during this call only
            yield call
            if call.complete:
                return
            if not call.rows + call.objects + call.sessions:
                sleep(_WAIT_SECONDS)

    def delete_sessions(self, has_time: HasTime) -> tuple[int, bool]:
        """Delete the shop's sessions, including ended ones. Returns how many, and whether these were all."""
        deleted = 0
        query = Query(index="GSI3", partition=keys.sessions_partition(self._domain), for_deletion=True)
        for key in self._found(query, "find the sessions"):
            if not has_time():
                return deleted, False
            # The index may be late: the session may be gone, and a new one of another shop may have its id.
            statement = Delete(key=key.attributes(), condition=of_shop(self._domain))
            deleted += self._table.delete(statement, "delete the session").accepted
        return deleted, True

    def _begin(self) -> datetime | None:
        """Cancel the shop's billing and mark it, permanently. Returns since when it is marked; None without a shop."""
        moment = items.value_to_attribute(self._now())
        state = BillingState.CANCELLED
        change = Update(
            key=keys.shop(self._domain).attributes(),
            sets={
                "BillingState": {"S": state.value},
                "GSI2SK": {"S": keys.billing_prefix(state) + self._domain},
            },
            defaults={REMOVAL_ATTRIBUTE: moment},
            condition=Condition(expression="attribute_exists(#PK)"),
        )
        applied = self._table.update(change, "begin the removal")
        if not applied.accepted or applied.item is None:
            return None
        return clock.parse(applied.item[REMOVAL_ATTRIBUTE]["S"])

    def _cancel_jobs(self) -> None:
        slots = self._table.get(keys.slots(self._domain).attributes(), "find the shop's unfinished jobs") or {}
        for job_id in slots.get("ActiveJobs", {}).get("SS", []):
            with contextlib.suppress(IllegalTransitionError, errors.NotFoundError):  # it has ended by itself
                self._jobs.cancel(self._domain, job_id)

    def _delete_rows(self, has_time: HasTime) -> tuple[int, bool]:
        deleted, shop = 0, keys.shop(self._domain)
        query = Query(partition=keys.shop_partition(self._domain), page_size=_ROWS_AT_ONCE, for_deletion=True)
        while some := list(islice((key for key in self._found(query, "find the rows") if key != shop), _ROWS_AT_ONCE)):
            if not has_time():
                return deleted, False
            self._table.batch_write([Delete(key=key.attributes()) for key in some], "delete the rows")
            deleted += len(some)
        marked = Condition(expression=f"attribute_exists(#{REMOVAL_ATTRIBUTE})")
        deleted += self._table.delete(Delete(key=shop.attributes(), condition=marked), "delete the shop").accepted
        return deleted, True

    def _found(self, query: Query, doing: str) -> Iterator[keys.Key]:
        return map(keys.parse, self._table.query(doing, **query.request(self._now())))
