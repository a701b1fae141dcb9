"""What locust sends to the local cloud: Jira deliveries, pushes, and lease events by both ways in. Every sender waits for its
answer before it sends again. Run by ``tests.bench.load``, which passes the address in environment variables.
"""

import itertools
import json
import os

from locust import FastHttpUser, constant, task

from tests.bench import events
from tests.support.web.events import signature

SECRET = os.environ["LOAD_SECRET"]
AWS_URL = os.environ["LOAD_AWS_URL"]
BUS = os.environ["LOAD_EVENT_BUS"]
ISSUES = int(os.environ["LOAD_ISSUES"])
_AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=test/20261120/us-west-2/events/aws4_request, SignedHeaders=host, Signature=0"

numbers = itertools.count(1)


class Senders(FastHttpUser):
    """Jira, a Git host and the lease system in one, in the proportion 6 : 2 : 2."""

    wait_time = constant(0)

    @task(6)
    def jira(self) -> None:
        """A signed update of one of many issues."""
        self._post("/webhooks/jira", events.jira_delivery(next(numbers), ISSUES))

    @task(2)
    def commits(self) -> None:
        """A signed push of a commit that names one of these issues."""
        self._post("/webhooks/commits", events.push(next(numbers), ISSUES))

    @task(1)
    def lease_event_over_http(self) -> None:
        """A signed lease event."""
        self._post("/events", json.dumps(events.lease_event(next(numbers))))

    @task(1)
    def lease_event_on_the_bus(self) -> None:
        """PutEvents; the function runs later, by itself."""
        event = events.lease_event(next(numbers))
        entry = {
            "EventBusName": BUS,
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
        }
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "AWSEvents.PutEvents",
            "Authorization": _AUTHORIZATION,
        }
        with self.client.post(
            f"{AWS_URL}/", data=json.dumps({"Entries": [entry]}), headers=headers, name="PutEvents", catch_response=True
        ) as answer:
            if answer.status_code != 200 or answer.json().get("FailedEntryCount"):
                answer.failure(f"{answer.status_code}: {answer.text[:200]}")

    def _post(self, path: str, body: str) -> None:
        headers = {"Content-Type": "application/json", **signature(SECRET, body)}
        with self.client.post(path, data=body, headers=headers, name=f"POST {path}", catch_response=True) as answer:
            if answer.status_code != 202 or answer.json()["status"] not in {"stored", "accepted", "superseded"}:
                answer.failure(f"{answer.status_code}: {(answer.text or '')[:200]}")
