"""The third flow of the demo: a bot submits a draft, people decide on it in Slack, and one approval becomes one Jira issue.

This holds even if Jira creates the issue and then answers with an error.
"""

import hmac
import json
import re
import time
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from stack.local.cloud import LocalCloud
from stack.local.demo.calls import query, send, send_signed, until
from stack.local.demo.stage import Stage, table

SIGNING_SECRET = "the demo's Slack signs with this"  # noqa: S105 (the local cloud's own)
CONFIG = {"slackSigningSecret": SIGNING_SECRET, "approvalsChannel": "approvals"}
BOT, ADA, GRACE = "U0DRAFTBOT", "U0ADA", "U0GRACE"
_PROJECT = "OPS"
_WAIT_SECONDS = 60.0

DRAFT: dict[str, Any] = {
    "session_id": "demo-upload-limit",
    "title": "Refuse uploads over 1 GB",
    "problem": "An upload of 2 GB filled the importer's disk for an hour.",
    "solution": "Check Content-Length first and answer 413.",
    "acceptance_criteria": ["2 GB are refused before anything is stored", "900 MB are accepted", "The refusal is counted"],
    "risks": ["One customer sends 1.2 GB every month"],
    "project": _PROJECT,
    "issue_type": "Story",
    "requested_by": BOT,
}


def play(cloud: LocalCloud, stage: Stage) -> None:
    """Play the flow on ``stage``."""
    approvals = Approvals(cloud)
    preview = _submit(approvals, stage)
    _decide(approvals, stage, preview)
    _survive_an_unclear_answer(approvals, stage)
    _show_audit_trail(approvals, stage, DRAFT["session_id"])


def _submit(approvals: "Approvals", stage: Stage) -> dict[str, Any]:
    stage.heading("A draft and its preview in Slack")
    unsigned, _ = send("POST", approvals.drafts_url, json.dumps(DRAFT).encode())
    status, answer = approvals.submit(DRAFT)
    stage.say(f"POST /drafts: {unsigned} without an AWS signature, {status} with one")
    stage.detail(Text(json.dumps(answer, indent=2)))
    preview = approvals.preview(DRAFT["session_id"])
    stage.show(_as_people_see(preview))
    stage.check((unsigned, status) == (403, 200), "only an AWS principal with the permission may submit a draft")
    stage.check(set(_buttons(preview)) == {"approve_draft", "reject_draft"}, "the preview has its two buttons")
    return preview


def _decide(approvals: "Approvals", stage: Stage, preview: dict[str, Any]) -> None:
    stage.heading("Ada clicks Approve twice, Grace clicks Reject, and a click is forged")
    clicks = table("user", "button", "status", "ms", "reply")
    for user, button in ((ADA, "approve"), (ADA, "approve"), (GRACE, "reject")):
        status, seconds, reply = approvals.click_and_read(preview, user, f"{button}_draft")
        clicks.add_row(user, button, str(status), f"{seconds * 1000:.0f}", Text(_plain(reply)))
    status, seconds = approvals.click(preview, GRACE, "reject_draft", secret="a guess")  # noqa: S106
    clicks.add_row("forged", "reject", str(status), f"{seconds * 1000:.0f}", "")
    stage.show(clicks)
    done = approvals.created(preview)
    stage.detail(_as_people_see(done))
    issues = approvals.issues(DRAFT["title"])
    until(lambda: approvals.thread(preview), _WAIT_SECONDS)
    for text in approvals.thread(preview):
        stage.say(f"in the thread: {_plain(text)}")
    stage.check(len(issues) == 1, f"three clicks, one issue: {', '.join(issues)}")
    stage.check(bool(issues) and f"Ticket Created: {issues[0]}" in json.dumps(done), "the preview shows the issue")
    stage.check(status == 401, "a click that Slack did not sign is refused")
    head = until(lambda: approvals.head(issues[0]), _WAIT_SECONDS) if issues else None
    stage.check(bool(head), "the issue is in JiraIssues before its webhook arrives")


def _survive_an_unclear_answer(approvals: "Approvals", stage: Stage) -> None:
    stage.heading("Jira creates the issue and answers 500: does it exist?")
    approvals.submit({**DRAFT, "session_id": "demo-unclear", "title": "Count refused uploads"})
    preview = approvals.preview("demo-unclear")
    approvals.break_next_create()
    approvals.click(preview, GRACE, "approve_draft")
    unclear = until(lambda: "looking for its Jira issue" in json.dumps(approvals.now(preview)), _WAIT_SECONDS)
    stage.show(_as_people_see(approvals.now(preview)))
    stage.check(bool(unclear), "the preview says so, and no second issue is created")
    with stage.busy("After ten seconds the worker searches Jira for the issue's label …"):
        done = approvals.created(preview)
    stage.detail(_as_people_see(done))
    found = approvals.issues("Count refused uploads")
    stage.check(len(found) == 1, f"there is one issue, {', '.join(found)}, found by its label")


def _show_audit_trail(approvals: "Approvals", stage: Stage, session_id: str) -> None:
    stage.heading(f"The audit trail of {session_id} in JiraOperations, Phoenix time")
    trail = table("row", "status", "by", "issue", "attempts", "at")
    for name, row in sorted(approvals.rows(session_id).items(), key=lambda each: each[1].get("created_at", {}).get("S", "")):
        kind, _, rest = name.partition("#")
        values = {key: str(next(iter(value.values()))) for key, value in row.items()}
        trail.add_row(
            f"{kind} {rest.partition('#')[2]}",
            values.get("status") or values.get("state", ""),
            values.get("approved_by") or values.get("rejected_by") or values.get("requested_by", ""),
            values.get("jira_key", ""),
            values.get("attempts", ""),
            _in_phoenix(values.get("updated_at") or values.get("created_at", "")),
        )
    stage.show(trail)


class Approvals:
    """The local cloud as a bot, people in Slack and an auditor see it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._slack, self._jira = cloud.standins["slackApiUrl"], cloud.standins["jiraBaseUrl"]
        self.drafts_url = f"{cloud.ready.http_url}/drafts"

    def submit(self, draft: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Submit a draft, as its sender does; status and answer."""
        status, text = send_signed(self._cloud, "POST", self.drafts_url, json.dumps(draft).encode())
        return status, dict(json.loads(text))

    def messages(self) -> list[dict[str, Any]]:
        """All messages in Slack, oldest first."""
        return list(json.loads(send("GET", f"{self._slack}/_standin/messages")[1])["messages"])

    def replies(self) -> list[str]:
        """The answers to clicks, oldest first."""
        return [each["text"] for each in self.messages() if each["kind"] == "response"]

    def thread(self, preview: dict[str, Any]) -> list[str]:
        """The replies in the thread of a preview."""
        return [each["text"] for each in self.messages() if each.get("thread_ts") == preview["ts"]]

    def now(self, preview: dict[str, Any]) -> dict[str, Any]:
        """The preview as it is now, or as given if Slack does not have it."""
        return next((each for each in self.messages() if each["ts"] == preview["ts"]), preview)

    def preview(self, session_id: str) -> dict[str, Any]:
        """The preview of the session's draft, once it has its buttons; without blocks if it never has."""

        def posted() -> dict[str, Any] | None:
            waiting = (each for each in self.messages() if _buttons(each))
            return next((each for each in waiting if f'"{session_id}:' in json.dumps(each)), None)

        return until(posted, _WAIT_SECONDS) or {"ts": "", "channel": "", "blocks": []}

    def created(self, preview: dict[str, Any]) -> dict[str, Any]:
        """The preview once it shows the issue, or as it is after a minute."""
        until(lambda: "Ticket Created" in json.dumps(self.now(preview)), _WAIT_SECONDS)
        return self.now(preview)

    def click(self, preview: dict[str, Any], user: str, action: str, *, secret: str = SIGNING_SECRET) -> tuple[int, float]:
        """Click a button as Slack reports it; the status of the answer, and the seconds it took."""
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

    def click_and_read(self, preview: dict[str, Any], user: str, action: str) -> tuple[int, float, str]:
        """Click a button; the same, and the reply that the person sees."""
        before = len(self.replies())
        status, seconds = self.click(preview, user, action)
        new = until(lambda: self.replies()[before:], _WAIT_SECONDS)
        return status, seconds, new[-1] if new else "none"

    def break_next_create(self) -> None:
        """Have Jira create the next issue and answer that it failed."""
        fault = {"path": "/rest/api/3/issue", "method": "POST", "after": True, "status": 500}
        send("POST", f"{self._jira}/_standin/faults", json.dumps(fault).encode())

    def issues(self, title: str) -> list[str]:
        """The keys of the issues that were created with this title, from Jira's webhooks."""
        webhooks = json.loads(send("GET", f"{self._jira}/_standin/webhooks")[1])["webhooks"]
        bodies = [json.loads(each["body"]) for each in webhooks if each["event"] == "jira:issue_created"]
        return [str(body["issue"]["key"]) for body in bodies if body["issue"]["fields"]["summary"] == title]

    def head(self, issue_key: str) -> dict[str, Any] | None:
        """The current state of an issue in JiraIssues."""
        rows = query(self._cloud, "jira_issues_table_name", "issue_key", issue_key)
        return next((row for row in rows if row["updated_at"]["S"] == "HEAD"), None)

    def rows(self, session_id: str) -> dict[str, dict[str, Any]]:
        """What JiraOperations has of a session, by operation key."""
        rows = query(self._cloud, "jira_operations_table_name", "session_id", session_id)
        return {row["operation_key"]["S"]: row for row in rows}


def _in_phoenix(stored: str) -> str:
    return f"{datetime.fromisoformat(stored).astimezone(ZoneInfo('America/Phoenix')):%H:%M:%S}"


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
                lines.append(Text(_plain(block["text"]["text"])))
            case "context":
                lines.append(Text(_plain(" ".join(element["text"] for element in block["elements"])), style="dim"))
            case "actions":
                lines.append(Text("   ").join(Text(f"[ {each['text']['text']} ]", "reverse") for each in block["elements"]))
    return Panel(Group(*lines), title="#approvals", title_align="left", width=76)


def _plain(text: str) -> str:
    """Slack's markup as it is shown: a link by its label, a user by the id."""
    return re.sub(r"<(?:[^|>]*\|)?([^>]*)>", r"\1", text).replace("*", "")
