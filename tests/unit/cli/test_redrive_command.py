"""``redrive`` shows dead letters without personal data, sends them back after a yes, and loses none."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from lib.operations import dead_letters
from lib.platform import aws, errors
from lib.platform.log import hash_email
from tests.support.aws.lambda_service import LambdaService
from tests.support.aws.moto_inside import OPERATIONS

Run = Callable[..., Result]

RULE = {"RULE_ARN": {"DataType": "String", "StringValue": "arn:aws:events:us-west-2:123456789012:rule/leases"}}


@pytest.fixture(autouse=True)
def queues(deployed: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The failure queue of notification and its rule's, and the worker's: an SQS client."""
    monkeypatch.setattr(dead_letters, "_WAIT_SECONDS", 0)
    sqs = aws.make_client("sqs")
    for name in ("failures", "undelivered", "work-dead-letters"):
        sqs.create_queue(QueueName=name)
    url = sqs.get_queue_url(QueueName="work-dead-letters")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    sqs.create_queue(QueueName="work", Attributes={"RedrivePolicy": policy})
    monkeypatch.setenv("NOTIFICATION_FUNCTION_NAME", "notification-5f")
    monkeypatch.setenv("NOTIFICATION_DEAD_LETTER_QUEUES", "failures,undelivered")
    monkeypatch.setenv("JIRA_WORKER_FUNCTION_NAME", "jira_worker-5f")
    monkeypatch.setenv("JIRA_WORKER_DEAD_LETTER_QUEUES", "work-dead-letters")
    return sqs


def put(sqs: Any, queue: str, body: object, attributes: Any = None) -> None:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    text = body if isinstance(body, str) else json.dumps(body)
    sqs.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=attributes or {})


def bodies(sqs: Any, queue: str) -> list[str]:
    """What any reader gets from a queue."""
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return sorted(message["Body"] for message in answer.get("Messages", []))


def record(event: object, error: str = "not sent on slack") -> dict[str, Any]:
    return {
        "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": event,
        "responsePayload": {"errorType": "UnavailableError", "errorMessage": error},
    }


def flat(result: Result) -> str:
    """What is shown, without the blanks and line ends of the layout."""
    return "".join(result.stdout.split())


def test_a_dry_run_shows_each_letter_and_leaves_it(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "failures", record({"id": "e-1"}))
    put(queues, "undelivered", {"id": "e-2"}, RULE)

    result = run("redrive", "--function", "notification", "--dry-run")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Dead letters of notification\n")
    assert "UnavailableError" in result.stdout
    assert '{"id":"e-1"}' in result.stdout
    assert result.stdout.splitlines()[-3:] == [
        "Nothing was sent back.",
        "To send them back, when the cause is fixed: redrive --function notification",
        "To write them to a file and delete them: redrive --function notification --drop",
    ]
    assert functions.invocations == []
    assert (len(bodies(queues, "failures")), len(bodies(queues, "undelivered"))) == (1, 1), "any reader gets them at once"


def test_addresses_and_secrets_are_not_shown_even_where_the_payload_is_cut(run: Run, queues: Any) -> None:
    signature = "sha256=" + "ab" * 32
    event = {"pad": "x" * 170, "user": "ada.lovelace@sandbox.example", "signature": signature}
    put(queues, "failures", record(event, "refused ada.lovelace@sandbox.example"))

    shown = flat(run("redrive", "--function", "notification", "--dry-run"))

    assert "lovelace" not in shown
    assert signature[:20] not in shown
    assert hash_email("ada.lovelace@sandbox.example") in shown
    assert "…Nothingwassentback." in shown


def test_after_a_yes_events_go_to_their_function(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "failures", record({"id": "e-1"}))
    put(queues, "undelivered", {"id": "e-2"}, RULE)

    result = run("redrive", "--function", "notification", input="y\n")

    assert result.exit_code == 0
    assert "Send 2 dead letters back? Answer within 5 minutes. [y/N]" in result.stderr
    assert result.stdout.endswith("2 sent back, 0 left.\n")
    assert functions.invocations == [
        ("notification-5f:live", "Event", {"id": "e-1"}),
        ("notification-5f:live", "Event", {"id": "e-2"}),
    ]
    assert (bodies(queues, "failures"), bodies(queues, "undelivered")) == ([], [])


@pytest.mark.parametrize("said", ["n\n", ""])
def test_without_a_yes_they_stay(run: Run, queues: Any, functions: LambdaService, said: str) -> None:
    put(queues, "failures", record({"id": "e-1"}))

    result = run("redrive", "--function", "notification", input=said)

    assert result.exit_code == 1
    assert result.stderr.endswith(
        "Error: interrupted.\n" if said else "Error: Nobody answered on standard input: pass --yes.\n"
    )
    assert functions.invocations == []
    assert len(bodies(queues, "failures")) == 1


def test_messages_go_to_their_queue(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "work-dead-letters", '{"kind":"jira"}')

    result = run("redrive", "--function", "jira_worker", "--yes")

    assert (result.exit_code, result.stderr) == (0, "")
    assert bodies(queues, "work") == ['{"kind":"jira"}']
    assert bodies(queues, "work-dead-letters") == []
    assert functions.invocations == []


def test_letters_that_the_function_refuses_stay_and_are_named(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "failures", record({"id": "e-1"}))
    functions.refusal = (404, "ResourceNotFoundException")

    result = run("redrive", "--function", "notification", "--yes")

    assert result.exit_code == 1
    assert result.stdout.endswith("0 sent back, 1 left.\n")
    assert "in failures: could not invoke notification-5f: ResourceNotFoundException\n" in result.stderr
    assert len(bodies(queues, "failures")) == 1


def test_a_refused_letter_stays_and_stops_no_other(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "failures", "what is this")
    put(queues, "failures", record({"id": "e-1"}))

    result = run("redrive", "--function", "notification", "--yes")

    assert result.exit_code == 1
    assert result.stdout.endswith("1 sent back, 1 left.\n")
    assert "in failures: it is not a record of a failed event\n" in result.stderr
    assert [event for _, _, event in functions.invocations] == [{"id": "e-1"}]
    assert bodies(queues, "failures") == ["what is this"]


def test_at_most_limit_letters_are_read(run: Run, queues: Any, functions: LambdaService) -> None:
    for number in range(3):
        put(queues, "failures", record({"id": number}))
    put(queues, "undelivered", {"id": "e-2"}, RULE)

    result = run("redrive", "--function", "notification", "--limit", "2", "--yes")

    assert "Showing 2 dead letters. There may be more" in result.stderr
    assert len(functions.invocations) == 2
    assert (len(bodies(queues, "failures")), len(bodies(queues, "undelivered"))) == (1, 1)


def test_without_dead_letters_it_says_so(run: Run) -> None:
    result = run("redrive", "--function", "notification")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "notification has no dead letters.\n", "")


def test_without_a_function_the_queues_of_all_functions_are_read(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "failures", record({"id": "e-1"}))
    put(queues, "work-dead-letters", '{"kind":"jira"}')

    result = run("redrive", "--yes")

    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "Dead letters")
    assert result.stdout.endswith("2 sent back, 0 left.\n")
    assert [event for _, _, event in functions.invocations] == [{"id": "e-1"}]
    assert bodies(queues, "work") == ['{"kind":"jira"}']
    assert run("redrive").stdout == "There are no dead letters.\n"
    assert run("redrive", "--json").stdout == ""


def shown(run: Run, *options: str) -> list[dict[str, Any]]:
    result = run("redrive", "--dry-run", "--json", *options)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_json_has_the_whole_payload_masked(run: Run, queues: Any) -> None:
    put(queues, "failures", record({"pad": "x" * 300, "user": "ada.lovelace@sandbox.example"}))

    (letter,) = shown(run)

    assert letter["payload"] == json.dumps(
        {"pad": "x" * 300, "user": hash_email("ada.lovelace@sandbox.example")}, separators=(",", ":")
    )
    shown_of = [letter[name] for name in ("function", "queue", "goes_to", "outcome")]
    assert shown_of == ["notification", "failures", "function", "shown"]
    assert letter["reason"] == "UnavailableError: not sent on slack (3 attempts)"
    assert letter["sent_at"].endswith("-07:00")
    assert (letter["received"], shown(run)[0]["received"]) == (1, 2)


def test_show_prints_the_whole_payload_masked_and_sends_nothing(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "failures", record({"pad": "x" * 300, "user": "ada.lovelace@sandbox.example"}))

    result = run("redrive", "--show")

    assert f'  "pad": "{"x" * 300}",\n' in result.stdout
    assert "ada.lovelace" not in result.stdout
    assert "Nothing was sent back." in result.stdout
    assert functions.invocations == []
    assert len(bodies(queues, "failures")) == 1


def test_the_next_command_chooses_the_same_dead_letters(run: Run, queues: Any) -> None:
    put(queues, "failures", record({"id": "e-1"}))

    result = run("redrive", "--where", "reason=not sent", "--dry-run")

    assert result.stdout.endswith("delete them: redrive --where 'reason=not sent' --drop\n")


def test_one_letter_is_chosen_by_its_id_and_the_others_stay(run: Run, queues: Any, functions: LambdaService) -> None:
    for number in range(3):
        put(queues, "failures", record({"id": number}))
    chosen = shown(run)[1]

    assert run("redrive", "--id", chosen["id"], "--yes").stdout.endswith("1 sent back, 0 left.\n")

    assert [event for _, _, event in functions.invocations] == [json.loads(chosen["payload"])]
    assert len(bodies(queues, "failures")) == 2
    gone = run("redrive", "--id", chosen["id"], "--yes")
    assert (gone.exit_code, gone.stderr) == (
        1,
        f"Error: there is no dead letter '{chosen['id']}' among the 2 that were read\n",
    )


def test_letters_are_chosen_by_their_reason(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "failures", record({"id": 1}, "the table is Throttled"))
    put(queues, "failures", record({"id": 2}, "not sent on slack"))

    assert run("redrive", "--where", "reason=throttled", "--yes").exit_code == 0
    assert [event for _, _, event in functions.invocations] == [{"id": 1}]
    assert run("redrive", "--where", "reason=throttled").stdout == "No dead letter matches.\n"
    assert len(shown(run, "--where", "reason=slack", "--where", "queue=fail")) == 1
    assert len(bodies(queues, "failures")) == 1


def test_a_drop_asks_twice_and_writes_the_letters_first(
    run: Run, queues: Any, functions: LambdaService, tmp_path: Path
) -> None:
    put(queues, "failures", "what ada@example.com is")
    put(queues, "failures", record({"id": 2}))
    file = tmp_path / "dropped.jsonl"

    result = run("redrive", "--drop", "--file", str(file), input="y\n2\n")

    assert result.exit_code == 0
    assert "Drop 2 dead letters? The work will not be done." in result.stderr
    assert "Type 2 to drop 2 dead letters" in result.stderr
    assert result.stdout.endswith("2 dropped, 0 left.\n")
    assert bodies(queues, "failures") == []
    assert functions.invocations == []
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted(letter["payload"] for letter in kept) == ["what ada@example.com is", '{"id":2}'], "complete"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("said", ["n\n", "y\n", "y\n2\n", "y\nyes\n", ""])
def test_without_both_answers_nothing_is_dropped(run: Run, queues: Any, tmp_path: Path, said: str) -> None:
    put(queues, "failures", record({"id": 1}))

    result = run("redrive", "--drop", input=said)

    assert result.exit_code == 1
    assert result.stderr.endswith("Error: interrupted.\n" if said else "standard input: --drop needs a person.\n")
    assert len(bodies(queues, "failures")) == 1
    assert list(tmp_path.glob("dropped*")) == []


def test_nothing_is_dropped_if_the_file_cannot_be_written(run: Run, queues: Any, tmp_path: Path) -> None:
    put(queues, "failures", record({"id": 1}))
    (tmp_path / "there").write_text("")

    result = run("redrive", "--drop", "--file", str(tmp_path / "there"), input="y\n1\n")

    assert result.exit_code == 1
    assert "File exists; nothing was dropped" in result.stderr
    assert len(bodies(queues, "failures")) == 1


CONTRADICTIONS = [("--drop", "--yes"), ("--drop", "--dry-run"), ("--drop", "--show"), ("--file", "x")]
MALFORMED_FILTERS = [("--where", text) for text in ("reason", "reason=", "colour=red")]


@pytest.mark.parametrize("options", [*CONTRADICTIONS, *MALFORMED_FILTERS], ids=" ".join)
def test_contradicting_options_and_malformed_filters_are_usage_errors(run: Run, options: tuple[str, ...]) -> None:
    assert run("redrive", *options).exit_code == 2


def test_a_message_that_comes_back_says_so(run: Run, queues: Any) -> None:
    put(queues, "work-dead-letters", '{"kind":"jira"}')
    assert shown(run)[0]["redriven_at"] is None
    run("redrive", "--yes")
    url = queues.get_queue_url(QueueName="work")["QueueUrl"]
    (message,) = queues.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    put(queues, "work-dead-letters", message["Body"], message["MessageAttributes"])

    assert shown(run)[0]["redriven_at"].endswith("-07:00")
    assert "came back after it was sent back at 2" in " ".join(run("redrive", "--show").stdout.split())


def test_an_event_that_comes_back_says_so(
    run: Run, queues: Any, functions: LambdaService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JIRA_OPERATIONS_TABLE_NAME", OPERATIONS)
    functions.request_id = "call-7"
    put(queues, "failures", record({"id": "e-1"}))
    run("redrive", "--yes")
    failed = record({"id": "e-1"})
    failed["requestContext"]["requestId"] = "call-7"
    put(queues, "failures", failed)
    put(queues, "failures", record({"id": "e-2"}))

    assert sorted((letter["payload"], letter["redriven_at"] is not None) for letter in shown(run)) == [
        ('{"id":"e-1"}', True),
        ('{"id":"e-2"}', False),
    ]


def test_the_reason_of_a_message_is_the_last_error_in_the_log(run: Run, queues: Any) -> None:
    put(queues, "work-dead-letters", '{"kind":"jira"}')
    (letter,) = shown(run)
    assert letter["reason"] == "the function failed on it too often; its log says why"
    line = {"level": "ERROR", "message": "task_failed", "error": "AccessDeniedError", "messages": [letter["id"]]}
    write_log("jira_worker-5f", {**line, "error_text": "Jira answered 403 to ada@example.com"}, {**line, "messages": ["other"]})

    assert shown(run)[0]["reason"] == (f"task_failed: AccessDeniedError: Jira answered 403 to {hash_email('ada@example.com')}")
    assert len(shown(run, "--where", "reason=403")) == 1


def write_log(function: str, *lines: dict[str, Any]) -> None:
    logs = aws.make_client("logs")
    group = f"/aws/lambda/{function}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    now = int(time.time() * 1000)
    events = [{"timestamp": now + number, "message": json.dumps(line)} for number, line in enumerate(lines)]
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=events)


def test_without_the_log_the_letters_are_shown_with_a_note(run: Run, queues: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise errors.AccessDeniedError("could not read the log of jira_worker: AccessDenied")

    monkeypatch.setattr("lib.operations.log_search.search", refuse)
    put(queues, "work-dead-letters", '{"kind":"jira"}')

    result = run("redrive", "--yes")

    assert result.exit_code == 0
    assert "Not all reasons are known: could not read the log of jira_worker: AccessDenied" in result.stderr
    assert bodies(queues, "work") == ['{"kind":"jira"}']


def test_a_function_without_a_dead_letter_queue_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOKS_FUNCTION_NAME", "webhooks-5f")

    result = run("redrive", "--function", "webhooks")

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: webhooks has no dead-letter queue in the environment variables; functions that have one: "
        "jira_worker, notification\n"
    )


def test_a_missing_queue_is_reported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFICATION_DEAD_LETTER_QUEUES", "gone")

    result = run("redrive", "--function", "notification")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: could not find the queue gone: ")
