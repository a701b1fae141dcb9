"""The page of dead letters shows each with its reason and holds none; what is chosen goes back, or to a file."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.console.client import EMAIL, HOSTILE, PERSON, ConsoleClient, assert_safe, console_client, text_of
from tests.support.observability.log_lines import LogLines
from tests.support.operations.deployment import FAILURES, WORK, WORK_DEAD_LETTERS, Deployment

TASK = {"kind": "jira", "touched": ["DEMO-1"], "fetch": None, "commits": []}


@pytest.fixture(autouse=True)
def working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(event: object, error: str = "no answer") -> dict[str, Any]:
    return {
        "requestContext": {"requestId": "r", "condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": event,
        "responsePayload": {"errorType": "UnavailableError", "errorMessage": error},
    }


def messages(deployment: Deployment, queue: str) -> dict[str, str]:
    """What any reader gets from a queue, by id."""
    sqs = deployment.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return {message["MessageId"]: message["Body"] for message in answer.get("Messages", [])}


def keys(deployment: Deployment, queue: str) -> list[str]:
    return [f"{queue}/{message_id}" for message_id in messages(deployment, queue)]


def post(client: ConsoleClient, path: str, chosen: list[str], **data: str) -> str:
    """What the list says after a change."""
    answer = client.post(path, data={"letters": " ".join(chosen), **data})
    assert answer.status_code == 303, text_of(answer.text)
    return text_of(client.page(answer.headers["Location"]))


def test_without_dead_letters_it_is_clear(client: ConsoleClient) -> None:
    page = text_of(client.page("/dead-letters"))

    assert "No dead letters: nothing that failed is left." in page
    assert "python -m handlers.cli redrive --dry-run" in page


def test_letters_of_all_queues_are_shown_by_reason_and_are_not_held(client: ConsoleClient, deployment: Deployment) -> None:
    deployment.send(FAILURES, record({"id": "e-1", "detail-type": "LeaseApproved"}, "no answer in 3 s"))
    deployment.send(FAILURES, record({"id": "e-2", "detail-type": "LeaseApproved"}, "no answer in 5 s"))
    deployment.send(WORK_DEAD_LETTERS, TASK)

    first, second = text_of(client.page("/dead-letters")), text_of(client.page("/dead-letters"))

    for page in (first, second):
        assert "2 dead letters of notification" in page
        assert "1 dead letter of jira_worker" in page
        assert all(each in page for each in ("e-1", "e-2", "DEMO-1", "the function failed on it too often"))
        assert "Send these 2 back" in page
    assert len(messages(deployment, FAILURES)) == 2, "any reader gets them at once"


def test_a_letter_leads_to_the_page_of_what_it_is_about(client: ConsoleClient, deployment: Deployment) -> None:
    deployment.send(FAILURES, record({"id": "e-1", "detail-type": "LeaseApproved"}))
    deployment.send(FAILURES, record({"export": {"shop_domain": "shop.example.com", "job_id": "01JA0000000000000000000001"}}))
    deployment.log("notification", "event_failed", level="ERROR", event_id="e-1", reason="no answer")
    deployment.send(WORK_DEAD_LETTERS, TASK)
    deployment.send(WORK_DEAD_LETTERS, {"version": 1, "kind": "create_issue", "session_id": "team/s-1", "draft_hash": "a"})

    page = client.page("/dead-letters")

    paths = ("/issues/DEMO-1", "/approvals/team/s-1", "/jobs/shop.example.com/01JA0000000000000000000001", "/trace?id=e-1")
    assert all(f'href="{path}"' in page for path in paths)
    (event,) = re.findall(r'href="(/events/e-1[^"]*)"', page)
    assert "no answer" in client.page(html.unescape(event)), "its log lines are found"


def test_letters_that_another_reader_holds_are_counted(client: ConsoleClient, deployment: Deployment) -> None:
    deployment.send(FAILURES, record({"id": "e-1"}))
    sqs = deployment.client("sqs")
    sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName=FAILURES)["QueueUrl"], VisibilityTimeout=300)

    page = text_of(client.page("/dead-letters"))

    assert "1 more dead letter can't be read now" in page
    assert "No dead letters" not in page


def test_text_of_strangers_is_escaped_and_masked(client: ConsoleClient, deployment: Deployment) -> None:
    deployment.send(FAILURES, record({"id": HOSTILE, "detail-type": HOSTILE, "detail": {"by": HOSTILE}}, HOSTILE))
    deployment.send(FAILURES, HOSTILE)
    deployment.send(WORK_DEAD_LETTERS, {"kind": HOSTILE, "session_id": HOSTILE})
    deployment.send(WORK_DEAD_LETTERS, TASK | {"touched": [HOSTILE]})

    page = client.page("/dead-letters")

    assert "4 back" in page
    client.page("/dead-letters/send-back?all=1")
    client.page("/dead-letters/drop?all=1")
    client.page("/dead-letters?reason=%3Cscript%3Ealert(1)%3C/script%3E&payload=x&function=%3Cscript%3Ealert(1)")


def test_the_list_is_filtered_and_says_the_command(client: ConsoleClient, deployment: Deployment) -> None:
    deployment.send(FAILURES, record({"id": "e-1"}, "throttled"))
    deployment.send(FAILURES, record({"id": "e-2"}, "refused"))

    page = text_of(client.page("/dead-letters?reason=throttled&function=notification"))

    assert "1 dead letter of notification" in page
    assert "redrive --function notification --where reason=throttled --dry-run" in page
    assert "No dead letter matches" in client.page("/dead-letters?function=jira_worker")


def test_the_last_logged_error_is_the_reason_of_a_work_message(client: ConsoleClient, deployment: Deployment) -> None:
    deployment.send(WORK_DEAD_LETTERS, TASK)
    (message_id,) = messages(deployment, WORK_DEAD_LETTERS)
    deployment.log("jira_worker", "message_failed", level="ERROR", message_id=message_id, error="jira answered 503")

    assert "message_failed: jira answered 503" in client.page("/dead-letters")


def test_a_letter_that_came_back_says_so(client: ConsoleClient, deployment: Deployment) -> None:
    sqs = deployment.client("sqs")
    url = sqs.get_queue_url(QueueName=WORK_DEAD_LETTERS)["QueueUrl"]
    mark = {"RedrivenAt": {"DataType": "String", "StringValue": "2026-01-01T12:00:00.000Z"}}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(TASK), MessageAttributes=mark)

    assert "came back" in client.page("/dead-letters")


def test_more_letters_are_read_on_request(client: ConsoleClient, deployment: Deployment) -> None:
    for number in range(3):
        deployment.send(FAILURES, record({"id": f"e-{number}"}))

    page = client.page("/dead-letters?limit=2")

    assert "Send all 2 back" in page
    assert "/dead-letters?limit=4" in page
    assert "Send all 3 back" in client.page("/dead-letters?limit=4")
    assert "Send all 3 back" in client.page("/dead-letters?limit=x")
    assert "Send all 3 back" in client.page(f"/dead-letters?limit={'9' * 5000}")


def test_it_asks_and_then_sends_the_chosen_letter_back(client: ConsoleClient, deployment: Deployment) -> None:
    deployment.send(WORK_DEAD_LETTERS, TASK)
    deployment.send(WORK_DEAD_LETTERS, TASK | {"touched": ["DEMO-2"]})
    chosen = keys(deployment, WORK_DEAD_LETTERS)[0]

    asked = client.page(f"/dead-letters/send-back?letter={chosen}")

    assert "Send 1 dead letter back?" in asked
    assert "1 dead letter for the queue of jira_worker." in asked
    assert f"redrive --function jira_worker --id {chosen.partition('/')[2]}" in asked
    assert len(messages(deployment, WORK_DEAD_LETTERS)) == 2
    assert "1 dead letter sent back." in post(client, "/dead-letters/send-back", [chosen])
    assert len(messages(deployment, WORK)) == 1
    assert chosen not in keys(deployment, WORK_DEAD_LETTERS)
    assert len(messages(deployment, WORK_DEAD_LETTERS)) == 1, "the other one is not held"
    assert "1 dead letter not found" in post(client, "/dead-letters/send-back", [chosen]), "it went back before"


def test_a_group_and_all_letters_can_be_chosen(client: ConsoleClient, deployment: Deployment) -> None:
    deployment.send(FAILURES, record({"id": "e-1"}, "throttled"))
    for _ in range(2):
        deployment.send(WORK_DEAD_LETTERS, TASK)
    group = client.page("/dead-letters").partition('id="group-')[2].partition('"')[0]

    assert "Send 2 dead letters back?" in client.page(f"/dead-letters/send-back?group={group}")
    assert "Send 3 dead letters back?" in client.page("/dead-letters/send-back?all=1")
    assert "Send 1 dead letter back?" in client.page("/dead-letters/send-back?all=1&reason=throttled")
    assert "no dead letter is chosen" in client.page("/dead-letters/send-back", 400).casefold()
    assert "no dead letter is chosen" in client.page("/dead-letters/drop?letter=gone/1", 400).casefold()


def test_a_letter_that_cannot_go_back_stays(client: ConsoleClient, deployment: Deployment) -> None:
    deployment.send(FAILURES, HOSTILE)

    assert "1 dead letter can&#39;t go back" in client.page("/dead-letters/send-back?all=1")
    page = post(client, "/dead-letters/send-back", keys(deployment, FAILURES))
    assert "0 dead letters sent back. 1 left: it is not a record of a failed event." in page
    assert len(messages(deployment, FAILURES)) == 1


def test_dropped_letters_are_in_a_file_first(client: ConsoleClient, deployment: Deployment, working_directory: Path) -> None:
    deployment.send(FAILURES, record({"user": EMAIL}))
    chosen = keys(deployment, FAILURES)

    assert f"written to a file in {working_directory}" in client.page("/dead-letters/drop?all=1")
    refused = client.post("/dead-letters/drop", data={"letters": chosen[0], "typed": "2"})
    assert (refused.status_code, len(messages(deployment, FAILURES))) == (400, 1)
    page = post(client, "/dead-letters/drop", chosen, typed="1")

    (file,) = working_directory.glob("dropped-*.jsonl")
    assert f"1 dead letter dropped, written to {file}." in page
    assert json.loads(file.read_text())["payload"] == json.dumps({"user": EMAIL}, separators=(",", ":")), "complete"
    assert messages(deployment, FAILURES) == {}


def test_nothing_is_dropped_without_its_file(
    client: ConsoleClient, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, working_directory: Path
) -> None:
    deployment.send(FAILURES, record({"id": "e-1"}))
    monkeypatch.setattr("lib.operations.redrive.dropped_path", lambda _: working_directory / "no" / "file")

    answer = client.post("/dead-letters/drop", data={"letters": keys(deployment, FAILURES)[0], "typed": "1"})

    assert answer.status_code == 400
    assert "nothing was dropped" in answer.text
    assert len(messages(deployment, FAILURES)) == 1


@pytest.mark.parametrize("path", ["/dead-letters/send-back", "/dead-letters/drop"])
def test_a_read_only_console_changes_nothing(deployment: Deployment, path: str, working_directory: Path) -> None:
    deployment.send(WORK_DEAD_LETTERS, TASK)
    client = console_client(deployment)

    assert "read-only" in client.page(f"{path}?all=1")
    answer = client.post(path, data={"letters": keys(deployment, WORK_DEAD_LETTERS)[0], "typed": "1"})

    assert "this console is read-only" in answer.text.casefold()
    assert_safe(answer.text)
    assert (len(messages(deployment, WORK_DEAD_LETTERS)), messages(deployment, WORK)) == (1, {})
    assert list(working_directory.iterdir()) == []


def test_a_queue_of_somebody_else_is_refused(client: ConsoleClient, deployment: Deployment) -> None:
    deployment.send(WORK, TASK)

    assert client.post("/dead-letters/send-back", data={"letters": keys(deployment, WORK)[0]}).status_code == 404


def test_changes_are_logged_with_the_letters(client: ConsoleClient, deployment: Deployment) -> None:
    deployment.send(WORK_DEAD_LETTERS, TASK)
    chosen, lines = keys(deployment, WORK_DEAD_LETTERS), LogLines("console")

    post(client, "/dead-letters/send-back", chosen)

    line = lines.only("console_change")
    assert (line["action"], line["person"]) == ("dead_letters.send_back", PERSON)
    assert (line["number"], line["letters"], line["left"]) == (1, chosen, [])
