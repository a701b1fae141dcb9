"""Approvals in a running local cloud, from outside: a bot submits drafts, people click buttons in Slack, and the test reads the
results from Slack, Jira and the tables.
"""

import contextlib
import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lib.operations.deployed import Deployment
from lib.platform import clock
from stack.local.standins.jira import Jira
from stack.local.standins.slack import Slack
from tests.support.approvals.builders import draft_json
from tests.support.cloud import Cloud, running_cloud, until
from tests.support.web.events import slack_signature
from tests.support.web.standins import Served, served

SIGNING_SECRET = "what the tests' Slack signs with"
CHANNEL = "approvals"
PROJECT = "PROJ"
ISSUE_PATH = "/rest/api/3/issue"
ADA, GRACE, MALLORY = "U0ADA", "U0GRACE", "U0MALLORY"

_numbers = itertools.count(1)


class ApprovalsCloud:
    """One local cloud with stand-ins that the test can inspect."""

    def __init__(self, cloud: Cloud, slack: Served[Slack], jira: Served[Jira]) -> None:
        self.cloud = cloud
        self.slack = slack
        self.jira = jira

    def deployment(self) -> Deployment:
        """The cloud, as the commands find it."""
        return Deployment(self.cloud.outputs, "the local cloud", client=self.cloud.client)

    # The bot

    def draft(self, **given: Any) -> dict[str, Any]:
        """A draft of a session of its own."""
        number = next(_numbers)
        return draft_json(**{"session_id": f"session-{number}-{uuid.uuid4().hex[:8]}", "title": f"Draft {number}", **given})

    def submit(self, draft: object, *, key: str = "test", secret: str = "test") -> requests.Response:
        """``POST /drafts``, signed by an AWS key."""
        body = json.dumps(draft)
        url = f"{self.cloud.http_url}/drafts"
        request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
        SigV4Auth(Credentials(key, secret), "execute-api", self.cloud.region).add_auth(request)
        return requests.post(url, data=body, headers=dict(request.headers), timeout=30)

    def preview_of(self, draft: dict[str, Any], *, seconds: float = 30) -> dict[str, Any]:
        """Submit a draft and wait for its preview, which waits for a decision."""
        answer = self.submit(draft)
        assert answer.status_code == 200, answer.text
        value = f"{draft['session_id']}:{answer.json()['draft_hash']}"
        return until(lambda: next((each for each in self.posts() if value in buttons_of(each).values()), None), seconds)

    # Slack

    def posts(self) -> list[dict[str, Any]]:
        """The messages in Slack's channels, threads included."""
        return [message for message in self.slack.app.messages if message["kind"] == "message"]

    def post(self, preview: dict[str, Any]) -> dict[str, Any]:
        """The preview in its current state."""
        return next(each for each in self.posts() if each["ts"] == preview["ts"])

    def thread(self, preview: dict[str, Any]) -> list[str]:
        """The texts in the thread of a preview."""
        return [each["text"] for each in self.posts() if each.get("thread_ts") == preview["ts"]]

    def payload(
        self, preview: dict[str, Any], user: str, action: str = "approve_draft", *, reason: str = "", words: str = ""
    ) -> dict[str, Any]:
        """What Slack sends when ``user`` clicks a button of ``preview``, with what they chose and wrote in its inputs."""
        return {
            "type": "block_actions",
            "user": {"id": user, "username": user.lower(), "team_id": "T0STANDIN"},
            "team": None,
            "container": {"type": "message", "message_ts": preview["ts"], "channel_id": preview["channel"]},
            "response_url": self.slack.app.new_response_url(self.slack.url, preview["channel"], preview["ts"]),
            "state": {
                "values": {
                    "reject_reason": {"reject_reason": {"selected_option": {"value": reason} if reason else None}},
                    "reject_words": {"reject_words": {"type": "plain_text_input", "value": words or None}},
                }
            },
            "actions": [
                {
                    "action_id": action,
                    "value": buttons_of(preview).get(action, ""),
                    "type": "button",
                    "action_ts": str(time.time()),
                }
            ],
        }

    def interact(self, payload: object, *, secret: str = SIGNING_SECRET, timestamp: str = "") -> requests.Response:
        """``POST /slack/interactions`` as Slack sends it: a form, signed with the time."""
        body = urlencode({"payload": json.dumps(payload)})
        signed = slack_signature(secret, body, timestamp or str(int(time.time())))
        headers = {"Content-Type": "application/x-www-form-urlencoded", **signed}
        return requests.post(f"{self.cloud.http_url}/slack/interactions", data=body, headers=headers, timeout=30)

    def click(self, preview: dict[str, Any], user: str = ADA, action: str = "approve_draft") -> None:
        """Click a button, and check that this is acknowledged."""
        answer = self.interact(self.payload(preview, user, action))
        assert (answer.status_code, answer.text) == (200, "")

    def answer(self, phrase: str, *, seconds: float = 30) -> str:
        """The answer to a click that contains ``phrase``, once it is there."""
        return until(
            lambda: next(
                (each["text"] for each in self.slack.app.messages if each["kind"] == "response" and phrase in each["text"]),
                None,
            ),
            seconds,
        )

    def header_becomes(self, preview: dict[str, Any], header: str, *, seconds: float = 30) -> dict[str, Any]:
        """The preview, once its header begins with ``header``."""
        return until(lambda: self.post(preview) if header_of(self.post(preview)).startswith(header) else None, seconds)

    # Jira and the tables

    def issues(self, title: str) -> list[Any]:
        """Jira's issues with this summary."""
        with self.jira.app.lock:
            return [issue for issue in self.jira.app.site.by_id.values() if issue.summary == title]

    def rows(self, session_id: str) -> dict[str, dict[str, Any]]:
        """A session's rows in JiraOperations, by operation_key."""
        answer = self.cloud.client("dynamodb").query(
            TableName=self.cloud.outputs["jira_operations_table_name"],
            KeyConditionExpression="session_id = :session_id",
            ExpressionAttributeValues={":session_id": {"S": session_id}},
            ConsistentRead=True,
        )
        return {item["operation_key"]["S"]: item for item in answer["Items"]}

    def waits_since(self, session_id: str, days: float) -> None:
        """Let a draft have waited for so long."""
        self.cloud.client("dynamodb").update_item(
            TableName=self.cloud.outputs["jira_operations_table_name"],
            Key={"session_id": {"S": session_id}, "operation_key": {"S": "SESSION"}},
            UpdateExpression="SET updated_at = :at",
            ExpressionAttributeValues={":at": {"S": clock.canonical(clock.utc_now() - timedelta(days=days))}},
        )

    def creation(self, session_id: str) -> dict[str, Any]:
        """The row of the session's one creation; empty if there is none."""
        found = [row for key, row in self.rows(session_id).items() if key.endswith("#create_issue")]
        return found[0] if found else {}


@contextlib.contextmanager
def running_approvals(*arguments: str, to_jira: Callable[[str], str] = str, **config: str) -> Iterator[ApprovalsCloud]:
    """A local cloud for approvals, with arguments given and config keys set, and stopped at the end.

    ``to_jira`` makes the URL by which the functions call Jira of the one that it is served at.
    """
    with served(Slack(channels=[CHANNEL, "leases", "lead"])) as slack, served(Jira()) as jira:
        jira.app.seed(PROJECT, 1)
        given = {"slackSigningSecret": SIGNING_SECRET, "approvers": f"{ADA},{GRACE}", "approvalsChannel": CHANNEL, **config}
        given = {"notifyChannels": "sns,slack", "slackChannel": "leases"} | given
        with running_cloud(*arguments, slackApiUrl=f"{slack.url}/api/", jiraBaseUrl=to_jira(jira.url), **given) as cloud:
            yield ApprovalsCloud(cloud, slack, jira)


def header_of(message: dict[str, Any]) -> str:
    """The text of a message's header."""
    return str(next((block["text"]["text"] for block in message["blocks"] if block["type"] == "header"), ""))


def buttons_of(message: dict[str, Any]) -> dict[str, str]:
    """The value of each button of a message, by its action_id."""
    elements = [element for block in message["blocks"] if block["type"] == "actions" for element in block["elements"]]
    return {element["action_id"]: element["value"] for element in elements}
