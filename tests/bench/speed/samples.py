"""The events that the measured programs get.

The webhook is an issue as Jira Cloud sends it, some 4 kB with a description and custom fields; the lease and its event are
those of Innovation Sandbox on AWS.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from lib.platform import clock
from tests.bench.aws_stub import SECRET
from tests.support.leases.builders import lease_event
from tests.support.web.events import http_event, signature

_TEXT = "The disk of the build machine is full again and builds fail at the step that packs the image. " * 12
ISSUE: dict[str, Any] = {
    "timestamp": 1_772_366_400_250,
    "webhookEvent": "jira:issue_updated",
    "issue_event_type_name": "issue_generic",
    "user": {
        "accountId": "5b10a2844c20165700ede21g",
        "displayName": "Rosa Field",
        "active": True,
        "timeZone": "America/Phoenix",
    },
    "issue": {
        "id": "10007",
        "key": "OPS-7",
        "self": "https://example.atlassian.net/rest/api/2/10007",
        "fields": {
            "summary": "Disk full",
            "description": _TEXT,
            "status": {"name": "Done", "id": "10001", "statusCategory": {"id": 3, "key": "done", "name": "Done"}},
            "assignee": {"accountId": "5b10a2844c20165700ede21g", "displayName": "Rosa Field"},
            "fixVersions": [{"id": "1", "name": "2026.3"}],
            "project": {"id": "10000", "key": "OPS", "name": "Operations"},
            "issuetype": {"id": "10002", "name": "Task", "subtask": False},
            "labels": ["infrastructure", "builds"],
            "created": "2026-02-01T12:00:00.000+0000",
            "updated": "2026-03-01T12:00:00.000+0000",
            **{f"customfield_{number}": None for number in range(10020, 10060)},
        },
    },
    "changelog": {
        "id": "10124",
        "items": [{"field": "status", "fieldtype": "jira", "fromString": "To Do", "toString": "Done"}],
    },
}


_FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)


def webhook(number: int = 1) -> bytes:
    """The event of delivery ``number``: the same issue, updated a second later than by the one before."""
    text = webhook_body(issue=7, updated=_FIRST + timedelta(seconds=number))
    headers = {
        "Content-Type": "application/json",
        "Host": "abcdef1234.execute-api.us-west-2.amazonaws.com",
        "User-Agent": "Atlassian Webhook HTTP Client",
        "X-Atlassian-Webhook-Identifier": f"delivery-{number}",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        **signature(SECRET, text),
    }
    return json.dumps(whole(http_event("POST", "/webhooks/jira", text, headers), "/webhooks/jira")).encode()


def webhook_body(*, issue: int, updated: datetime) -> str:
    """What Jira sends of the issue of that number."""
    fields = {**ISSUE["issue"]["fields"], "updated": updated.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
    changed = {**ISSUE["issue"], "key": f"OPS-{issue}", "fields": fields}
    return json.dumps({**ISSUE, "timestamp": int(updated.timestamp() * 1000) + 250, "issue": changed})


def whole(event: dict[str, Any], resource: str) -> dict[str, Any]:
    """A request as API Gateway hands it over, payload format 1.0, under a route of its own: some frameworks look for that."""
    context = event["requestContext"]
    named = zip(resource.split("/"), event["path"].split("/"), strict=True)
    identity = {"sourceIp": "192.0.2.1", "userAgent": "Atlassian Webhook HTTP Client", **context.get("identity", {})}
    return {
        **event,
        "resource": resource,
        "multiValueHeaders": {name: [value] for name, value in event["headers"].items()},
        "pathParameters": {name[1:-1]: value for name, value in named if name.startswith("{")} or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "domainName": "abcdef1234.execute-api.us-west-2.amazonaws.com",
            "protocol": "HTTP/1.1",
            "resourcePath": resource,
            **context,
            "identity": identity,
        },
    }


_NOW = clock.canonical(clock.utc_now())


def lease(number: int = 1) -> bytes:
    """The lease event of that number."""
    return json.dumps(
        lease_event("LeaseBudgetThresholdAlert", id=f"0b6c6f0e-3a1f-4f5e-8d7d-{number:012}", time=_NOW, detail=_alert())
    ).encode()


def _alert() -> dict[str, Any]:
    event: dict[str, Any] = lease_event()["detail"]
    return {**event, "budget": 250, "totalSpend": 200, "budgetThresholdTriggered": 187.5, "actionRequested": "ALERT"}
