"""``leases`` lists leases and schemas and shows one lease, without its owner's address."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from lib.platform.log import hash_email
from tests.support.operations.deployment import Deployment

Run = Callable[..., Result]
LEASE, OWNER = "11111111-2222-4333-8444-555555555555", hash_email("ada@example.com")


@pytest.fixture(autouse=True)
def deployment(deployment: Deployment) -> Deployment:
    schema: dict[str, Any] = {"event_id": "event-1", "fingerprint": "f1" * 32, "lease_status": "Active"}
    deployment.log("notification", "lease_schema", **schema, field_count=20, lease_uuid=LEASE, lease_user=OWNER)
    deployment.log("notification", "schema_drift", **schema, unknown=["newField"], missing=[], mistyped=[])
    deployment.log("notification", "lease_event", event_id="event-1", detail_type="LeaseFrozen", lease_uuid=LEASE,
                   enrichment={"status": "enriched", "reason": None}, channels={"sns": "sent"})  # fmt: skip
    return deployment


def one(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_leases_are_listed(run: Run) -> None:
    found = one(run("leases", "list", "--json"))

    assert (found["uuid"], found["owner"], found["status"]) == (LEASE, OWNER, "Active")
    assert [(each["id"], each["enrichment"]) for each in found["notifications"]] == [("event-1", "enriched")]


def test_schemas_are_listed_with_what_differs(run: Run) -> None:
    found = one(run("leases", "schemas", "--json"))

    assert (found["fingerprint"], found["leases"], found["unknown"]) == ("f1" * 32, 1, ["newField"])
    assert found["first_at"].endswith("-07:00")


def test_one_lease_is_shown(run: Run) -> None:
    assert one(run("leases", "show", LEASE, "--json"))["schemas"][0]["unknown"] == ["newField"]

    shown = run("leases", "show", LEASE).stdout
    for text in (LEASE, OWNER, "LeaseFrozen", "sent on sns", "f1f1f1f1f1f1", "newField"):
        assert text in shown


def test_an_unknown_lease_is_an_error(run: Run) -> None:
    result = run("leases", "show", "nobody")

    assert result.exit_code == 1
    assert "no log line of that time" in result.stderr
