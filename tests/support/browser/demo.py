"""A local cloud with the demo's data and a console, in processes of their own, and the pages of that console."""

import contextlib
import io
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import requests
from playwright.sync_api import Page
from rich.console import Console

from stack.local.cloud import LocalCloud, Ready
from stack.local.demo import CONFIG, approvals, jira, shuttle
from stack.local.demo.shuttle import SHOP
from stack.local.demo.stage import Stage
from stack.local.lease_samples import EVENTS, LEASES, put_leases
from tests.support.cloud import Cloud, running_cloud, until
from tests.support.shuttle.api import ShuttleApi

PROJECT = "OPS"
CHANNEL = "sandbox-leases"
LEAD_CHANNEL, LEAD_TEMPLATE = "lead", "Data science"
_RULES = [
    {"match": {"severity": "critical", "template": LEAD_TEMPLATE}, "channels": ["slack"], "slackChannel": LEAD_CHANNEL},
    {"match": {"template": LEAD_TEMPLATE}, "drop": True},
]
_CONFIG = {
    **CONFIG,
    "notifyChannels": "sns,slack,teams,govuk_notify",
    "notifyRoutes": json.dumps(_RULES),
    "slackChannel": CHANNEL,
    "govukNotifyApiKey": "sandbox-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0",
    "govukNotifyTemplateId": "f33517ff-2a88-4f6e-b855-c550268ce08a",
    "approvers": f"{approvals.ADA},{approvals.GRACE}",
    "reconcileMaxDeletes": "2",
}
_STANDINS = {
    "jira": "jiraBaseUrl",
    "slack": "slackApiUrl",
    "teams": "teamsWebhookUrl",
    "govuk_notify": "govukNotifyUrl",
}


@dataclass(frozen=True, slots=True)
class Demo:
    """A running cloud, as the demo's flows and the tests use it.

    Attributes:
        cloud: the cloud.
        standins: the URL of each stand-in, by the config key that it is the value of.
        desk: drafts and clicks.
    """

    cloud: Cloud
    standins: Mapping[str, str]

    @property
    def ready(self) -> Ready:
        """What ``up`` printed."""
        return Ready(self.cloud.http_url, self.cloud.aws_url, self.cloud.region, self.cloud.outputs, self.cloud.console_url)

    @property
    def client(self) -> Callable[[str], Any]:
        """Makes clients of its AWS API."""
        return self.cloud.client

    @property
    def desk(self) -> approvals.Approvals:
        """Drafts, and clicks in Slack."""
        return approvals.Approvals(self._as_local)

    @property
    def console(self) -> str:
        """The console's address, without a path."""
        return self.cloud.console_url.partition("/?")[0]

    @property
    def _as_local(self) -> LocalCloud:
        return cast(LocalCloud, self)  # the demo's flows use no more of one

    def open(self, page: Page, path: str = "/") -> None:
        """Open a page of the console, with a session."""
        token = self.cloud.console_url.partition("token=")[2]
        page.goto(f"{self.console}{path}{'&' if '?' in path else '?'}token={token}")

    def is_there(self, path: str) -> bool:
        """Whether the console has a page. One about an event appears with its log lines."""
        session = requests.Session()
        session.get(self.cloud.console_url, timeout=30)
        return session.get(self.console + path, timeout=30).ok

    def play(self) -> None:
        """Fill the cloud: every lease event, Jira's issues, a shop's imports and rollback, and a draft that
        waits, a failed one, a job without a file and a dead letter."""
        stage = Stage(Console(file=io.StringIO()))
        put_leases(self.client("dynamodb"), self.cloud.outputs["lease_table_name"])
        for kind, detail in EVENTS:
            self.cloud.put_event(kind, detail)
        jira.play(self._as_local, stage)
        shuttle.play(self._as_local, stage)
        if stage.close():
            raise AssertionError(stage.console.file.getvalue())  # type: ignore[attr-defined]
        self.submit("upload-limit", approvals.DRAFT["title"])
        self.refuse_issue_of("upload-count", "Count refused uploads")
        self.start_import()
        self.send_poison()

    def submit(self, session_id: str, title: str, **given: Any) -> dict[str, Any]:
        """Submit a draft, and wait for its preview."""
        status, answer = self.desk.submit({**approvals.DRAFT, "session_id": session_id, "title": title, **given})
        assert status == 200, answer
        preview = self.desk.preview(session_id)
        assert preview["blocks"], f"no preview of {session_id}"
        return preview

    def refuse_issue_of(self, session_id: str, title: str) -> None:
        """Submit a draft that is approved, and whose issue Jira refuses to create."""
        preview = self.submit(session_id, title)
        self.break_next("jiraBaseUrl", "/rest/api/3/issue", status=400)
        self.desk.click(preview, approvals.GRACE, "approve_draft")
        until(lambda: "not created" in json.dumps(self.desk.now(preview)), 60)

    def create_issue(self, summary: str) -> str:
        """Create an issue in Jira, and have it stored without a webhook; its key."""
        body = {"project": PROJECT, "summary": summary}
        answer = requests.post(f"{self.standins['jiraBaseUrl']}/_standin/issues", json=body, timeout=10)
        self.cloud.invoke("reconciliation", {"mode": "full"})
        return str(answer.json()["key"])

    def start_import(self) -> str:
        """Create a job whose file never comes; its id."""
        return str(ShuttleApi(self.cloud).shop(SHOP, columns=None).order(1000)["job"]["job_id"])

    def break_next(self, standin: str, path: str, times: int = 1, **fault: Any) -> None:
        """Let a stand-in (its config key) refuse the next requests."""
        body = {"path": path, "times": times, **fault}
        assert requests.post(f"{self.standins[standin]}/_standin/faults", json=body, timeout=10).ok

    def repair(self, standin: str) -> None:
        """Let a stand-in work again."""
        assert requests.delete(f"{self.standins[standin]}/_standin/faults", timeout=10).ok

    def put_lease(self, **more: Any) -> dict[str, str]:
        """Put a lease of its own into LeaseTable; its key."""
        key = {"userEmail": "ada@sandbox.example", "uuid": str(uuid.uuid4())}
        self.cloud.put_lease({**LEASES[0], **key, **more})
        return key

    def fail_to_notify(self) -> tuple[str, str]:
        """An event whose message Slack refuses until it is a dead letter; then Slack works again. Its lease and its id."""
        key, before = self.put_lease(), self.letters()
        self.break_next("slackApiUrl", "/api/chat.postMessage", 1000, error="invalid_auth")
        event_id = self.cloud.put_event("LeaseApproved", {"leaseId": key})
        until(lambda: self.letters() > before, 60)
        self.repair("slackApiUrl")
        return key["uuid"], event_id

    def send_poison(self) -> None:
        """An event that can't be read, however often it is tried; wait until it is a dead letter."""
        before = self.letters()
        event = {"id": str(uuid.uuid4()), "detail-type": "LeaseExpired", "detail": "half of"}
        self.cloud.invoke("notification", event, kind="Event")
        until(lambda: self.letters() > before, 60)

    def letters(self) -> int:
        """The number of dead letters of notifications."""
        sqs, name = self.client("sqs"), "ApproximateNumberOfMessages"
        url = sqs.get_queue_url(QueueName=self.cloud.outputs["dead_letter_queues"]["notification"][0])["QueueUrl"]
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    def messages_with(self, text: str) -> list[dict[str, Any]]:
        """The messages in Slack that have a text."""
        return [each for each in self.desk.messages() if text in json.dumps(each)]


@contextlib.contextmanager
def running_demo() -> Iterator[Demo]:
    """The demo's cloud, after the demo."""
    with running_cloud("--console-port", "0", **_CONFIG) as cloud:
        names = requests.get(f"{cloud.aws_url}/_local/ready", timeout=10).json()["standins"]
        demo = Demo(cloud, {_STANDINS[name]: url for name, url in names.items()})
        demo.play()
        yield demo
