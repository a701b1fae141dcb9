"""The webhooks of the Jira stand-in: bodies as Jira Cloud sends them, signed, sent by a thread and retried."""

import hashlib
import hmac
import http.client
import json
import queue
import threading
import time
import urllib.parse
import uuid
from datetime import datetime
from typing import Any

from stack.local.standins.jira_site import Issue

TRIES = 5
# Jira waits 5 to 15 minutes between two tries.
WAIT_SECONDS = 0.2


class Webhooks:
    """What was sent. Without a ``url``, webhooks are only kept in ``sent``."""

    def __init__(self) -> None:
        self.url = ""
        self.secret = ""
        self.sent: list[dict[str, Any]] = []
        self._queue: queue.Queue[dict[str, Any]] = queue.Queue()
        self._sender: threading.Thread | None = None

    def send(self, event: str, issue: Issue, at: datetime, *, moved_from: str | None = None) -> None:
        """Send the webhook of a change."""
        body: dict[str, Any] = {
            "timestamp": int(at.timestamp() * 1000),
            "webhookEvent": event,
            "user": {"accountId": "account-of-a-user", "displayName": "A User"},
            "issue": issue.render(),
        }
        if event == "jira:issue_updated":
            item = {"field": "Key", "fieldtype": "jira", "fromString": moved_from, "toString": issue.key}
            body["issue_event_type_name"] = "issue_moved" if moved_from else "issue_updated"
            body["changelog"] = {"id": str(len(self.sent)), "items": [item] if moved_from else []}
        entry = {"identifier": str(uuid.uuid4()), "event": event, "body": json.dumps(body), "status": None, "tries": 0}
        self.sent.append(entry)
        if self.url:
            self._queue.put({"entry": entry, "url": self.url, "secret": self.secret})
            self._start()

    def reset(self) -> None:
        """Forget what was sent. Webhooks in the queue are still sent."""
        self.sent.clear()
        self.url = self.secret = ""

    def _start(self) -> None:
        if self._sender is None:
            self._sender = threading.Thread(target=self._run, name="jira-webhooks", daemon=True)
            self._sender.start()

    def _run(self) -> None:
        while True:
            job = self._queue.get()
            for number in range(TRIES):
                entry = job["entry"]
                entry["tries"] = number + 1
                entry["status"] = _post(job["url"], job["secret"], entry, number)
                # https://developer.atlassian.com/cloud/jira/platform/webhooks/#retry-policy
                if entry["status"] not in {0, 408, 409, 425, 429} and entry["status"] < 500:
                    break
                time.sleep(WAIT_SECONDS)


def _post(url: str, secret: str, entry: dict[str, Any], retry: int) -> int:
    """The status of the answer; 0 without an answer."""
    parts = urllib.parse.urlsplit(url)
    body = entry["body"].encode()
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "X-Atlassian-Webhook-Identifier": entry["identifier"],
        "X-Atlassian-Webhook-Flow": "Primary",
        "X-Hub-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    if retry:
        headers["X-Atlassian-Webhook-Retry"] = str(retry)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=20)
    try:
        connection.request("POST", f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
