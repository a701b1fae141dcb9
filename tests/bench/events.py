"""Small events for each function, each unlike the last (what a function kept of one would add up), and the environment that
the functions find."""

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from lib.jira.tasks import Task
from lib.platform import clock
from tests.bench.aws_stub import SECRET
from tests.support.aws.sqs_events import sqs_event
from tests.support.web.events import http_event, signature, slack_signature

_ARN = "arn:aws:secretsmanager:us-west-2:123456789012:secret:load-1a2b3c"
_SHUTTLE = {
    "SHUTTLE_TABLE_NAME": "shuttle",
    "IMPORT_BUCKET_NAME": "imports",
    "JOB_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/shuttle-jobs",
    "EVENT_BUS_NAME": "switchboard",
}
_ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {
    "notification": {
        "LEASE_TABLE_ARN": "arn:aws:dynamodb:us-west-2:123456789012:table/leases",
        "OPERATIONS_TABLE_NAME": "operations",
        "NOTIFY_CHANNELS": "sns",
        "NOTIFICATION_TOPIC_ARN": "arn:aws:sns:us-west-2:123456789012:notifications",
        "EVENT_WEBHOOK_SECRET_ARN": _ARN,
    },
    "webhooks": {
        "JIRA_ISSUES_TABLE_NAME": "issues",
        "ARTIFACT_BUCKET_NAME": "artifacts",
        "JIRA_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/jira-work",
        "HISTORY_DAYS": "90",
        "JIRA_PROJECTS": "OPS",
        "JIRA_WEBHOOK_SECRET_ARN": _ARN,
        "COMMIT_WEBHOOK_SECRET_ARN": _ARN,
    },
    "approvals": {
        "OPERATIONS_TABLE_NAME": "operations",
        "APPROVAL_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/approval-work",
        "SLACK_SIGNING_SECRET_ARN": _ARN,
        "HAS_CHANNEL": "true",
    },
    "jira_worker": {
        "JIRA_ISSUES_TABLE_NAME": "issues",
        "OPERATIONS_TABLE_NAME": "operations",
        "ARTIFACT_BUCKET_NAME": "artifacts",
        "APPROVAL_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/approval-work",
        "HISTORY_DAYS": "90",
    },
    "reconciliation": {
        "JIRA_ISSUES_TABLE_NAME": "issues",
        "OPERATIONS_TABLE_NAME": "operations",
        "ARTIFACT_BUCKET_NAME": "artifacts",
        "JIRA_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/jira-work",
        "HISTORY_DAYS": "90",
        "JIRA_PROJECTS": "OPS",
        "JIRA_EMAIL": "switchboard@sandbox.example",
        "JIRA_API_TOKEN_ARN": _ARN,
    },
    "shuttle": _SHUTTLE,
    "imports": _SHUTTLE,
    "health": {
        "LEASE_TABLE_ARN": "arn:aws:dynamodb:us-west-2:123456789012:table/leases",
        "JIRA_ISSUES_TABLE_NAME": "issues",
        "OPERATIONS_TABLE_NAME": "operations",
        "SHUTTLE_TABLE_NAME": "shuttle",
    },
}
ENTRY_POINTS = tuple(_ENVIRONMENTS)
SLOWER: Mapping[str, int] = {"health": 25}
"""How many times fewer invocations a function gets: a deep check starts six threads and takes tens of milliseconds."""
PERIOD = 1000
"""After so many, the kinds of events come again in the same order."""


def environment(entry_point: str, aws_url: str) -> dict[str, str]:
    """The variables of a function, with Jira at the same address as AWS."""
    return {"POWERTOOLS_SERVICE_NAME": entry_point, "JIRA_BASE_URL": aws_url, **_ENVIRONMENTS[entry_point]}


def lease_event(number: int) -> dict[str, Any]:
    """An event of EventBridge about a lease of its own."""
    return {
        "id": f"load-{number}",
        "source": "InnovationSandbox-load",
        "detail-type": "LeaseBudgetThresholdAlert",
        "time": clock.canonical(clock.utc_now()),
        "detail": {"leaseId": {"userEmail": f"person-{number}@sandbox.example", "uuid": f"lease-{number}"}, "budget": 200},
    }


def jira_delivery(number: int, issues: int) -> str:
    """An update of one of so many issues, later than every one before it."""
    seconds, milliseconds = divmod(1_772_366_400_000 + number, 1000)
    updated = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    key = number % issues + 1
    event = {
        "timestamp": 1_772_366_400_000 + number,
        "webhookEvent": "jira:issue_updated",
        "issue": {
            "id": str(10_000 + key),
            "key": f"OPS-{key}",
            "fields": {
                "summary": f"Change {number}",
                "updated": f"{updated}.{milliseconds:03}+0000",
                "status": {"name": "In Progress"},
                "fixVersions": [{"name": "1.0"}],
            },
        },
        "changelog": {"id": str(number), "items": []},
    }
    return json.dumps(event)


def push(number: int, issues: int) -> str:
    """A push of one commit that names one of so many issues."""
    commit = {
        "id": hashlib.sha1(str(number).encode()).hexdigest(),
        "message": f"OPS-{number % issues + 1}: change {number}",
        "timestamp": "2026-11-20T15:00:00-07:00",
    }
    return json.dumps({"ref": "refs/heads/main", "repository": {"full_name": "acme/site"}, "commits": [commit]})


def _signed(path: str, body: str) -> dict[str, Any]:
    return http_event("POST", path, body, {"Content-Type": "application/json", **signature(SECRET, body)})


def _notification(number: int) -> dict[str, Any]:
    event = lease_event(number)
    return _signed("/events", json.dumps(event)) if number % 2 else event


def _webhooks(number: int) -> dict[str, Any]:
    if number % 500 == 1:
        return http_event("GET", "/health")
    if number % 4 == 0:
        return _signed("/webhooks/commits", push(number, 10**6))
    return _signed("/webhooks/jira", jira_delivery(number, 10**6))


def _approvals(number: int) -> dict[str, Any]:
    if number % 4 == 0:
        body = urlencode({"payload": json.dumps({"type": "view_submission", "user": {"id": f"U{number}"}})})
        signed = slack_signature(SECRET, body, str(int(time.time())))
        headers = {"Content-Type": "application/x-www-form-urlencoded", **signed}
        return http_event("POST", "/slack/interactions", body, headers)
    draft = {
        "session_id": f"load-{number}",
        "title": f"Draft {number}",
        "problem": "An upload of 2 GB filled the importer's disk.",
        "project": "OPS",
        "requested_by": "U0REQUEST",
    }
    event = http_event("POST", "/drafts", json.dumps(draft), {"Content-Type": "application/json"})
    event["requestContext"]["identity"] = {"userArn": "arn:aws:iam::123456789012:user/load"}
    return event


def _jira_worker(number: int) -> dict[str, Any]:
    return sqs_event(Task(touched=(f"OPS-{number + 1}",)).to_body())


def _reconciliation(number: int) -> dict[str, Any]:
    return {"mode": "full" if number % 2 else "changes"}


def _shuttle(number: int) -> dict[str, Any]:
    shop = f"/shuttle/shops/shop-{number}.example.com"
    if number % 2:
        return http_event("GET", f"{shop}/jobs")
    return http_event("PUT", shop, json.dumps({"plan": "SMALL"}), {"Content-Type": "application/json"})


def _imports(_: int) -> dict[str, Any]:
    return {"mode": "sweep"}


def _health(_: int) -> dict[str, Any]:
    return {"mode": "deep"}


_MAKERS: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "notification": _notification,
    "webhooks": _webhooks,
    "approvals": _approvals,
    "jira_worker": _jira_worker,
    "reconciliation": _reconciliation,
    "shuttle": _shuttle,
    "imports": _imports,
    "health": _health,
}


def payload(entry_point: str, number: int) -> bytes:
    """The event of that number for a function."""
    return json.dumps(_MAKERS[entry_point](number)).encode()


def payloads(entry_point: str) -> Iterator[bytes]:
    """Events for a function, without end."""
    return (payload(entry_point, number) for number in itertools.count())


def complaint(entry_point: str, answer: bytes) -> str:
    """What is wrong with a function's answer; empty if it did what it should."""
    response = json.loads(answer)
    if "statusCode" in response:
        return (
            "" if response["statusCode"] < 300 else f"{entry_point} answered {response['statusCode']}: {response['body'][:200]}"
        )
    return f"{entry_point} failed messages" if response.get("batchItemFailures") else ""
