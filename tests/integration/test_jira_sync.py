"""Signed HTTP in, table out: a Jira site's webhooks come disordered, doubled and late, and the table ends as Jira is."""

import itertools
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from lib.jira import items
from stack.local.standins.jira import Jira
from tests.integration.conftest import COMMIT_SECRET, JIRA_SECRET
from tests.support.cloud import Cloud, until
from tests.support.jira import bodies
from tests.support.web.standins import Served, put_issue

_numbers = itertools.count(1)


def issue_key(project: str = "OPS") -> str:
    return f"{project}-{next(_numbers)}"


def at(minute: float) -> datetime:
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC) + timedelta(minutes=minute)


def delivery(
    key: str, minute: float, *, event: str = "jira:issue_updated", sent: float | None = None, **fields: Any
) -> dict[str, Any]:
    """A webhook body: the issue as of ``minute``, sent then or at ``sent``."""
    base: dict[str, Any] = {
        "summary": f"{key} at {minute}",
        "status": {"name": "To Do"},
        "assignee": None,
        "fixVersions": [],
        "updated": at(minute).strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "project": {"key": key.split("-", maxsplit=1)[0]},
    }
    return {
        "timestamp": int(at(minute if sent is None else sent).timestamp() * 1000),
        "webhookEvent": event,
        "issue": {"id": str(10_000 + int(key.split("-")[1])), "key": key, "fields": base | fields},
        "changelog": {"id": "1", "items": []},
    }


def post(
    cloud: Cloud,
    body: dict[str, Any] | bytes,
    identifier: str | None = None,
    path: str = "/webhooks/jira",
    secret: str = JIRA_SECRET,
) -> Any:
    return cloud.post_signed(path, body, secret, identifier or str(uuid.uuid4()))


def keys_in(cloud: Cloud, index: str, name: str, value: str) -> set[str]:
    """The issues that an index has under a key, or in any shard of it."""
    if name.endswith("_shard"):
        return set().union(*(_keys_under(cloud, index, name, key) for key in items.shard_keys(value)))
    return _keys_under(cloud, index, name, value)


def _keys_under(cloud: Cloud, index: str, name: str, value: str) -> set[str]:
    answer = cloud.client("dynamodb").query(
        TableName=cloud.outputs["jira_issues_table_name"],
        IndexName=index,
        KeyConditionExpression="#name = :value",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":value": {"S": value}},
    )
    return {item["issue_key"]["S"] for item in answer["Items"]}


def test_the_answers_are_stored_duplicate_and_superseded(cloud: Cloud) -> None:
    key = issue_key()
    new, old = delivery(key, 10), delivery(key, 5)
    assert post(cloud, new, "a").json()["status"] == "stored"
    assert post(cloud, new, "a").json()["status"] == "duplicate"
    answer = post(cloud, old, "b")
    assert (answer.status_code, answer.json()["status"]) == (202, "superseded")
    head = cloud.jira_row(key)
    assert head is not None
    assert head["version_at"] == {"S": "2026-03-01T12:10:00.000000Z"}
    assert head["summary"] == {"S": f"{key} at 10"}
    assert cloud.jira_row(key, "2026-03-01T12:05:00.000000Z") is not None, "the older delivery is kept as history"


def test_head_has_the_attributes_that_are_promised(cloud: Cloud) -> None:
    key = issue_key()
    body = delivery(key, 1, assignee={"accountId": "abc"}, fixVersions=[{"name": "1.0"}, {"name": "2.0"}])
    post(cloud, body)
    head = cloud.jira_row(key)
    assert head is not None
    assert head["event_at"] == {"N": str(int(at(1).timestamp() * 1000))}
    assert head["idempotency_key"] == {"S": bodies.digest(body)}
    assert head["deleted"] == {"BOOL": False}
    assert head["project_key"] == {"S": "OPS"}
    assert head["issue_number"] == {"N": key.split("-")[1]}
    assert head["status"] == {"S": "To Do"}
    assert head["assignee"] == {"S": "abc"}
    assert head["fix_versions"] == {"L": [{"S": "1.0"}, {"S": "2.0"}]}


def test_a_moved_issue_has_its_new_key_and_the_old_key_points_to_it(cloud: Cloud) -> None:
    old, new = issue_key(), issue_key("GOLD")
    post(cloud, delivery(old, 1))
    moved = delivery(new, 2)
    moved["issue_event_type_name"] = "issue_moved"
    moved["changelog"] = {"items": [{"field": "Key", "fromString": old, "toString": new}]}
    assert post(cloud, moved).json()["issue_keys"] == [new, old]
    head = cloud.jira_row(old)
    assert head is not None
    assert (head["deleted"], head["moved_to"]) == ({"BOOL": True}, {"S": new})
    assert new in keys_in(cloud, "ProjectIndex", "project_key", "GOLD")
    assert old not in keys_in(cloud, "ProjectIndex", "project_key", "OPS")


@pytest.mark.parametrize("seed", range(3))
def test_any_order_with_duplicates_ends_in_the_state_that_jira_is_in(cloud: Cloud, seed: int) -> None:
    chance = random.Random(seed)
    key = issue_key()
    versions = [
        delivery(key, minute, status={"name": f"S{minute}"}, fixVersions=[{"name": f"v{minute}"}]) for minute in range(8)
    ]
    sent = [(body, f"{seed}-{number}") for number, body in enumerate(versions)] * 2
    chance.shuffle(sent)
    for body, identifier in sent:
        assert post(cloud, body, identifier).status_code == 202
    head = cloud.jira_row(key)
    assert head is not None
    assert head["status"] == {"S": "S7"}
    assert key in keys_in(cloud, "FixVersionIndex", "fix_version_shard", "v7")
    for minute in range(7):
        assert key not in keys_in(cloud, "StatusIndex", "status_shard", f"S{minute}")
        assert key not in keys_in(cloud, "FixVersionIndex", "fix_version_shard", f"v{minute}")


def test_an_event_without_the_issues_state_is_fetched_from_jira(cloud: Cloud, jira: Served[Jira]) -> None:
    key = put_issue(jira, "FETCH", summary="as Jira has it")
    body = {"timestamp": 1, "webhookEvent": "comment_created", "issue": {"id": "1", "key": key, "fields": {"summary": "few"}}}
    answer = post(cloud, body)
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")

    head = until(lambda: cloud.jira_row(key), 20)
    assert head["summary"] == {"S": "as Jira has it"}


def test_an_event_without_an_issue_is_ignored_and_says_why(cloud: Cloud) -> None:
    answer = post(cloud, {"timestamp": 1, "webhookEvent": "sprint_started", "sprint": {"id": 1}})
    assert (answer.status_code, answer.json()["status"]) == (202, "ignored")
    assert answer.json()["reason"]


def test_six_megabytes_of_issue_still_sync(cloud: Cloud) -> None:
    key = issue_key()
    body = delivery(key, 1, description="x" * 6_000_000)
    assert post(cloud, body).json()["status"] == "stored"
    version = cloud.jira_row(key, "2026-03-01T12:01:00.000000Z")
    assert version is not None
    stored = cloud.client("s3").get_object(Bucket=cloud.outputs["artifact_bucket_name"], Key=version["raw_object"]["S"])
    assert stored["ContentEncoding"] == "gzip"


@pytest.mark.parametrize(
    ("path", "secret"), [("/webhooks/jira", "wrong"), ("/webhooks/commits", "wrong"), ("/webhooks/jira", COMMIT_SECRET)]
)
def test_a_wrong_secret_is_refused(cloud: Cloud, path: str, secret: str) -> None:
    assert post(cloud, {}, path=path, secret=secret).status_code == 401


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff", b'{"webhookEvent": "jira:issue_updated", "issue": {"key": "no key"}}']
)
def test_a_signed_body_other_than_a_delivery_is_400(cloud: Cloud, body: bytes) -> None:
    assert post(cloud, body).status_code == 400


def push(*messages: str) -> dict[str, Any]:
    commits = [
        {"id": uuid.uuid4().hex + "12345678", "message": message, "timestamp": "2026-03-01T12:00:00-07:00"}
        for message in messages
    ]
    return {"ref": "refs/heads/main", "repository": {"full_name": "acme/site"}, "commits": commits}


def test_commits_that_name_an_issue_are_linked_and_correlated(cloud: Cloud) -> None:
    key = issue_key()
    post(cloud, delivery(key, 1))
    answer = post(
        cloud, push(f"{key}: make it so", "no issue, but UTF-8 and SHA-256"), path="/webhooks/commits", secret=COMMIT_SECRET
    )
    assert (answer.status_code, answer.json()["status"]) == (202, "stored")
    assert answer.json()["issue_keys"] == [key]

    def matched() -> dict[str, Any] | None:
        correlation = cloud.jira_row(key, "CORRELATION")
        return correlation if correlation and correlation["state"] == {"S": "matched"} else None

    correlation = until(matched, 20)
    assert len(correlation["commits"]["L"]) == 1
    assert correlation["generated_at"]["S"].endswith("-07:00")
    assert correlation["timezone"] == {"S": "America/Phoenix"}


def test_commits_that_name_no_known_project_are_ignored(cloud: Cloud) -> None:
    answer = post(cloud, push("UTF-8 and NOBODY-1"), path="/webhooks/commits", secret=COMMIT_SECRET)
    assert (answer.status_code, answer.json()["status"]) == (202, "ignored")


def test_a_message_that_no_one_can_read_ends_in_the_dead_letter_queue(cloud: Cloud) -> None:
    sqs = cloud.client("sqs")
    urls = sqs.list_queues()["QueueUrls"]
    work = next(url for url in urls if "jira-work-" in url and "dead" not in url)
    dead = next(url for url in urls if "jira-work-dead-letters" in url)
    sqs.send_message(QueueUrl=work, MessageBody="not a task")

    def letter() -> bool:
        messages = sqs.receive_message(QueueUrl=dead).get("Messages", [])
        for message in messages:  # other tests count what is in there
            sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
        return any(message["Body"] == "not a task" for message in messages)

    until(letter, 30)


def test_no_secret_and_no_address_is_in_the_logs(cloud: Cloud) -> None:
    key = issue_key()
    person = {"accountId": "abc", "emailAddress": "grace@sandbox.example", "displayName": "Grace"}
    post(cloud, delivery(key, 1, assignee=person, description="write to grace@sandbox.example"))
    until(lambda: cloud.jira_row(key, "CORRELATION"), 20)
    text = "\n".join([*cloud.log_lines("webhooks"), *cloud.log_lines("jira_worker")])
    assert "@" not in text
    assert JIRA_SECRET not in text


# Shapes that lack something


def test_a_delivery_again_under_another_identifier_is_a_duplicate(cloud: Cloud) -> None:
    body = delivery(issue_key(), 1)

    assert [post(cloud, body, identifier).json()["status"] for identifier in ("one", "two")] == ["stored", "duplicate"]


def test_a_transition_webhook_is_stored(cloud: Cloud) -> None:
    key = issue_key()
    body = delivery(key, 1) | {"transition": {"transitionName": "Done"}, "comment": ""}
    del body["webhookEvent"]

    answer = post(cloud, body).json()
    assert (answer["status"], answer["event_type"], answer["issue_key"]) == ("stored", "transition", key)


def test_a_data_center_comment_is_fetched_by_the_id_in_its_url(cloud: Cloud, jira: Served[Jira]) -> None:
    key = put_issue(jira, "CENTER", summary="as Jira has it")
    issue_id = requests.get(f"{jira.url}/rest/api/3/issue/{key}", auth=("a", "b"), timeout=10).json()["id"]
    url = f"https://jira.example.com/rest/api/2/issue/{issue_id}/comment/7"

    answer = post(cloud, {"timestamp": 1, "webhookEvent": "comment_created", "comment": {"self": url}})
    assert answer.json()["fetching"] == [issue_id]
    assert until(lambda: cloud.jira_row(key), 20)["summary"] == {"S": "as Jira has it"}


def test_odd_members_lose_no_issue(cloud: Cloud) -> None:
    key = issue_key()
    body = delivery(key, 1, summary="half \ud83d of a pair") | {"timestamp": "soon", "changelog": [], "\ud83d": {"x": 1e300}}

    assert post(cloud, body).json()["status"] == "stored"
    head = cloud.jira_row(key)
    assert head is not None
    assert head["summary"] == {"S": "half \ufffd of a pair"}


# Jira Automation

TOKEN = "local-jira-automation-token"


def automate(cloud: Cloud, body: dict[str, Any], token: str | None) -> requests.Response:
    """Send issue data as a rule of Jira Automation does."""
    headers = {} if token is None else {"X-Switchboard-Token": token}
    return requests.post(f"{cloud.http_url}/webhooks/jira", json=body, headers=headers, timeout=60)


@pytest.mark.parametrize("wrapped", [True, False])
def test_issue_data_of_jira_automation_is_stored(cloud: Cloud, wrapped: bool) -> None:
    key = issue_key()
    issue = delivery(key, 1, updated=1_772_366_460_000)["issue"]

    answer = automate(cloud, {"issue": issue} if wrapped else issue, TOKEN)
    assert (answer.status_code, answer.json()["status"], answer.json()["event_type"]) == (202, "stored", "automation")
    head = cloud.jira_row(key)
    assert head is not None
    assert head["version_at"] == {"S": "2026-03-01T12:01:00.000000Z"}
    assert key in keys_in(cloud, "ProjectIndex", "project_key", "OPS")


@pytest.mark.parametrize("token", [None, "", "guessed", JIRA_SECRET])
def test_issue_data_without_the_token_is_refused(cloud: Cloud, token: str | None) -> None:
    key = issue_key()

    assert automate(cloud, delivery(key, 1)["issue"], token).status_code == 401
    assert cloud.jira_row(key) is None


def test_the_token_deletes_nothing(cloud: Cloud) -> None:
    key = issue_key()
    post(cloud, delivery(key, 1))

    assert automate(cloud, delivery(key, 2, event="jira:issue_deleted"), TOKEN).status_code == 401
    head = cloud.jira_row(key)
    assert head is not None
    assert head["deleted"] == {"BOOL": False}
