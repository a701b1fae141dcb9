"""What moto holds in this process: copied, and put back as it was."""

import copy
import functools
from collections.abc import Callable
from typing import Any, TypeVar

from moto.core.base_backend import BackendDict
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from tests.support.aws.environment import REGION

ACCOUNT = "123456789012"

State = dict[str, dict[str, Any]]
Made = TypeVar("Made")
_Backends = dict[tuple[BackendDict[Any], str], Any]
"""What moto holds, by service and region."""

_in_use: list[BackendDict[Any]] = BackendDict._instances  # type: ignore[misc]
"""The services that were asked for something since moto was last reset."""


def made_once(make: Callable[[], Made]) -> Callable[[], Made]:
    """Have ``make`` call AWS the first time only. From then on, an AWS that is empty gets a copy of what moto held after it, in
    a twentieth of the time. An AWS that has something already gets the calls.

    ``make`` must make the same each time, and its result must not change.
    """
    kept: list[tuple[Made, _Backends]] = []

    @functools.wraps(make)
    def make_or_copy() -> Made:
        if _in_use:
            return make()
        if not kept:
            result = make()
            kept.append((result, _copied(_backends())))
            return result
        result, backends = kept[0]
        for (service, region), backend in _copied(backends).items():
            service[ACCOUNT][region] = backend
        s3_backends.bucket_accounts.update(dict.fromkeys(s3_backends[ACCOUNT]["aws"].buckets, ("aws", ACCOUNT)))
        return result

    return make_or_copy


def _backends() -> _Backends:
    """Those of our account and region. Without IAM, in which moto only looks for the caller."""
    services = [service for service in _in_use if service.service_name != "iam"]
    places = [(service, region) for service in services for region in service[ACCOUNT] if region in (REGION, "aws")]
    return {(service, region): service[ACCOUNT][region] for service, region in places}


def _copied(backends: _Backends) -> _Backends:
    queues = [queue for backend in backends.values() for queue in getattr(backend, "queues", {}).values()]
    locks = {id(queue._messages_lock): queue._messages_lock for queue in queues}  # they can not be copied
    return {place: copy.deepcopy(backend, dict(locks)) for place, backend in backends.items()}


def moto_state() -> State:
    """The rows, messages, objects and unfinished uploads. They are moto's own until they are copied."""
    buckets = s3_backends[ACCOUNT]["aws"].buckets
    return {
        "rows": {name: table.items for name, table in dynamodb_backends[ACCOUNT][REGION].tables.items()},
        "messages": {name: queue._messages for name, queue in sqs_backends[ACCOUNT][REGION].queues.items()},
        "objects": {name: dict(bucket.keys) for name, bucket in buckets.items()},
        "uploads": {name: bucket.multiparts for name, bucket in buckets.items()},
    }


def put_back(state: State) -> None:
    """Replace what the tables, queues and buckets hold. They must be there; those that ``state`` does not name are emptied."""
    for name, table in dynamodb_backends[ACCOUNT][REGION].tables.items():
        table.items.clear()
        table.items.update(copy.deepcopy(state.get("rows", {}).get(name, {})))
    for name, queue in sqs_backends[ACCOUNT][REGION].queues.items():
        queue._messages[:] = copy.deepcopy(state.get("messages", {}).get(name, []))
    for name, bucket in s3_backends[ACCOUNT]["aws"].buckets.items():
        bucket.keys.clear()
        bucket.keys.update(copy.deepcopy(state.get("objects", {}).get(name, {})))
        bucket.multiparts.clear()
        bucket.multiparts.update(copy.deepcopy(state.get("uploads", {}).get(name, {})))
