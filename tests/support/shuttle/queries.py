"""Rows for Shuttle's access patterns, and the requests that read them."""

from datetime import date, timedelta
from typing import Any

from lib.platform import clock
from lib.shuttle import entities, ulids
from lib.shuttle.entities import UsageDaily
from lib.shuttle.jobs.job import FileFormat, Job, JobKind, JobMode, JobStatus
from tests.support.shuttle.builders import DOMAIN, NOON, ShuttleTable

UNEXPIRED = "attribute_not_exists(#ttl) OR #ttl > :now"
NOW = {":now": {"N": str(clock.epoch_s(NOON))}}


def put(table: ShuttleTable, *stored: Any) -> None:
    for entity in stored:
        table.put_raw(entities.to_item(entity))


def a_job(minutes_ago: int = 0, domain: str = DOMAIN, status: JobStatus = JobStatus.QUEUED, **changes: Any) -> Job:
    made = NOON - timedelta(minutes=minutes_ago)
    values: dict[str, Any] = {
        "shop_domain": domain,
        "job_id": ulids.new(made),
        "kind": JobKind.IMPORT,
        "mode": JobMode.NEW_ONLY,
        "file_format": FileFormat.CSV,
        "status": status,
        "status_since": made,
        "created_at": made,
        "expires_at": made + timedelta(days=90),
        "lease_until": made if status is JobStatus.PROCESSING else None,
        "failure": "EMPTY_FILE" if status is JobStatus.FAILED else None,
    }
    return Job(**values | changes)


def sent(table: ShuttleTable, method: str) -> dict[str, Any]:
    """The only call that was made, without the table's name and the page size."""
    ((name, request),) = table.calls
    assert name == method
    assert request["TableName"] == table.name
    return {key: value for key, value in request.items() if key not in {"TableName", "Limit"}}


def a_query(pk: str, condition: str = "", values: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    """The Query that asks ``pk`` with a sort condition, as DynamoDB gets it."""
    index = rest.get("IndexName", "")
    hash_name, range_name = {"": ("PK", "SK"), "StatusIndex": ("ShopDomain", "Status")}.get(index, (f"{index}PK", f"{index}SK"))
    return {
        "KeyConditionExpression": "#pk = :pk" + condition,
        "FilterExpression": UNEXPIRED,
        "ExpressionAttributeNames": {"#pk": hash_name, "#ttl": "ExpiresAt"} | ({"#sk": range_name} if condition else {}),
        "ExpressionAttributeValues": {":pk": {"S": pk}} | NOW | {name: {"S": value} for name, value in (values or {}).items()},
        "ScanIndexForward": True,
    } | rest


def a_day(day: int, domain: str = DOMAIN, **counters: int) -> UsageDaily:
    return UsageDaily(shop_domain=domain, day=date(2026, 1, day), expires_at=NOON + timedelta(days=400), **counters)
