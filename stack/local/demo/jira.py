"""The second flow: a Jira site's webhooks arrive in disorder and doubled, some never do, and the table ends as Jira is."""

import json
import random
from typing import Any

from rich.progress import track
from rich.table import Table
from rich.text import Text

from stack.local.cloud import LocalCloud
from stack.local.demo.stage import Stage, basic_auth, hub_signature, send, until
from stack.local.program import PROJECT, read_config

SECRET = "the demo's Jira signs with this"  # noqa: S105 (the local cloud's own)
COMMIT_SECRET = "the demo's Git host signs with this"  # noqa: S105
PROJECTS = ("OPS", "GOLD")
CONFIG = {"jiraWebhookSecret": SECRET, "commitWebhookSecret": COMMIT_SECRET, "jiraProjects": ",".join(PROJECTS)}
_WAIT_SECONDS = 30.0


def tell(cloud: LocalCloud, stage: Stage) -> None:
    """Play the flow on ``stage``."""
    jira = _JiraSite(cloud.standins["jiraBaseUrl"])
    keys = _work_in_jira(jira)
    _deliver_in_disorder(cloud, stage, jira)
    _compare(cloud, stage, jira, keys, "Whatever the order, the table is as Jira is")
    _push_commits(cloud, stage, keys[0])
    keys += _work_unheard(jira, keys)
    _reconcile(cloud, stage)
    _compare(cloud, stage, jira, keys, "After reconciliation it is again as Jira is, without a webhook")
    _check_health(cloud, stage)


class _JiraSite:
    """The Jira stand-in as its users see it."""

    def __init__(self, url: str) -> None:
        config = read_config({})
        self._site, self._url = url, f"{url}/_standin"
        self._account = basic_auth(config[f"{PROJECT}:jiraEmail"], config[f"{PROJECT}:jiraApiToken"])

    def create(self, summary: str, project: str = "OPS") -> str:
        return str(self._do("POST", "issues", {"project": project, "summary": summary})["key"])

    def edit(self, key: str, **fields: Any) -> str:
        return str(self._do("PATCH", f"issues/{key}", fields)["key"])

    def delete(self, key: str) -> None:
        self._do("DELETE", f"issues/{key}", {})

    def webhooks(self) -> list[dict[str, Any]]:
        return list(self._do("GET", "webhooks")["webhooks"])

    def state(self, key: str) -> str:
        """What a user who looks at the issue sees, in a word or two."""
        status, body = send("GET", f"{self._site}/rest/api/3/issue/{key}", None, self._account)
        if status == 404:
            return "deleted"
        issue = json.loads(body)
        return str(issue["fields"]["status"]["name"]) if issue["key"] == key else f"moved to {issue['key']}"

    def _do(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        status, text = send(method, f"{self._url}/{path}", None if body is None else json.dumps(body).encode())
        if status >= 400:
            raise RuntimeError(f"the Jira stand-in answered {status} to {method} {path}: {text}")
        return dict(json.loads(text))


def _work_in_jira(jira: _JiraSite) -> list[str]:
    """A morning's work: four issues made, edited, deleted and moved. The keys, also those that were left."""
    deploy, flaky, billing, login = (
        jira.create(summary) for summary in ("Deploy by hand", "Flaky test", "Billing export", "Login is slow")
    )
    jira.edit(deploy, status="In Progress", fix_versions=["1.4"])
    jira.edit(login, assignee="ada")
    jira.edit(deploy, status="Done", fix_versions=["1.5"])
    jira.delete(flaky)
    moved = jira.edit(billing, project="GOLD")
    jira.edit(moved, status="In Progress")
    return [deploy, flaky, billing, moved, login]


def _deliver_in_disorder(cloud: LocalCloud, stage: Stage, jira: _JiraSite) -> None:
    stage.heading("Jira's webhooks: signed, each twice, in any order")
    sent = jira.webhooks()
    deliveries = list(enumerate(sent, 1)) * 2
    random.Random(7).shuffle(deliveries)  # noqa: S311 (the same disorder in every demo)
    table = Table("arrives", "was sent as", "event", "issue", "answer")
    answers = []
    for place, (number, webhook) in enumerate(track(deliveries, "deliver", console=stage.console), 1):
        body = webhook["body"].encode()
        headers = {"X-Hub-Signature": hub_signature(body, SECRET), "X-Atlassian-Webhook-Identifier": webhook["identifier"]}
        status, text = send("POST", f"{cloud.ready.http_url}/webhooks/jira", body, headers)
        answer = json.loads(text).get("status", text)
        answers.append((status, answer))
        colour = {"stored": "green", "duplicate": "dim", "superseded": "yellow"}.get(answer, "red")
        table.add_row(str(place), f"no. {number}", webhook["event"], json.loads(body)["issue"]["key"], Text(answer, colour))
    stage.console.print(table)
    stage.check(
        all(status == 202 for status, _ in answers), f"{len(deliveries)} deliveries of {len(sent)} webhooks were all taken"
    )
    stage.check(
        sum(answer == "duplicate" for _, answer in answers) == len(sent), "every second copy was recognised as a duplicate"
    )


def _compare(cloud: LocalCloud, stage: Stage, jira: _JiraSite, keys: list[str], claim: str) -> None:
    stage.heading("JiraIssues, held against Jira")
    table = Table("issue", "in Jira", "HEAD in JiraIssues", "versions", "correlation")
    agree = True
    for key in keys:
        rows = _rows(cloud, key)
        head = rows.get("HEAD", {})
        stored = _state(head)
        agree = agree and stored == jira.state(key)
        versions = sum(name[:1].isdigit() for name in rows)
        correlation = rows.get("CORRELATION", {}).get("state", {}).get("S", "")
        table.add_row(key, jira.state(key), stored, str(versions), correlation)
    stage.console.print(table)
    stage.check(agree, claim)


def _push_commits(cloud: LocalCloud, stage: Stage, key: str) -> None:
    stage.heading("A push that names an issue")
    commits = [
        {
            "id": "3f786850e387550fdab836ed7e6dc881de23001b",
            "message": f"{key}: deploy from CI",
            "timestamp": "2026-11-20T08:00:00-07:00",
        },
        {
            "id": "89e6c98d92887913cadf06b2adb97f26cde4849b",
            "message": "Read files as UTF-8",
            "timestamp": "2026-11-20T08:05:00-07:00",
        },
    ]
    body = json.dumps({"ref": "refs/heads/main", "repository": {"full_name": "acme/site"}, "commits": commits}).encode()
    headers = {"X-Hub-Signature-256": hub_signature(body, COMMIT_SECRET)}
    _, text = send("POST", f"{cloud.ready.http_url}/webhooks/commits", body, headers)
    stage.console.print(f"  {text.strip()}")
    matched = until(lambda: _rows(cloud, key).get("CORRELATION", {}).get("state", {}).get("S") == "matched", _WAIT_SECONDS)
    stage.check(bool(matched), f"{key} is correlated with its commit; UTF-8 was no issue")


def _work_unheard(jira: _JiraSite, keys: list[str]) -> list[str]:
    """More work, whose webhooks never arrive. The new key."""
    jira.edit(keys[4], status="Done")
    jira.delete(keys[0])
    return [jira.create("Nobody heard of this")]


def _reconcile(cloud: LocalCloud, stage: Stage) -> None:
    stage.heading("Three changes whose webhooks were lost: the nightly sweep")
    table = Table("project", "fetched", "created", "updated", "deleted", "unchanged", "failed", "refused")
    result = _invoke(cloud, "reconciliation", {"full": True})
    for project in result["projects"]:
        counts = project["counts"]
        names = ("fetched", "created", "updated", "deleted", "unchanged", "failed")
        table.add_row(project["project"], *(str(counts[name]) for name in names), "; ".join(project["refused"]))
    stage.console.print(table)
    total = {name: sum(project["counts"][name] for project in result["projects"]) for name in ("created", "updated", "deleted")}
    stage.check(total == {"created": 1, "updated": 1, "deleted": 1}, "one was created, one updated, one deleted")


def _check_health(cloud: LocalCloud, stage: Stage) -> None:
    stage.heading("Health: a sentinel through every table")
    report = _invoke(cloud, "health", {"mode": "deep"})
    table = Table("check", "status", "ms", "detail")
    for check in report["checks"]:
        table.add_row(check["name"], check["status"], f"{check['latency_ms']:.0f}", Text(check["detail"]))
    stage.console.print(table)
    stage.check(report["status"] == "ok", "every check passed")


def _invoke(cloud: LocalCloud, entry_point: str, event: dict[str, Any]) -> dict[str, Any]:
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.ready.outputs["functions"][entry_point], Payload=json.dumps(event).encode()
    )
    return dict(json.loads(answer["Payload"].read()))


def _rows(cloud: LocalCloud, key: str) -> dict[str, dict[str, Any]]:
    answer = cloud.client("dynamodb").query(
        TableName=cloud.ready.outputs["jira_issues_table_name"],
        KeyConditionExpression="issue_key = :key",
        ExpressionAttributeValues={":key": {"S": key}},
        ConsistentRead=True,
    )
    return {item["updated_at"]["S"]: item for item in answer["Items"]}


def _state(head: dict[str, Any]) -> str:
    if not head:
        return "not there"
    if head["deleted"]["BOOL"]:
        return f"moved to {head['moved_to']['S']}" if "moved_to" in head else "deleted"
    return str(head["status"]["S"])
