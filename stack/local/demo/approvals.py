"""The third flow: a bot submits a draft, people decide on it in Slack, and one approval becomes one Jira issue, also on the
day on which Jira creates the issue and then answers with an error.
"""

import hmac
import json
import time
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from stack.local.cloud import LocalCloud
from stack.local.demo.stage import Stage, send, send_signed, until

SIGNING_SECRET = "the demo's Slack signs with this"  # noqa: S105 (the local cloud's own)
CONFIG = {"slackSigningSecret": SIGNING_SECRET, "approvalsChannel": "approvals"}
BOT, ADA, GRACE = "U0DRAFTBOT", "U0ADA", "U0GRACE"
_PROJECT = "OPS"
_WAIT_SECONDS = 60.0

_DRAFT: dict[str, Any] = {
    "session_id": "demo-upload-limit",
    "title": "Refuse uploads over 1 GB",
    "problem": "An upload of 2 GB filled the importer's disk on Tuesday, and everybody waited for an hour.",
    "solution": "Check Content-Length at the door and answer 413.",
    "acceptance_criteria": ["2 GB are refused before anything is stored", "900 MB go through", "The refusal is counted"],
    "risks": ["One customer sends 1.2 GB every month"],
    "project": _PROJECT,
    "issue_type": "Story",
    "requested_by": BOT,
}


def tell(cloud: LocalCloud, stage: Stage) -> None:
    """Play the flow on ``stage``."""
    desk = _Desk(cloud)
    preview = _submit(desk, stage)
    _decide(desk, stage, preview)
    _survive(desk, stage)
    _show_trail(desk, stage, _DRAFT["session_id"])


def _submit(desk: "_Desk", stage: Stage) -> dict[str, Any]:
    stage.heading("A draft, posted with an AWS signature, and its preview in Slack")
    unsigned, _ = send("POST", desk.drafts_url, json.dumps(_DRAFT).encode())
    status, answer = desk.submit(_DRAFT)
    stage.console.print(f"  without a signature {unsigned}, with one {status}: {json.dumps(answer)}", highlight=False)
    preview = desk.preview(_DRAFT["session_id"])
    stage.console.print(_as_people_see(preview))
    stage.check((unsigned, status) == (403, 200), "only an AWS principal with the right may submit a draft")
    stage.check(set(_buttons(preview)) == {"approve_draft", "reject_draft"}, "the preview has its two buttons")
    return preview


def _decide(desk: "_Desk", stage: Stage, preview: dict[str, Any]) -> None:
    stage.heading("Ada presses Approve, twice; Grace presses Reject; somebody forges a click")
    table = Table("who", "presses", "answer", "in", "is told", show_lines=True)
    for who, action in ((ADA, "approve_draft"), (ADA, "approve_draft"), (GRACE, "reject_draft")):
        status, seconds, said = desk.press_and_listen(preview, who, action)
        table.add_row(who, action, str(status), f"{seconds * 1000:.0f} ms", Text(said))
    status, seconds = desk.press(preview, GRACE, "reject_draft", secret="a guess")  # noqa: S106
    table.add_row("a stranger", "reject_draft", str(status), f"{seconds * 1000:.0f} ms", "")
    stage.console.print(table)
    done = desk.created(preview)
    stage.console.print(_as_people_see(done))
    issues = desk.issues(_DRAFT["title"])
    until(lambda: desk.thread(preview), _WAIT_SECONDS)
    for text in desk.thread(preview):
        stage.console.print(f"  in the thread: {text}", highlight=False)
    stage.check(len(issues) == 1, f"three clicks, one issue: {', '.join(issues)}")
    stage.check(bool(issues) and f"Ticket Created: {issues[0]}" in json.dumps(done), "the preview shows the ticket")
    stage.check(status == 401, "a click that Slack did not sign is refused")
    head = until(lambda: desk.head(issues[0]), _WAIT_SECONDS) if issues else None
    stage.check(bool(head), "the issue is in JiraIssues already, without its webhook")


def _survive(desk: "_Desk", stage: Stage) -> None:
    stage.heading("Jira creates the issue and answers 500: nobody knows whether it exists")
    draft = {**_DRAFT, "session_id": "demo-unclear", "title": "Count refused uploads"}
    desk.submit(draft)
    preview = desk.preview("demo-unclear")
    desk.break_next_create()
    desk.press(preview, GRACE, "approve_draft")
    unclear = until(lambda: "looking for its ticket" in json.dumps(desk.now(preview)), _WAIT_SECONDS)
    stage.console.print(_as_people_see(desk.now(preview)))
    stage.check(bool(unclear), "the preview says so, and nothing is created again")
    with stage.console.status("Ten seconds later the worker looks for the issue's label …"):
        done = desk.created(preview)
    stage.console.print(_as_people_see(done))
    found = desk.issues("Count refused uploads")
    stage.check(len(found) == 1, f"one issue all the same: {', '.join(found)}, found by its label")


def _show_trail(desk: "_Desk", stage: Stage, session_id: str) -> None:
    stage.heading(f"The audit trail of {session_id}, in JiraOperations")
    table = Table("row", "status", "by", "issue", "attempts", "at")
    for name, row in sorted(desk.rows(session_id).items(), key=lambda each: each[1].get("created_at", {}).get("S", "")):
        kind, _, rest = name.partition("#")
        digest, _, operation = rest.partition("#")
        label = f"{kind} {digest[:8]}… {operation}".strip(" …") if rest else kind
        values = {key: next(iter(value.values())) for key, value in row.items()}
        by = values.get("approved_by") or values.get("rejected_by") or values.get("requested_by", "")
        table.add_row(
            label,
            str(values.get("status") or values.get("state", "")),
            str(by),
            str(values.get("jira_key", "")),
            str(values.get("attempts", "")),
            _in_phoenix(str(values.get("updated_at") or values.get("created_at", ""))),
        )
    stage.console.print(table)


class _Desk:
    """The local cloud as a bot, people in Slack, and an auditor see it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._slack, self._jira = cloud.standins["slackApiUrl"], cloud.standins["jiraBaseUrl"]
        self.drafts_url = f"{cloud.ready.http_url}/drafts"

    def submit(self, draft: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status, text = send_signed(self._cloud, "POST", self.drafts_url, json.dumps(draft).encode())
        return status, dict(json.loads(text))

    def messages(self) -> list[dict[str, Any]]:
        return list(json.loads(send("GET", f"{self._slack}/_standin/messages")[1])["messages"])

    def told(self) -> list[str]:
        return [each["text"] for each in self.messages() if each["kind"] == "response"]

    def thread(self, preview: dict[str, Any]) -> list[str]:
        return [each["text"] for each in self.messages() if each.get("thread_ts") == preview["ts"]]

    def now(self, preview: dict[str, Any]) -> dict[str, Any]:
        """The preview as it stands now; as it is given if Slack has none such."""
        return next((each for each in self.messages() if each["ts"] == preview["ts"]), preview)

    def preview(self, session_id: str) -> dict[str, Any]:
        def posted() -> dict[str, Any] | None:
            waiting = (each for each in self.messages() if _buttons(each))
            return next((each for each in waiting if f'"{session_id}:' in json.dumps(each)), None)

        return until(posted, _WAIT_SECONDS) or {"ts": "", "channel": "", "blocks": []}

    def created(self, preview: dict[str, Any]) -> dict[str, Any]:
        until(lambda: "Ticket Created" in json.dumps(self.now(preview)), _WAIT_SECONDS)
        return self.now(preview)

    def press(self, preview: dict[str, Any], user: str, action: str, *, secret: str = SIGNING_SECRET) -> tuple[int, float]:
        """Press a button as Slack tells of it; the status of the answer, and the seconds it took."""
        place = {"channel": preview["channel"], "ts": preview["ts"]}
        _, text = send("POST", f"{self._slack}/_standin/response_urls", json.dumps(place).encode())
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": user.lower()},
            "container": {"message_ts": preview["ts"], "channel_id": preview["channel"]},
            "response_url": json.loads(text)["response_url"],
            "actions": [{"action_id": action, "value": _buttons(preview).get(action, ""), "action_ts": str(time.time())}],
        }
        body, timestamp = urlencode({"payload": json.dumps(payload)}), str(int(time.time()))
        signature = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), "sha256").hexdigest()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={signature}",
        }
        started = time.perf_counter()
        status, _ = send("POST", f"{self._cloud.ready.http_url}/slack/interactions", body.encode(), headers)
        return status, time.perf_counter() - started

    def press_and_listen(self, preview: dict[str, Any], user: str, action: str) -> tuple[int, float, str]:
        """Press a button; the same, and what the person is told."""
        before = len(self.told())
        status, seconds = self.press(preview, user, action)
        until(lambda: len(self.told()) > before, _WAIT_SECONDS)
        return status, seconds, self.told()[-1] if len(self.told()) > before else "nothing"

    def break_next_create(self) -> None:
        """Have Jira create the next issue, and answer that it failed."""
        fault = {"path": "/rest/api/3/issue", "method": "POST", "after": True, "status": 500}
        send("POST", f"{self._jira}/_standin/faults", json.dumps(fault).encode())

    def issues(self, title: str) -> list[str]:
        """The keys of the issues that were created with this title, as Jira told the world of them."""
        webhooks = json.loads(send("GET", f"{self._jira}/_standin/webhooks")[1])["webhooks"]
        bodies = [json.loads(each["body"]) for each in webhooks if each["event"] == "jira:issue_created"]
        return [str(body["issue"]["key"]) for body in bodies if body["issue"]["fields"]["summary"] == title]

    def head(self, issue_key: str) -> dict[str, Any] | None:
        key = {"issue_key": {"S": issue_key}, "updated_at": {"S": "HEAD"}}
        table = self._cloud.ready.outputs["jira_issues_table_name"]
        item: dict[str, Any] | None = self._cloud.client("dynamodb").get_item(TableName=table, Key=key).get("Item")
        return item

    def rows(self, session_id: str) -> dict[str, dict[str, Any]]:
        answer = self._cloud.client("dynamodb").query(
            TableName=self._cloud.ready.outputs["jira_operations_table_name"],
            KeyConditionExpression="session_id = :session_id",
            ExpressionAttributeValues={":session_id": {"S": session_id}},
        )
        return {item["operation_key"]["S"]: item for item in answer["Items"]}


def _in_phoenix(stored: str) -> str:
    return f"{datetime.fromisoformat(stored).astimezone(ZoneInfo('America/Phoenix')):%d %b %Y %H:%M:%S} Phoenix time"


def _buttons(message: dict[str, Any]) -> dict[str, str]:
    elements = [element for block in message["blocks"] if block["type"] == "actions" for element in block["elements"]]
    return {element["action_id"]: element["value"] for element in elements}


def _as_people_see(message: dict[str, Any]) -> Panel:
    """A Slack message, as near as a terminal comes."""
    lines: list[Text] = []
    for block in message["blocks"]:
        match block["type"]:
            case "header":
                lines.append(Text(block["text"]["text"], style="bold"))
            case "section":
                lines.append(Text(block["text"]["text"]))
            case "context":
                lines.append(Text(" ".join(element["text"] for element in block["elements"]), style="dim"))
            case "actions":
                lines.append(Text("   ").join(Text(f" {each['text']['text']} ", style="reverse") for each in block["elements"]))
    return Panel(Group(*lines), title="#approvals", title_align="left", width=100)
