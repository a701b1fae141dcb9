"""Signed pushes of every Git host in, links and correlation out; moved issues; and commits that arrive through the queue."""

import base64
import hmac
import itertools
import json
import time
import uuid
from typing import Any

import pytest
import requests

from lib.jira.commits import Commit
from lib.jira.tasks import Task
from tests.integration.conftest import COMMIT_SECRET, JIRA_SECRET
from tests.support.cloud import Cloud, until
from tests.support.jira.bodies import issue_event, move_event

_numbers = itertools.count(1)


def new_issue(cloud: Cloud) -> str:
    key = f"GIT-{next(_numbers)}"
    assert cloud.post_signed("/webhooks/jira", issue_event(key), JIRA_SECRET, str(uuid.uuid4())).status_code == 202
    return key


def new_sha() -> str:
    return f"{uuid.uuid4().hex}abcdef12"


def linked(cloud: Cloud, key: str, *shas: str, state: str = "matched") -> bool:
    row = cloud.jira_row(key, "CORRELATION")
    return row is not None and row["state"]["S"] == state and {sha["S"] for sha in row["commits"]["L"]} == set(shas)


def github(sha: str, key: str) -> dict[str, Any]:
    commits = [{"id": "odd"}, {"id": sha, "message": "no key, no date"}]
    return {"ref": f"refs/heads/bugfix_{key.lower()}_login", "commits": commits, "repository": {"full_name": "acme/shop"}}


def bitbucket_cloud(sha: str, key: str) -> dict[str, Any]:
    new = {"type": "branch", "name": "main", "target": {"hash": sha, "message": f"{key} \ud83d", "date": 7}}
    return {"push": {"changes": [{"new": new, "commits": [{"hash": None}]}]}, "repository": {"full_name": "acme/shop"}}


def data_center(sha: str, key: str) -> dict[str, Any]:
    change = {"ref": {"id": f"refs/heads/{key}-x", "type": "BRANCH"}, "toHash": sha, "type": "ADD"}
    return {"eventKey": "repo:refs_changed", "changes": [change], "repository": {"slug": "shop", "project": {"key": "AC"}}}


def gitlab(sha: str, key: str) -> dict[str, Any]:
    request = {"title": f"{key}: fix", "source_branch": "fix", "last_commit": {"id": sha, "message": "fix"}}
    return {"object_kind": "merge_request", "object_attributes": request, "project": {"path_with_namespace": "acme/shop"}}


@pytest.mark.parametrize("body", [github, bitbucket_cloud, data_center, gitlab], ids=lambda body: body.__name__)
def test_a_push_of_every_host_is_linked_and_correlated(cloud: Cloud, body: Any) -> None:
    key, sha = new_issue(cloud), new_sha()

    answer = cloud.post_signed("/webhooks/commits", body(sha, key), COMMIT_SECRET)

    assert (answer.status_code, answer.json()["status"], answer.json()["issue_keys"]) == (202, "stored", [key])
    until(lambda: linked(cloud, key, sha), 30)


def post(cloud: Cloud, body: bytes, headers: dict[str, str]) -> int:
    given = {"Content-Type": "application/json", **headers}
    return requests.post(f"{cloud.http_url}/webhooks/commits", data=body, headers=given, timeout=60).status_code


def standard_webhooks(body: bytes, secret: str) -> dict[str, str]:
    timestamp = str(int(time.time()))
    digest = hmac.digest(secret.encode(), f"msg_1.{timestamp}.".encode() + body, "sha256")
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": signature}


def test_gitlabs_token_and_signature_are_accepted_and_wrong_ones_refused(cloud: Cloud) -> None:
    body = json.dumps(gitlab(new_sha(), new_issue(cloud))).encode()

    assert post(cloud, body, {"X-Gitlab-Token": COMMIT_SECRET}) == 202
    assert post(cloud, body, standard_webhooks(body, COMMIT_SECRET)) == 202
    assert post(cloud, body, {"X-Gitlab-Token": "wrong"}) == 401
    assert post(cloud, body, standard_webhooks(body, "wrong")) == 401
    assert post(cloud, b'{"test": true}', {"X-Event-Key": "diagnostics:ping"}) == 401


def test_the_commits_of_a_moved_issue_are_under_its_new_key(cloud: Cloud) -> None:
    key, before, after = new_issue(cloud), new_sha(), new_sha()
    moved = f"MOVED-{key.partition('-')[2]}"
    cloud.post_signed("/webhooks/commits", data_center(before, key), COMMIT_SECRET)
    until(lambda: linked(cloud, key, before), 30)

    cloud.post_signed("/webhooks/jira", move_event(key, moved, minute=1), JIRA_SECRET, str(uuid.uuid4()))
    cloud.post_signed("/webhooks/commits", data_center(after, key), COMMIT_SECRET)

    until(lambda: linked(cloud, moved, before, after), 30)
    assert linked(cloud, key, state="moved")


def test_queued_commits_are_stored_and_correlated(cloud: Cloud) -> None:
    key, sha = new_issue(cloud), new_sha()
    commit = Commit(sha, "acme/shop", "fix", "2026-03-01T12:00:00.000000Z", (f"FIX_{key}", "UTF-8"))
    sqs = cloud.client("sqs")
    work = next(url for url in sqs.list_queues()["QueueUrls"] if "jira-work-" in url and "dead" not in url)

    sqs.send_message(QueueUrl=work, MessageBody=Task(commits=(commit,)).to_body())

    until(lambda: linked(cloud, key, sha), 30)
