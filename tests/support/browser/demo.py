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
_STANDINS = {"jira": "jiraBaseUrl", "slack": "slackApiUrl", "teams": "teamsWebhookUrl"}


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

    def play(self) -> None:
        """Fill the cloud: every lease event, Jira's issues, a shop's imports and rollback, and a draft that waits,
        a job without a file and a dead letter."""
        stage = Stage(Console(file=io.StringIO()))
        put_leases(self.client("dynamodb"), self.cloud.outputs["lease_table_name"])
        for kind, detail in EVENTS:
            self.cloud.put_event(kind, detail)
        jira.play(self._as_local, stage)
        shuttle.play(self._as_local, stage)
        if stage.close():
            raise AssertionError(stage.console.file.getvalue())  # type: ignore[attr-defined]
        self.submit("upload-limit", approvals.DRAFT["title"])
        self.start_import()
        self.send_poison()

    def submit(self, session_id: str, title: str, **given: Any) -> dict[str, Any]:
        """Submit a draft, and wait for its preview."""
        status, answer = self.desk.submit({**approvals.DRAFT, "session_id": session_id, "title": title, **given})
        assert status == 200, answer
        preview = self.desk.preview(session_id)
        assert preview["blocks"], f"no preview of {session_id}"
        return preview

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

    def send_lease_event(self, kind: str = "LeaseApproved", *, lease: int = 0) -> str:
        """Send an event about a lease of the samples to the function, without waiting; the event's id."""
        key = {name: LEASES[lease][name] for name in ("userEmail", "uuid")}
        event_id = str(uuid.uuid4())
        event = {"id": event_id, "detail-type": kind, "source": "InnovationSandbox-demo", "detail": {"leaseId": key}}
        self.cloud.invoke("notification", event, kind="Event")
        return event_id

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

    def notifications(self, event_id: str) -> list[dict[str, Any]]:
        """The messages in Slack about an event."""
        return [each for each in self.desk.messages() if event_id in json.dumps(each)]


@contextlib.contextmanager
def running_demo() -> Iterator[Demo]:
    """The demo's cloud, after the demo."""
    config = {
        **CONFIG,
        "notifyChannels": "sns,slack,teams",
        "slackChannel": CHANNEL,
        "approvers": f"{approvals.ADA},{approvals.GRACE}",
    }
    with running_cloud("--console-port", "0", **config) as cloud:
        names = requests.get(f"{cloud.aws_url}/_local/ready", timeout=10).json()["standins"]
        demo = Demo(cloud, {_STANDINS[name]: url for name, url in names.items()})
        demo.play()
        yield demo
