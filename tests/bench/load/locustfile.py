"""What locust sends: Jira deliveries, pushes, lease events on the bus and over HTTP, and signed reads. Every sender waits for
its answer before it sends again. Run by ``tests.bench.load``, which passes the plan (plan.py) in environment variables.
"""

import itertools
import json
import os

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from locust import FastHttpUser, constant, constant_throughput

from tests.bench import events as samples
from tests.bench.load.plan import ISSUES, SECRETS, Plan
from tests.support.web.events import signature

PLAN = Plan.read()
_AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=test/20261120/us-west-2/events/aws4_request, SignedHeaders=host, Signature=0"

numbers = itertools.count(PLAN.first)
session = botocore.session.get_session()


class Senders(FastHttpUser):
    """Jira, a Git host, the lease system and a shop in one."""

    wait_time = constant(0) if PLAN.rate is None else constant_throughput(PLAN.rate / PLAN.senders)

    def jira(self) -> None:
        """A signed update of one of many issues."""
        body = samples.jira_delivery(next(numbers), ISSUES).replace("OPS-", f"{PLAN.project}-")
        self._post("jira", "/webhooks/jira", body)

    def commits(self) -> None:
        """A signed push of a commit that names one of these issues."""
        self._post("commits", "/webhooks/commits", samples.push(next(numbers), ISSUES).replace("OPS-", f"{PLAN.project}-"))

    def events(self) -> None:
        """A signed lease event."""
        self._post("events", "/events", json.dumps(samples.lease_event(next(numbers))))

    def bus(self) -> None:
        """PutEvents; the function runs later, by itself."""
        event = samples.lease_event(next(numbers))
        entry = {
            "EventBusName": PLAN.event_bus,
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
            f"{PLAN.aws_url}/", data=json.dumps({"Entries": [entry]}), headers=headers, name="PutEvents", catch_response=True
        ) as answer:
            if answer.status_code != 200 or answer.json().get("FailedEntryCount"):
                answer.failure(f"{answer.status_code}: {answer.text[:200]}")

    def shuttle(self) -> None:
        """A read of a shop that does not exist, signed by AWS."""
        path = "/shuttle/shops/load.example"
        request = AWSRequest("GET", PLAN.url + path)
        region = session.get_config_variable("region") or "us-west-2"
        SigV4Auth(session.get_credentials(), "execute-api", region).add_auth(request)
        with self.client.get(path, headers=dict(request.headers), name=f"GET {path}", catch_response=True) as answer:
            if answer.status_code == 404 and "message" in answer.json():
                answer.success()
            else:
                answer.failure(f"{answer.status_code}: {(answer.text or '')[:200]}")

    def _post(self, kind: str, path: str, body: str) -> None:
        headers = {"Content-Type": "application/json", **signature(os.environ[SECRETS[kind]], body)}
        with self.client.post(path, data=body, headers=headers, name=f"POST {path}", catch_response=True) as answer:
            if answer.status_code != 202 or answer.json()["status"] not in {"stored", "accepted", "superseded"}:
                answer.failure(f"{answer.status_code}: {(answer.text or '')[:200]}")


_WEIGHTS = {"jira": 6, "commits": 2, "events": 1, "bus": 1, "shuttle": 1}
Senders.tasks = {getattr(Senders, kind): _WEIGHTS[kind] for kind in PLAN.kinds}
