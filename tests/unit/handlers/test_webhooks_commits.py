"""POST /webhooks/commits: commits become rows of the issues they name, of projects that are configured or known."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest.mock import ANY
from urllib.parse import urlencode

import pytest

from lib.jira.correlation_store import CorrelationStore
from lib.jira.tasks import Task
from lib.platform import aws, clock
from tests.support.aws.moto_inside import ISSUES
from tests.support.aws.wire import aws_error
from tests.support.jira.bodies import bitbucket_push, deliver, github_pull_request, github_push, issue_event, push, sha
from tests.support.jira.cloud import COMMIT_SECRET, JiraCloud
from tests.support.observability.emf import names_in
from tests.support.web.events import signature

BATCH, QUERY, SEND = "dynamodb.BatchWriteItem", "dynamodb.Query", "sqs.SendMessage"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

pytestmark = pytest.mark.usefixtures("no_throttle_delay")


@pytest.fixture(autouse=True)
def enough_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No push runs out of time on a busy machine."""
    monkeypatch.setattr("lib.jira.pushes.STORE_SECONDS", 300.0)


def linked(cloud: JiraCloud, issue_key: str) -> list[str]:
    """The hashes of the commits that an issue has."""
    return [name.removeprefix("COMMIT#") for name in cloud.rows(issue_key) if name.startswith("COMMIT#")]


def test_a_push_links_its_commits_and_queues_one_message(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    body = github_push("OPS-7 fix the disk", "no issue", "OPS-7 and OPS-8: again")

    assert push(webhooks, body) == (
        202,
        {"status": "stored", "commits": 2, "issue_keys": ["OPS-7", "OPS-8"], "correlation_queued": True},
    )
    assert linked(jira_cloud, "OPS-7") == [sha(0), sha(2)]
    assert linked(jira_cloud, "OPS-8") == [sha(2)]
    assert jira_cloud.tasks() == [Task(("OPS-7", "OPS-8"))]


def test_a_commit_row_has_no_author(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    body = github_push("OPS-7 fix\n\nCo-authored-by: Grace <grace@example.com>")
    body["commits"][0]["author"] = {"email": "grace@example.com"}
    push(webhooks, body)

    assert jira_cloud.rows("OPS-7") == {
        f"COMMIT#{sha(0)}": {
            "issue_key": {"S": "OPS-7"},
            "updated_at": {"S": f"COMMIT#{sha(0)}"},
            "sha": {"S": sha(0)},
            "repository": {"S": "acme/site"},
            "title": {"S": "OPS-7 fix"},
            "committed_at": {"S": "2026-03-01T11:59:00.000000Z"},
            "expires_at": {"N": ANY},
        }
    }


def test_the_same_push_again_changes_nothing_but_the_expiry(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    push(webhooks, github_push("OPS-7 fix"))
    (row,) = jira_cloud.rows("OPS-7").values()

    assert push(webhooks, github_push("OPS-7 fix"))[0] == 202
    assert list(jira_cloud.rows("OPS-7").values()) == [row | {"expires_at": {"N": ANY}}]


def test_a_commit_expires_with_the_history(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    before = clock.epoch_s(clock.utc_now())
    push(webhooks, github_push("OPS-7 fix"))
    after = clock.epoch_s(clock.utc_now())

    (row,) = jira_cloud.rows("OPS-7").values()
    assert before <= int(row["expires_at"]["N"]) - 90 * 24 * 3600 <= after


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        (github_push("fix", branch="feature/OPS-9-login"), ["OPS-9"]),
        (github_pull_request("OPS-7: fix", "OPS-9-login"), ["OPS-7", "OPS-9"]),
        (bitbucket_push("OPS-7 fix", branch="OPS-9"), ["OPS-7", "OPS-9"]),
    ],
    ids=["branch", "pull request", "Bitbucket"],
)
def test_branch_and_title_name_issues_as_a_message_does(webhooks: ModuleType, body: dict[str, Any], keys: list[str]) -> None:
    assert push(webhooks, body)[1]["issue_keys"] == keys


@pytest.mark.parametrize(
    "message",
    [
        "read UTF-8",
        "SHA-256 sums",
        "fixes CVE-2024-3094",
        "ISO-8859",
        "XOPS-7",
        "xOPS-7",
        "1OPS-7",
        "OPS-7x",
        "OPS-0",
        "OPS-",
    ],
)
def test_a_word_that_only_looks_like_a_key_is_ignored(webhooks: ModuleType, jira_cloud: JiraCloud, message: str) -> None:
    assert push(webhooks, github_push(message)) == (
        202,
        {"status": "ignored", "reason": "no commit names an issue of a known project"},
    )
    assert (jira_cloud.row_count(), jira_cloud.tasks()) == (0, [])


def test_among_many_words_only_the_keys_of_known_projects_count(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    body = push(webhooks, github_push("OPS-7: read UTF-8, check SHA-256 (CVE-2024-3094), see NOBODY-1"))[1]

    assert body["issue_keys"] == ["OPS-7"]
    assert jira_cloud.row_count() == 1


def test_a_project_is_known_once_one_of_its_issues_is_stored(webhooks: ModuleType) -> None:
    assert push(webhooks, github_push("GOLD-2 fix"))[1]["status"] == "ignored"
    deliver(webhooks, issue_event("GOLD-1"))

    assert push(webhooks, github_push("GOLD-2 fix"))[1]["issue_keys"] == ["GOLD-2"]


def test_with_no_project_configured_the_stored_ones_count(load_webhooks: Callable[..., ModuleType]) -> None:
    webhooks = load_webhooks(JIRA_PROJECTS="")
    assert push(webhooks, github_push("OPS-7 fix"))[1]["status"] == "ignored"
    deliver(webhooks, issue_event("OPS-1"))

    assert push(webhooks, github_push("OPS-7 fix"))[1]["issue_keys"] == ["OPS-7"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"zen": "Keep it logically awesome."}, "the event has no commits"),
        (github_push(), "no commit names an issue of a known project"),
        ({"push": {"changes": [{"new": None}]}}, "no commit names an issue of a known project"),
    ],
    ids=["ping", "a deleted branch of GitHub", "a deleted branch of Bitbucket"],
)
def test_what_has_no_commits_is_ignored_with_the_reason(webhooks: ModuleType, body: dict[str, Any], reason: str) -> None:
    assert push(webhooks, body) == (202, {"status": "ignored", "reason": reason})


# How it comes


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8"]
)
def test_github_may_send_a_form(webhooks: ModuleType, jira_cloud: JiraCloud, content_type: str) -> None:
    body = urlencode({"payload": json.dumps(github_push("OPS-7 fix & façade + 100 %"), ensure_ascii=False)})

    assert push(webhooks, body, **{"Content-Type": content_type})[1]["status"] == "stored"
    assert jira_cloud.rows("OPS-7")[f"COMMIT#{sha(0)}"]["title"] == {"S": "OPS-7 fix & façade + 100 %"}


def test_the_signature_of_a_form_is_of_the_whole_body(webhooks: ModuleType) -> None:
    payload = json.dumps(github_push("OPS-7"))
    body = urlencode({"payload": payload})

    assert push(webhooks, body, **FORM, **signature(COMMIT_SECRET, payload))[0] == 401


@pytest.mark.parametrize("body", ["", "payload=", "other=1", "payload=%7B", "payload=%ff", "\x00"])
def test_a_form_without_a_payload_is_400(webhooks: ModuleType, body: str) -> None:
    assert push(webhooks, body, **FORM)[0] == 400


def test_the_answer_to_a_form_without_a_payload_names_the_field(webhooks: ModuleType) -> None:
    assert push(webhooks, "other=1", **FORM)[1]["message"] == "the form has no field payload"


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
@pytest.mark.parametrize("commit", [{}, {"id": "no hash", "message": "OPS-7"}, {"id": sha(9)}, None, "text"])
def test_an_unusable_commit_is_counted_and_loses_no_other(
    webhooks: ModuleType, jira_cloud: JiraCloud, capsys: pytest.CaptureFixture[str], commit: object, place: int
) -> None:
    body = github_push("OPS-7 fix", "OPS-8 fix")
    body["commits"].insert(place, commit)

    answer = push(webhooks, body)[1]

    assert (answer["commits"], answer["issue_keys"], answer["unusable"]) == (2, ["OPS-7", "OPS-8"], 1)
    assert names_in(capsys.readouterr().out).count("PushSkipped") == 1


def test_half_a_surrogate_pair_is_replaced(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    push(webhooks, github_push("OPS-7 fix \ud83d"))

    assert jira_cloud.rows("OPS-7")[f"COMMIT#{sha(0)}"]["title"] == {"S": "OPS-7 fix \ufffd"}


@pytest.mark.parametrize("as_form", [False, True], ids=["JSON", "form"])
def test_the_largest_push_of_github_is_stored_whole(webhooks: ModuleType, jira_cloud: JiraCloud, as_form: bool) -> None:
    """2,048 commits: https://docs.github.com/webhooks/webhook-events-and-payloads#push"""
    text = json.dumps(github_push(*[f"OPS-{number % 100 + 1} fix {'x' * 500}" for number in range(2048)]))
    body, headers = (urlencode({"payload": text}), FORM) if as_form else (text, {})

    answer = push(webhooks, body, **headers)[1]

    assert (answer["status"], answer["commits"], len(answer["issue_keys"])) == ("stored", 2048, 100)
    assert jira_cloud.row_count() == 2048
    (task,) = jira_cloud.tasks()
    assert len(task.touched) == 100


# When something is down


def commits_in(tasks: list[Task]) -> list[str]:
    """The hashes of the commits that messages hold."""
    return [commit.sha for task in tasks for commit in task.commits]


def test_commits_that_the_table_refuses_are_queued(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    body = github_push(*[f"OPS-{number} fix" for number in range(1, 61)])
    jira_cloud.wire.fail(BATCH, aws_error("ProvisionedThroughputExceededException"), skip=1)

    assert push(webhooks, body) == (202, {"status": "accepted", "commits": 25, "commits_queued": 35})

    tasks = jira_cloud.tasks()
    assert commits_in(tasks) == [sha(number) for number in range(25, 60)]
    assert [key for task in tasks for key in task.touched] == [f"OPS-{number}" for number in range(1, 26)]


def test_a_push_whose_projects_can_not_be_looked_up_is_queued(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    jira_cloud.wire.fail(QUERY, aws_error("ProvisionedThroughputExceededException"))

    assert push(webhooks, github_push("bugfix_GOLD-2", "no issue")) == (
        202,
        {"status": "accepted", "commits": 0, "commits_queued": 1},
    )
    assert [task.commits[0].issue_keys for task in jira_cloud.tasks()] == [("BUGFIX_GOLD-2",)]


def test_a_push_that_takes_too_long_is_finished_by_the_worker(
    webhooks: ModuleType, jira_cloud: JiraCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.jira.pushes.STORE_SECONDS", 0.0)

    assert push(webhooks, github_push("OPS-7 fix"))[1] == {"status": "accepted", "commits": 0, "commits_queued": 1}
    assert (jira_cloud.row_count(), commits_in(jira_cloud.tasks())) == (0, [sha(0)])


def test_a_large_push_is_queued_in_messages_that_sqs_takes(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    jira_cloud.wire.fail(BATCH, aws_error("AccessDenied", 403))

    answer = push(webhooks, github_push(*[f"OPS-{number} {'é' * 200}" for number in range(1, 1001)]))[1]

    assert answer["commits_queued"] == 1000
    bodies = [call.parameters["MessageBody"] for call in jira_cloud.wire.named(SEND)]
    assert len(bodies) > 1
    assert max(len(body.encode()) for body in bodies) < 256 * 1024
    assert len(commits_in(jira_cloud.tasks())) == 1000


def test_with_table_and_queue_down_a_push_is_503(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    jira_cloud.wire.fail(BATCH, aws_error("AccessDenied", 403))
    jira_cloud.wire.fail(SEND, aws_error("AccessDenied", 403))
    assert push(webhooks, github_push("OPS-7 fix"))[0] == 503

    jira_cloud.wire.clear_faults()
    assert push(webhooks, github_push("OPS-7 fix"))[1]["status"] == "stored"


def test_a_push_of_many_issues_makes_messages_of_bounded_size(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    push(webhooks, github_push(*[f"OPS-{number} fix" for number in range(1, 251)]))

    assert [len(task.touched) for task in jira_cloud.tasks()] == [100, 100, 50]


def test_what_is_beyond_the_limits_of_a_push_is_counted(webhooks: ModuleType) -> None:
    names = " ".join(f"OPS-{number}" for number in range(1, 61))

    assert push(webhooks, github_push(names))[1]["left_out"] == 10
    assert push(webhooks, github_push(*["OPS-1"] * 2050))[1]["left_out"] == 2


def test_with_the_queue_down_the_commits_are_stored(
    webhooks: ModuleType, jira_cloud: JiraCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    CorrelationStore(aws.make_client("dynamodb"), ISSUES).recompute("OPS-7")
    jira_cloud.wire.fail(SEND, aws_error("AccessDenied", 403))

    body = push(webhooks, github_push("OPS-7 fix"))[1]

    assert (body["status"], body["correlation_queued"]) == ("stored", False)
    assert linked(jira_cloud, "OPS-7") == [sha(0)]
    # The sweep finds by the result that is not there what the queue has lost.
    assert "CORRELATION" not in jira_cloud.rows("OPS-7")
    assert names_in(capsys.readouterr().out).count("CorrelationNotQueued") == 1
