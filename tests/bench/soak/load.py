"""The mixed load: people work in Jira, a Git host pushes, the lease system reports, strangers sign with the wrong secret."""

import json
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import requests

from lib.platform import clock
from tests.bench.soak.clockwork import Clockwork
from tests.bench.soak.history import COMMENT, FORGED, JIRA_WAITS, POSTED, PUSH, PUT, WEBHOOK, History, Sent
from tests.support.approvals.cloud import ADA, SIGNING_SECRET, ApprovalsCloud
from tests.support.leases.builders import lease_item
from tests.support.web.events import signature

SECRET = "the soak's senders share it"
PROJECTS = ("OPS", "WEB")
DRAFTS = "PROJ"
STATUSES = ("To Do", "In Progress", "Done")
FIX_VERSIONS = ("1.0", "2.0", "3.0")
PEOPLE = ("account-ada", "account-grace", None)
LEASES = 20
LEASE_EVENTS = ("LeaseApproved", "LeaseBudgetThresholdAlert", "LeaseExpired", "LeaseFrozen")
MOST_ISSUES = 300
POISONS = 2
"""One event and one message."""
FORGED_PATHS = ("/webhooks/jira", "/webhooks/commits", "/events", "/slack/interactions")

WEIGHTS: Mapping[str, int] = {"webhook": 50, "comment": 4, "push": 12, "posted": 14, "put": 14, "draft": 5, "forge": 1}
"""Arrivals, in percent. Imports, clicks and reconciliations come beside them."""


class Load:
    """Sends one of each kind on request, and retries as the sender of its kind would."""

    def __init__(self, world: ApprovalsCloud, history: History, clockwork: Clockwork, seed: int) -> None:
        self._cloud = world.cloud
        self._world = world
        self._jira = world.jira.app
        self._history = history
        self._clockwork = clockwork
        self._chance = random.Random(seed)
        self._numbers: dict[str, int] = {}
        self.chains: dict[str, str] = {}
        """The id of the issue that a key belonged to, for every key that ever was."""
        self.poison = 0
        self.senders: dict[str, Callable[[], None]] = {
            "webhook": self.webhook,
            "comment": self.comment,
            "push": self.push,
            "posted": self.posted,
            "put": self.put,
            "forge": self.forge,
            "poison": self.poison_messages,
            "health": self.health,
        }

    def prepare(self) -> None:
        """Put leases, and create the first issues."""
        for number in range(LEASES):
            key = self._lease(number)
            item = lease_item("Active", **{name: {"S": value} for name, value in key.items()})
            self._cloud.client("dynamodb").put_item(TableName=self._cloud.outputs["lease_table_name"], Item=item)
        for project in PROJECTS:
            for _ in range(10):
                self._jira.create(project, f"Issue {self._next('issue')}", status="To Do")
        self.health()  # so that it is warm when a fault wants its alarm

    def choose(self) -> str:
        """The kind of the next arrival."""
        return self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]

    # Jira

    def webhook(self) -> None:
        """Somebody creates, edits, moves or deletes an issue."""
        live = self._live()
        action = self._chance.choices(("edit", "create", "move", "delete"), (70, 15, 9, 6))[0]
        if action == "create" and len(live) < MOST_ISSUES:
            self._jira.create(self._chance.choice(PROJECTS), f"Issue {self._next('issue')}", **self._fields())
            return
        key = self._chance.choice(live)
        if action == "move":
            self._jira.edit(key, project=PROJECTS[1 - PROJECTS.index(key.partition("-")[0])])
        elif action == "delete" and len(live) > MOST_ISSUES // 10:
            self._jira.delete(key)
        else:
            self._jira.edit(key, **self._fields())

    def deliver(self) -> float:
        """Take what Jira has sent since last asked, and deliver it in any order, some of it twice. To be called again."""
        with self._jira.lock:
            entries = list(self._jira.webhooks.sent)
            self._jira.webhooks.sent.clear()
        for entry in entries:
            body = json.loads(entry["body"])
            issue, items = body["issue"], body.get("changelog", {}).get("items", [])
            keys = [issue["key"], *(item["fromString"] for item in items)]
            self.chains.update(dict.fromkeys(keys, issue["id"]))
            facts = {
                "keys": keys,
                "event_at": body["timestamp"],
                "updated": issue["fields"]["updated"],
                "event": entry["event"],
            }
            sent = self._history.add(WEBHOOK, f"{entry['event']} of {issue['key']}", **facts)
            send = self._signed("/webhooks/jira", entry["body"], identifier=entry["identifier"])
            self._clockwork.add(self._history.delivery(sent, send, JIRA_WAITS), self._chance.choice((0.0, 0.0, 0.5, 3.0)))
            if self._chance.random() < 0.1:
                again = self._history.add(WEBHOOK, f"{sent.name}, again", **facts)
                self._clockwork.add(self._history.delivery(again, send, JIRA_WAITS), self._chance.uniform(0, 10))
        return 0.5

    def comment(self) -> None:
        """A comment, which lacks the state of its issue, so that the worker fetches it."""
        key = self._chance.choice(self._live())
        body = {
            "timestamp": clock.epoch_ms(clock.utc_now()),
            "webhookEvent": "comment_created",
            "issue": {"id": self.chains.get(key, "1"), "key": key, "fields": {"summary": "s"}},
        }
        sent = self._history.add(COMMENT, f"comment on {key}", keys=[key])
        send = self._signed("/webhooks/jira", json.dumps(body), identifier=str(uuid.uuid4()))
        self._clockwork.add(self._history.delivery(sent, send, JIRA_WAITS))

    def push(self) -> None:
        """A push of one commit that names one or two issues."""
        live = self._live()
        keys = sorted({self._chance.choice(live) for _ in range(2)})
        sha = f"{self._chance.getrandbits(160):040x}"
        commit = {"id": sha, "message": f"{' '.join(keys)}: change", "timestamp": clock.canonical(clock.utc_now())}
        body = json.dumps({"ref": "refs/heads/main", "repository": {"full_name": "acme/site"}, "commits": [commit]})
        sent = self._history.add(PUSH, f"push {sha[:8]}", sha=sha, keys=keys)
        self._clockwork.add(self._history.delivery(sent, self._signed("/webhooks/commits", body)))

    # Leases

    def put(self) -> None:
        """A lease event on the bus, which its rule hands to the function."""
        detail_type, detail = self._lease_event()
        sent = self._history.add(PUT, "PutEvents")

        def job() -> float | None:
            answer = requests.Response()
            answer.status_code = 200

            def send() -> requests.Response:
                sent.facts["id"] = sent.name = self._cloud.put_event(detail_type, detail)
                return answer

            self._history.attempt(sent, send)
            return None

        self._clockwork.add(job)

    def posted(self) -> None:
        """A lease event over HTTP."""
        detail_type, detail = self._lease_event()
        event_id = f"soak-http-{self._next('posted'):06}"
        event = {
            "id": event_id,
            "source": "InnovationSandbox-soak",
            "detail-type": detail_type,
            "time": clock.canonical(clock.utc_now()),
            "detail": detail,
        }
        sent = self._history.add(POSTED, event_id, id=event_id)
        self._clockwork.add(self._history.delivery(sent, self._signed("/events", json.dumps(event))))

    # What must not get through

    def forge(self) -> None:
        """A request that is signed with another secret."""
        path = self._chance.choice(FORGED_PATHS)
        number = self._next("forged")
        name = f"soak-forged-{number:06}"
        sent = self._history.add(FORGED, name, path=path, key=f"OPS-{900_000 + number}", sha=f"{number:040d}")
        if path == "/slack/interactions":
            payload = {"type": "block_actions", "user": {"id": ADA}, "actions": []}
            self._clockwork.add(
                self._history.delivery(sent, lambda: self._world.interact(payload, secret=f"not {SIGNING_SECRET}"))
            )
            return
        now = clock.canonical(clock.utc_now())
        bodies: dict[str, Any] = {
            "/webhooks/jira": {
                "timestamp": clock.epoch_ms(clock.utc_now()),
                "webhookEvent": "jira:issue_created",
                "issue": {"id": "1", "key": sent.facts["key"], "fields": {"summary": name, "updated": now}},
            },
            "/webhooks/commits": {
                "ref": "refs/heads/main",
                "repository": {"full_name": "acme/site"},
                "commits": [{"id": sent.facts["sha"], "message": "OPS-1", "timestamp": now}],
            },
            "/events": {"id": name, "detail-type": "LeaseExpired", "source": "x", "time": now, "detail": {}},
        }
        send = self._signed(path, json.dumps(bodies[path]), secret="another secret")
        self._clockwork.add(self._history.delivery(sent, send))

    def poison_messages(self) -> None:
        """An event and a message that nobody can read, however often they are tried."""
        self._cloud.invoke("notification", {"id": "soak-poison", "detail-type": "LeaseExpired"}, kind="Event")
        sqs = self._cloud.client("sqs")
        url = next(url for url in sqs.list_queues()["QueueUrls"] if "/shuttle-jobs-" in url and "dead" not in url)
        sqs.send_message(QueueUrl=url, MessageBody="soak-poison, not JSON")
        self.poison += POISONS

    def health(self) -> None:
        """The deep health check, besides its schedule."""
        self._cloud.invoke("health", {"mode": "deep"}, kind="Event")

    # What they share

    def _signed(self, path: str, body: str, *, secret: str = SECRET, identifier: str = "") -> Callable[[], requests.Response]:
        headers = {"Content-Type": "application/json", **signature(secret, body)}
        if identifier:
            headers["X-Atlassian-Webhook-Identifier"] = identifier
        url = self._cloud.http_url + path
        return lambda: requests.post(url, data=body.encode(), headers=headers, timeout=60)

    def _live(self) -> list[str]:
        with self._jira.lock:
            return [issue.key for issue in self._jira.site.by_id.values() if issue.project in PROJECTS]

    def _fields(self) -> dict[str, Any]:
        versions = self._chance.sample(FIX_VERSIONS, self._chance.choice((0, 1, 1, 2)))
        return {
            "status": self._chance.choice(STATUSES),
            "assignee": self._chance.choice(PEOPLE),
            "fix_versions": sorted(versions),
            "labels": ["soak", f"change-{self._next('change')}"],
        }

    def _lease_event(self) -> tuple[str, dict[str, Any]]:
        number = self._chance.randrange(LEASES)
        return self._chance.choice(LEASE_EVENTS), {"leaseId": self._lease(number), "accountId": "444455556666"}

    def _lease(self, number: int) -> dict[str, str]:
        return {"userEmail": f"person-{number}@sandbox.example", "uuid": str(uuid.UUID(int=number + 1))}

    def _next(self, name: str) -> int:
        self._numbers[name] = self._numbers.get(name, 0) + 1
        return self._numbers[name]


def lost(sent: Sent) -> bool:
    """Whether Jira gave a webhook up, so that only reconciliation can find the change."""
    return sent.kind == WEBHOOK and bool(sent.attempts) and not sent.accepted
