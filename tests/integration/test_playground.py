"""The playground of the console over a running local cloud: it sends, clicks, breaks and runs, and the cloud reacts."""

import html
import json
import re
from typing import Any

import pytest
import requests

from tests.support.cloud import Cloud, Inbox, until


@pytest.fixture(scope="module")
def cloud(seeded: Cloud) -> Cloud:
    return seeded


class Browser:
    """A session at the cloud's console."""

    def __init__(self, url: str) -> None:
        self._base = url.partition("/?")[0]
        self._session = requests.Session()
        self._session.get(url, timeout=30)
        self._session.headers["Origin"] = self._base

    def page(self, path: str) -> str:
        answer = self._session.get(self._base + path, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.text

    def sample(self, kind: str, title: str = "") -> dict[str, str]:
        """The fields of a filled form."""
        page = self.page(f"/playground?kind={kind}&sample={title}")
        areas = re.findall(r'<textarea name="(\w+)"[^>]*>(.*?)</textarea>', page, re.S)
        fields = re.findall(r'<input name="(\w+)" type="text" value="([^"]*)"', page)
        return {name: html.unescape(value) for name, value in [*fields, *areas]}

    def post(self, path: str, **fields: str) -> str:
        """Send a form; the page that follows."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.page("/playground"))
        assert token
        answer = self._session.post(self._base + path, data={"csrf_token": token[1], **fields}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.text

    def send(self, kind: str, title: str = "") -> tuple[str, Any]:
        """Send a sample; the id that the page traces, and the answer's body."""
        page = self.post(f"/playground/send/{kind}", **self.sample(kind, title))
        traced = re.search(r"/trace\?id=([^\"&]+)", page)
        body = re.search(r'<pre class="payload"[^>]*>(.*?)</pre>', page, re.S)
        assert traced, page
        assert body
        return traced[1], json.loads(html.unescape(body[1]))

    def slack(self, channel: str, text: str) -> str:
        """The rendered messages of a channel, once they have a text."""
        return until(lambda: page if text in (page := self.page(f"/playground/slack?channel={channel}")) else None, every=0.2)

    def click(self, channel: str, action_id: str, **entered: str) -> str:
        """Click a rendered button, and enter something before."""
        page = self.slack(channel, f'name="{action_id}"')
        forms = re.findall(r'<form method="post" action="/playground/slack/click">(.*?)</form>', page, re.S)
        form = next(each for each in forms if f'name="{action_id}"' in each)
        hidden = dict(re.findall(r'<input type="hidden" name="(slack\.\w+)" value="([^"]*)"', form))
        return self.post("/playground/slack/click", **hidden, **entered, **{action_id: "clicked"})


@pytest.fixture(scope="module")
def browser(cloud: Cloud) -> Browser:
    return Browser(cloud.console_url)


def faults(cloud: Cloud) -> list[dict[str, Any]]:
    """The faults of AWS that are on."""
    found: list[dict[str, Any]] = requests.get(f"{cloud.aws_url}/_local/faults", timeout=10).json()["faults"]
    return found


def test_a_lease_event_arrives_in_slack(browser: Browser) -> None:
    browser.send("lease", "LeaseBudgetExceeded")

    page = browser.slack("leases", "budget")

    assert "alan@sandbox.example" not in html.unescape(page)


def test_a_webhook_of_jira_is_stored(cloud: Cloud, browser: Browser) -> None:
    _, answer = browser.send("jira", "An issue is created")

    assert (answer["status"], answer["issue_key"]) == ("stored", "DEMO-9042")
    row = until(lambda: cloud.jira_row("DEMO-9042"))
    assert row["status"]["S"] == "To Do"


def test_a_push_is_correlated_with_its_issue(cloud: Cloud, browser: Browser) -> None:
    sha, answer = browser.send("git")

    assert answer["issue_keys"] == ["DEMO-3"]
    assert until(
        lambda: cloud.jira_row("DEMO-3", f"COMMIT#acme/site#{sha}") or sha in str(cloud.jira_row("DEMO-3", "CORRELATION"))
    )


def test_a_draft_is_approved_by_the_rendered_button(cloud: Cloud, browser: Browser) -> None:
    browser.send("draft")

    assert "answered with 200" in browser.click("approvals", "approve_draft")

    page = browser.slack("approvals", "Ticket Created")
    key = re.search(r"DEMO-\d+", page[page.index("Ticket Created") :])
    assert key
    jira = requests.get(f"{cloud.aws_url}/_local/ready", timeout=10).json()["standins"]["jira"]
    account = ("switchboard@example.com", "local-jira-api-token")
    issue = requests.get(f"{jira}/rest/api/3/issue/{key[0]}", auth=account, timeout=10).json()
    assert issue["fields"]["summary"] == "Refuse uploads over 1 GB"


def test_a_draft_is_rejected_with_a_reason(browser: Browser) -> None:
    browser.send("draft")

    browser.click("approvals", "reject_draft", reject_reason="unclear", reject_words="Which disk?")

    page = browser.slack("approvals", "You rejected")
    assert "Not clear enough to work on: Which disk?" in html.unescape(page)
    assert "Only visible to the person who clicked" in page


def test_an_issue_that_failed_is_retried_by_the_rendered_button(browser: Browser) -> None:
    browser.post(
        "/playground/faults/jira",
        fault=json.dumps({"path": "/rest/api/3/issue", "method": "POST", "status": 400, "body": "{}", "times": 1000}),
    )
    session_id, _ = browser.send("draft")
    browser.click("approvals", "approve_draft")
    browser.slack("approvals", 'name="retry_issue"')
    browser.post("/playground/faults/jira/off")

    browser.click("approvals", "retry_issue")

    until(lambda: "Ticket Created" in browser.page("/playground/slack?channel=approvals").partition(session_id)[0], every=0.2)
    assert 'name="retry_issue"' not in browser.page("/playground/slack?channel=approvals")


def test_a_file_is_imported(browser: Browser) -> None:
    job_id, _ = browser.send("file", "A changed catalogue with a wrong row")

    page = until(lambda: found if "COMPLETED" in (found := browser.page(f"/jobs/teapots.example.com/{job_id}")) else None, 60)

    assert "WRONG_TYPE" in page


def test_a_fault_of_aws_makes_a_notification_retry_and_is_switched_off(cloud: Cloud, browser: Browser) -> None:
    inbox = Inbox(cloud, cloud.outputs["notification_topic_arn"])
    twice = {"service": "sns", "operation": "Publish", "error": "ThrottlingException", "function": "notification", "times": 2}
    assert "1 fault on" in browser.post("/playground/faults/aws", fault=json.dumps(twice))

    event_id, _ = browser.send("lease", "LeaseFrozen")

    inbox.wait_for_event(event_id, 30)
    records = [record for record in cloud.log_records("notification") if event_id in json.dumps(record)]
    assert any(record.get("message") == "notification_failed" for record in records)
    assert faults(cloud) == []

    browser.post("/playground/faults/aws", fault='{"service": "sns", "error": "InternalServerError"}')
    cloud.client("sns").publish(TopicArn=cloud.outputs["notification_topic_arn"], Message='{"event_id": "of an operator"}')
    assert len(faults(cloud)) == 1
    browser.post("/playground/faults/aws/off")
    assert faults(cloud) == []
    event_id, _ = browser.send("lease", "LeaseUnfrozen")
    inbox.wait_for_event(event_id)


def test_a_fault_of_slack_is_switched_on_and_off(browser: Browser) -> None:
    page = browser.post("/playground/faults/slack", fault='{"path": "/api/*", "error": "token_revoked", "times": 1000}')
    assert "token_revoked" in page

    assert "token_revoked" not in re.sub(
        r"<option.*?</option>|<textarea.*?</textarea>", "", browser.post("/playground/faults/slack/off")
    )


def test_a_schedule_runs(cloud: Cloud, browser: Browser) -> None:
    before = len(cloud.log_records("health"))

    assert "health runs now, in health." in browser.post("/playground/schedules/health/run")

    assert until(lambda: len(cloud.log_records("health")) > before, 30, every=0.5)
