"""The second flow: Jira's webhooks arrive twice, out of order or never, and the table still ends equal to Jira."""

import json
import random
from collections import Counter
from typing import Any

from rich.table import Table
from rich.text import Text

from lib.platform.contract import live
from stack.local.cloud import LocalCloud
from stack.local.demo.calls import basic_auth, hub_signature, query, send, until
from stack.local.demo.stage import Stage, table
from stack.local.program import PROJECT, read_config

SECRET = "the demo's Jira signs with this"  # noqa: S105 (the local cloud's own)
COMMIT_SECRET = "the demo's Git host signs with this"  # noqa: S105
PROJECTS = ("OPS", "GOLD")
CONFIG = {"jiraWebhookSecret": SECRET, "commitWebhookSecret": COMMIT_SECRET, "jiraProjects": ",".join(PROJECTS)}
_WAIT_SECONDS = 30.0


def play(cloud: LocalCloud, stage: Stage) -> None:
    """Play the flow on ``stage``."""
    jira = _JiraSite(cloud.standins["jiraBaseUrl"])
    keys = _work_in_jira(jira)
    stage.heading("Jira webhooks: signed, each sent twice, in random order")
    _deliver_in_disorder(cloud, stage, jira)
    issues = _compare(cloud, stage, jira, keys, "JiraIssues equals Jira, whatever the order")
    stage.detail(issues)
    _push_commits(cloud, stage, keys[0])
    keys += _work_without_webhooks(jira, keys)
    stage.heading("Reconciliation: three changes whose webhooks were lost")
    _reconcile(cloud, stage)
    stage.show(_compare(cloud, stage, jira, keys, "JiraIssues equals Jira again, without a webhook"))
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
        """The issue's status as a user sees it, or that it was deleted or moved."""
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
    """Create, edit, delete and move issues; their keys, the old ones of moved issues too."""
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
    sent = jira.webhooks()
    deliveries = list(enumerate(sent, 1)) * 2
    random.Random(7).shuffle(deliveries)  # noqa: S311 (the same disorder in every demo)
    answers = table("delivery", "webhook", "event", "issue", "answer")
    statuses, outcomes = set(), Counter[str]()
    for place, (number, webhook) in enumerate(stage.steps(deliveries, "deliver"), 1):
        body = webhook["body"].encode()
        headers = {"X-Hub-Signature": hub_signature(body, SECRET), "X-Atlassian-Webhook-Identifier": webhook["identifier"]}
        status, text = send("POST", f"{cloud.ready.http_url}/webhooks/jira", body, headers)
        outcome = json.loads(text).get("status", text)
        statuses.add(status)
        outcomes[outcome] += 1
        colour = {"stored": "green", "duplicate": "dim", "superseded": "yellow"}.get(outcome, "red")
        issue = json.loads(body)["issue"]["key"]
        answers.add_row(str(place), f"no. {number}", webhook["event"], issue, Text(outcome, colour))
    stage.detail(answers)
    stage.say(f"Answers: {', '.join(f'{count} {outcome}' for outcome, count in outcomes.most_common())}.")
    stage.check(statuses == {202}, f"{len(deliveries)} deliveries of {len(sent)} webhooks were all accepted")
    stage.check(outcomes["duplicate"] == len(sent), "every second copy was recognised as a duplicate")


def _compare(cloud: LocalCloud, stage: Stage, jira: _JiraSite, keys: list[str], statement: str) -> Table:
    issues = table("issue", "in Jira", "HEAD in JiraIssues", "versions", "correlation")
    agree = True
    for key in keys:
        rows = _rows(cloud, key)
        actual, stored = jira.state(key), _state(rows.get("HEAD", {}))
        agree = agree and stored == actual
        versions = sum(name[:1].isdigit() for name in rows)
        issues.add_row(key, actual, stored, str(versions), rows.get("CORRELATION", {}).get("state", {}).get("S", ""))
    stage.check(agree, statement)
    return issues


def _push_commits(cloud: LocalCloud, stage: Stage, key: str) -> None:
    stage.heading(f"A Git push with two commits, one of which names {key}")
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
    stage.detail(Text(text.strip()))
    matched = until(lambda: _rows(cloud, key).get("CORRELATION", {}).get("state", {}).get("S") == "matched", _WAIT_SECONDS)
    stage.check(bool(matched), f"{key} is correlated with its commit; UTF-8 is not taken for an issue")


def _work_without_webhooks(jira: _JiraSite, keys: list[str]) -> list[str]:
    """Three changes whose webhooks never arrive; the new key."""
    jira.edit(keys[4], status="Done")
    jira.delete(keys[0])
    return [jira.create("Created without a webhook")]


def _reconcile(cloud: LocalCloud, stage: Stage) -> None:
    result = _invoke(cloud, "reconciliation", {"full": True})
    names = ("fetched", "created", "updated", "deleted", "unchanged", "failed")
    projects, total = table("project", *names, "refused"), Counter[str]()
    for project in result["projects"]:
        total.update(project["counts"])
        counts = (str(project["counts"][name]) for name in names)
        projects.add_row(project["project"], *counts, "; ".join(project["refused"]))
    stage.show(projects)
    changes = [total[name] for name in ("created", "updated", "deleted")]
    stage.check(changes == [1, 1, 1], "one issue was created, one updated, one deleted")


def _check_health(cloud: LocalCloud, stage: Stage) -> None:
    stage.heading("Deep health check: a sentinel row through every table")
    report = _invoke(cloud, "health", {"mode": "deep"})
    checks = table("check", "status", "ms", "detail")
    for check in report["checks"]:
        checks.add_row(check["name"], check["status"], f"{check['latency_ms']:.0f}", Text(check["detail"]))
    (stage.detail if report["status"] == "ok" else stage.show)(checks)
    stage.check(report["status"] == "ok", f"all {len(report['checks'])} checks passed: tables, secrets and Jira")


def _invoke(cloud: LocalCloud, entry_point: str, event: dict[str, Any]) -> dict[str, Any]:
    answer = cloud.client("lambda").invoke(
        FunctionName=live(cloud.ready.outputs["functions"][entry_point]), Payload=json.dumps(event).encode()
    )
    return dict(json.loads(answer["Payload"].read()))


def _rows(cloud: LocalCloud, key: str) -> dict[str, dict[str, Any]]:
    return {row["updated_at"]["S"]: row for row in query(cloud, "jira_issues_table_name", "issue_key", key)}


def _state(head: dict[str, Any]) -> str:
    if not head:
        return "missing"
    if head["deleted"]["BOOL"]:
        return f"moved to {head['moved_to']['S']}" if "moved_to" in head else "deleted"
    return str(head["status"]["S"])
