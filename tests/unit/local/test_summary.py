"""The summary that the local cloud prints when it is ready."""

from dataclasses import replace

import pytest

from stack.local.cloud import Ready
from stack.local.summary import summary

READY = Ready("http://127.0.0.1:38080", "http://127.0.0.1:34566", "us-west-2", {"functions": {"health": "a", "imports": "b"}})
JIRA, SLACK = {"jiraBaseUrl": "http://127.0.0.1:3001"}, {"slackApiUrl": "http://127.0.0.1:3002"}


def test_it_has_the_urls_what_is_there_and_what_to_try() -> None:
    text = summary(READY, JIRA | SLACK, seeded=True, schedules=False)

    assert text.splitlines() == [
        "HTTP API   http://127.0.0.1:38080",
        "AWS API    http://127.0.0.1:34566 in us-west-2; access key and secret: test",
        "Jira       http://127.0.0.1:3001, a stand-in: jiraBaseUrl is not set",
        "Slack      http://127.0.0.1:3002, a stand-in: slackApiUrl is not set",
        "Functions  2 functions, which run when called (--schedules runs them too)",
        "Seeded     4 leases, issues DEMO-1 to DEMO-5, notifications in Slack's #leases",
        "Try next, in a second terminal (docs/local.md continues from here):",
        "  curl -s http://127.0.0.1:34566/_local/ready > ready.json",
        '  eval "$(.venv/bin/python -m handlers.cli --outputs ready.json names)"',
        """  aws $EP events put-events --entries '[{"EventBusName": "'$EVENT_BUS_NAME'",""",
        '    "Source": "InnovationSandbox-demo", "DetailType": "LeaseApproved",',
        r'    "Detail": "{\"userEmail\": \"ada@sandbox.example\", \"leaseId\": \"7b1c8c52-2a55-4f0c-8d0b-1f7f1f7a0001\"}"}]'
        "'",
        "  .venv/bin/python -m handlers.cli status",
        "  .venv/bin/python -m handlers.cli issues get DEMO-1",
        "Ready. Press Ctrl-C to stop.",
    ]
    assert [line for line in text.splitlines() if len(line) > 80 and "Detail" not in line] == []


def test_an_empty_cloud_has_no_seeds_and_no_commands_that_need_them() -> None:
    text = summary(READY, JIRA | SLACK, seeded=False, schedules=False)

    assert "Seeded" not in text
    assert "put-events" not in text
    assert "DEMO" not in text
    assert "handlers.cli status\n" in text


@pytest.mark.parametrize(
    ("standins", "seeds"),
    [
        (JIRA, "4 leases, issues DEMO-1 to DEMO-5"),
        (SLACK, "4 leases, notifications in Slack's #leases"),
        ({}, "4 leases"),
    ],
)
def test_what_is_elsewhere_was_not_seeded(standins: dict[str, str], seeds: str) -> None:
    text = summary(READY, standins, seeded=True, schedules=False)

    assert f"Seeded     {seeds}\n" in text
    assert ("issues get" in text) == (standins == JIRA)


def test_issues_that_were_refused_are_not_said_to_be_there() -> None:
    text = summary(READY, JIRA, seeded=True, schedules=False, refused_status=503)

    assert "Seeded     4 leases\nNot seeded the issues: POST /webhooks/jira answered 503\n" in text
    assert "DEMO" not in text


def test_it_has_the_url_of_the_console() -> None:
    ready = replace(READY, console_url="http://127.0.0.1:38180/?token=abc")

    assert "Console    http://127.0.0.1:38180/?token=abc\n" in summary(ready, {}, seeded=False, schedules=False)


def test_it_says_that_schedules_run() -> None:
    assert "2 functions, which run on their schedules\n" in summary(READY, {}, seeded=False, schedules=True)
