"""Bodies that Jira and Git hosts send, as small as a test can use them, and the signed requests that bring them."""

import hashlib
import json
from types import ModuleType
from typing import Any

from tests.support.aws.lambda_context import LambdaContext
from tests.support.jira.cloud import COMMIT_SECRET, JIRA_SECRET
from tests.support.web.events import http_event, signature

SENT = 1_772_366_400_250  # 2026-03-01T12:00:00.250Z
UPDATED_AT = "2026-03-01T12:00:00.000000Z"
"""The key ``updated_at`` of the version row of :func:`issue_event`."""


def issue_event(key: str = "OPS-7", *, minute: int = 0, event: str = "jira:issue_updated", **fields: Any) -> dict[str, Any]:
    """An event with a whole issue, updated at 12:00 UTC and ``minute``, sent a quarter of a second later."""
    base = {"summary": "Disk full", "status": {"name": "Done"}, "updated": f"2026-03-01T12:{minute:02}:00.000+0000"}
    return {
        "timestamp": SENT + minute * 60_000,
        "webhookEvent": event,
        "issue": {"id": "10007", "key": key, "fields": base | fields},
    }


def comment_event(key: str = "OPS-7") -> dict[str, Any]:
    """An event that names an issue without its state, so that Jira has to be asked."""
    fields = {"summary": "Disk full"}
    return {"timestamp": SENT, "webhookEvent": "comment_created", "issue": {"id": "10007", "key": key, "fields": fields}}


def move_event(former: str, key: str, *, minute: int = 0) -> dict[str, Any]:
    """An issue moved to another project."""
    item = {"field": "Key", "fieldtype": "jira", "fromString": former, "toString": key}
    moved = issue_event(key, minute=minute)
    return {**moved, "issue_event_type_name": "issue_moved", "changelog": {"id": "1", "items": [item]}}


def digest(body: dict[str, Any]) -> str:
    """The idempotency key of the delivery whose body is ``body``."""
    return hashlib.sha256(json.dumps(body).encode()).hexdigest()


def sha(number: int) -> str:
    """The hash of the commit of that number."""
    return f"{number:040x}"


def github_push(*messages: str, branch: str = "main") -> dict[str, Any]:
    """A push of GitHub with one commit a message, hashed by their position."""
    commits = [
        {"id": sha(number), "message": message, "timestamp": "2026-03-01T04:59:00-07:00"}
        for number, message in enumerate(messages)
    ]
    return {"ref": f"refs/heads/{branch}", "repository": {"full_name": "acme/site"}, "commits": commits}


def github_pull_request(title: str, branch: str) -> dict[str, Any]:
    """A pull request of GitHub, opened."""
    request = {"title": title, "updated_at": "2026-03-01T12:00:00Z", "head": {"sha": sha(1), "ref": branch}}
    return {"action": "opened", "pull_request": request, "repository": {"full_name": "acme/site"}}


def bitbucket_push(message: str, *, branch: str = "main") -> dict[str, Any]:
    """A push of Bitbucket Cloud with one commit."""
    commit = {"hash": sha(0), "message": message, "date": "2026-03-01T12:00:00+00:00"}
    changes = [{"new": {"type": "branch", "name": branch}, "commits": [commit]}]
    return {"push": {"changes": changes}, "repository": {"full_name": "acme/site"}}


def deliver(
    webhooks: ModuleType, body: dict[str, Any] | str, identifier: str = "d-1", **headers: str
) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to what Jira sends, rightly signed."""
    text = body if isinstance(body, str) else json.dumps(body)
    given = {"X-Atlassian-Webhook-Identifier": identifier, **signature(JIRA_SECRET, text), **headers}
    return _post(webhooks, "/webhooks/jira", text, given)


def push(webhooks: ModuleType, body: dict[str, Any] | str, **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to what a Git host sends, rightly signed."""
    text = body if isinstance(body, str) else json.dumps(body)
    return _post(webhooks, "/webhooks/commits", text, {**signature(COMMIT_SECRET, text), **headers})


def _post(webhooks: ModuleType, path: str, text: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    answer = webhooks.lambda_handler(http_event("POST", path, text, headers), LambdaContext())
    return answer["statusCode"], json.loads(answer["body"])
