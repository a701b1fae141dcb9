"""The flows of the approvals, to be broken: what each sends, and what must be true of it."""

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from lib.platform import clock
from tests.support.approvals.builders import draft_json
from tests.support.approvals.cloud import buttons_of, header_of
from tests.support.aws.lambda_context import LambdaContext
from tests.support.faults.runs import Run, Tried, http
from tests.support.faults.world import APPROVER, OPERATIONS, SIGNING_SECRET, Message, World, body_of
from tests.support.web.events import slack_signature

CALLER = "arn:aws:sts::123456789012:assumed-role/drafts/bot"
PROJECT = "PROJ"


class Draft(Run):
    """A bot submits a draft, and again if it is answered 503."""

    solution = ""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        if PROJECT not in world.jira.site.projects:
            world.jira.seed(PROJECT, 1)
        self.session = f"session-{world.number()}"
        self.title = f"Draft of {self.session}"
        self.hash = ""
        self.tries = 0
        self.messages: list[Message] = []
        self.dead: list[str] = []
        self.prepare()

    def prepare(self) -> None:
        """Create the state before the flow."""

    def attempt(self) -> Tried:
        self.tries += 1
        return self.submit()

    def submit(self) -> Tried:
        """``POST /drafts``."""
        draft = draft_json(session_id=self.session, title=self.title, project=PROJECT, solution=self.solution)
        event = http("POST", "/drafts", json.dumps(draft), {}, identity={"userArn": CALLER, "sourceIp": "127.0.0.1"})
        answer = self.world.function("approvals").lambda_handler(event, LambdaContext(remaining_ms=10_000))
        assert answer["statusCode"] in {200, 503}, answer
        self.hash = body_of(answer).get("draft_hash", self.hash)
        return Tried(answer["statusCode"] == 200, str(answer["statusCode"]))

    def kept(self) -> list[str]:
        self.messages = self.world.take("APPROVAL_QUEUE_URL")
        kinds = [json.loads(message.body)["kind"] for message in self.messages]
        wrong = [] if {"SESSION", f"DRAFT#{self.hash}"} <= self.rows().keys() else ["the draft is not stored"]
        return wrong + ([] if "post_preview" in kinds else ["nobody will post the preview"])

    def settle(self) -> None:
        for message in self.messages:
            url = self.world.variables["APPROVAL_QUEUE_URL"]
            self.world.client("sqs").send_message(QueueUrl=url, MessageBody=message.body)
        self.messages = []
        self.dead = self.world.work("APPROVAL_QUEUE_URL", "JIRA_QUEUE_URL")

    def ended(self) -> list[str]:
        wrong = [f"dead: {body}" for body in self.dead]
        previews = self.previews()
        if not previews or len(previews) > self.tries + 1:
            wrong.append(f"{len(previews)} previews")
        row = self.rows()[f"DRAFT#{self.hash}"]
        if previews and not row.get("preview_ts"):
            wrong.append("the location of the preview is not stored")
        clickable = [each["ts"] for each in previews if buttons_of(each)]
        if clickable != [row["preview_ts"]["S"]]:
            wrong.append(f"there are buttons in {clickable}")
        return wrong

    def rows(self) -> dict[str, dict[str, Any]]:
        """The session's rows."""
        return self.world.rows(OPERATIONS, "session_id", self.session)

    def previews(self) -> list[dict[str, Any]]:
        """The previews of the draft in Slack."""
        with self.world.slack.lock:
            posts = [each for each in self.world.slack.messages if each["kind"] == "message" and not each.get("thread_ts")]
        return [each for each in posts if self.title in json.dumps(each)]

    def issues(self) -> list[Any]:
        """The issues that Jira has of the draft."""
        with self.world.jira.lock:
            return [issue for issue in self.world.jira.site.by_id.values() if issue.summary == self.title]


class Preview(Draft):
    """The worker posts a preview. SQS gives the message again."""

    comes_again_after = timedelta(minutes=31)

    def prepare(self) -> None:
        assert self.submit().acknowledged
        self.message, *_ = self.world.take("APPROVAL_QUEUE_URL")

    def attempt(self) -> Tried:
        self.tries += 1
        self.message.receives += 1
        done = self.world.work_on(self.message)
        return Tried(done, "done" if done else "retried")

    def kept(self) -> list[str]:
        return []


class LongPreview(Preview):
    """The worker posts a preview and two replies. SQS gives the message again."""

    solution = "&" * 4_500

    def never(self) -> list[str]:
        short = [each for each in self.previews() if buttons_of(each) and len(set(self.replies(each["ts"]))) < 2]
        return ["there are buttons, and the rest of the draft is missing"] if short else []

    def ended(self) -> list[str]:
        wrong = super().ended()
        standing = self.rows()[f"DRAFT#{self.hash}"]["preview_ts"]["S"]
        parts = self.replies(standing)
        if list(dict.fromkeys(parts)) != [f"Part {n} of 3 of the draft: {self.title}" for n in (2, 3)]:
            wrong.append(f"the thread has {parts}")
        if len(parts) > 2 + self.tries - 1:
            wrong.append(f"{len(parts)} replies after {self.tries} tries")
        return wrong

    def replies(self, ts: str) -> list[str]:
        """What the replies under a preview say in short, oldest first."""
        return [each["text"] for each in self.world.slack.messages if each.get("thread_ts") == ts]


class Click(Draft):
    """A person clicks Approve, and again if Slack shows an error."""

    action = "approve_draft"

    def prepare(self) -> None:
        assert self.submit().acknowledged
        assert self.world.work("APPROVAL_QUEUE_URL") == []
        [self.preview] = self.previews()

    def attempt(self) -> Tried:
        self.tries += 1
        return self.click()

    def click(self) -> Tried:
        """``POST /slack/interactions``."""
        ts, channel = self.preview["ts"], self.preview["channel"]
        payload = {
            "type": "block_actions",
            "user": {"id": APPROVER, "username": "ada"},
            "container": {"message_ts": ts, "channel_id": channel},
            "response_url": "",
            "actions": [{"action_id": self.action, "value": f"{self.session}:{self.hash}"}],
        }
        text = urlencode({"payload": json.dumps(payload)})
        signed = slack_signature(SIGNING_SECRET, text, str(int(clock.utc_now().timestamp())))
        headers = {"Content-Type": "application/x-www-form-urlencoded", **signed}
        event = http("POST", "/slack/interactions", base64.b64encode(text.encode()).decode(), headers)
        answer = self.world.function("approvals").lambda_handler(
            {**event, "isBase64Encoded": True}, LambdaContext(remaining_ms=10_000)
        )
        assert answer["statusCode"] in {200, 503}, answer
        return Tried(answer["statusCode"] == 200, str(answer["statusCode"]))

    def kept(self) -> list[str]:
        self.messages = self.world.take("APPROVAL_QUEUE_URL")
        kinds = [json.loads(message.body)["kind"] for message in self.messages]
        wrong = [] if f"APPROVAL#{self.hash}" in self.rows() else ["the approval is not stored"]
        return wrong + ([] if "create_issue" in kinds else ["nobody will create the issue"])

    def never(self) -> list[str]:
        return [] if len(self.issues()) <= 1 else [f"{len(self.issues())} issues"]

    def ended(self) -> list[str]:
        wrong = [f"dead: {body}" for body in self.dead]
        issues = self.issues()
        if len(issues) != 1:
            return [*wrong, f"{len(issues)} issues"]
        rows, key = self.rows(), issues[0].key
        creation = rows[f"OPERATION#{self.hash}#create_issue"]
        if creation["status"] != {"S": "done"} or creation["jira_key"] != {"S": key}:
            wrong.append(f"the creation says {creation['status']}")
        if rows["SESSION"]["state"] != {"S": "created"}:
            wrong.append(f"the session is {rows['SESSION']['state']}")
        if not any("Ticket Created" in json.dumps(each) for each in self.previews()):
            wrong.append("the preview does not show the issue")
        return wrong


class Reject(Click):
    """A person clicks Reject, and again if Slack shows an error."""

    action = "reject_draft"

    def kept(self) -> list[str]:
        self.messages = self.world.take("APPROVAL_QUEUE_URL")
        kinds = [json.loads(message.body)["kind"] for message in self.messages]
        decision = self.rows().get(f"APPROVAL#{self.hash}", {})
        wrong = [] if decision.get("status") == {"S": "rejected"} else ["the rejection is not stored"]
        return wrong + ([] if "update_preview" in kinds else ["nobody will take the buttons away"])

    def never(self) -> list[str]:
        return [f"{len(self.issues())} issues of a rejected draft"] if self.issues() else []

    def ended(self) -> list[str]:
        wrong = [f"dead: {body}" for body in self.dead]
        rows = self.rows()
        if rows["SESSION"]["state"] != {"S": "rejected"}:
            wrong.append(f"the session is {rows['SESSION']['state']}")
        if any(name.endswith("#create_issue") for name in rows):
            wrong.append("somebody set out to create the issue")
        [preview] = self.previews()
        if header_of(preview) != "Draft rejected" or buttons_of(preview):
            wrong.append(f"the preview says {header_of(preview)}, with the buttons {sorted(buttons_of(preview))}")
        return wrong


class Creation(Click):
    """The worker makes the issue of an approved draft: looks, notes, posts to Jira, records. SQS gives the message again."""

    comes_again_after = timedelta(minutes=31)

    def prepare(self) -> None:
        super().prepare()
        assert self.click().acknowledged
        taken = self.world.take("APPROVAL_QUEUE_URL")
        [self.message] = [message for message in taken if json.loads(message.body)["kind"] == "create_issue"]
        self.world.pass_time(timedelta(seconds=5))

    def attempt(self) -> Tried:
        self.message.receives += 1
        done = self.world.work_on(self.message)
        return Tried(done, "done" if done else "retried")

    def kept(self) -> list[str]:
        return []
