"""``drafts submit`` and ``operations``: a draft from a file, its audit trail and a retry, in the local cloud."""

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from handlers.cli.approvals import approvals as approvals_command
from handlers.cli.approvals import drafts, operations
from lib.platform import clock, errors
from tests.support.approvals.cloud import ApprovalsCloud


@pytest.fixture
def run(approvals: ApprovalsCloud, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-west-2",
    }.items():
        monkeypatch.setenv(name, value)

    def run(command: click.Command, *arguments: str) -> Result:
        return CliRunner().invoke(command, list(arguments), obj=approvals.deployment)

    return run


def write(draft: object, folder: Path) -> str:
    file = folder / "draft.json"
    file.write_text(json.dumps(draft))
    return str(file)


def test_a_draft_from_a_file_has_an_audit_trail(approvals: ApprovalsCloud, run: Callable[..., Result], tmp_path: Path) -> None:
    draft = approvals.draft(title="By hand\x1b[2J")
    refused = run(drafts, "submit", write(draft, tmp_path))
    assert isinstance(refused.exception, errors.InvalidInputError)

    draft = {**draft, "title": "By hand"}
    answer = run(drafts, "submit", write(draft, tmp_path))
    assert answer.exit_code == 0, answer.exception
    assert json.loads(answer.stdout)["state"] == "preview"

    preview = approvals.preview_of(draft)
    approvals.click(preview)
    approvals.header_becomes(preview, "Ticket Created: ")
    [issue] = approvals.issues("By hand")
    shown = run(operations, "show", draft["session_id"]).stdout
    assert f"{draft['session_id']}: created" in shown
    assert "approved by U0ADA" in shown
    assert f'labels = "{issue.labels[0]}"' in shown

    trail = [json.loads(line) for line in run(operations, "show", draft["session_id"], "--json").stdout.splitlines()]
    creation = next(each for each in trail if each["operation"] == "create_issue")
    assert (creation["status"], creation["jira_key"], creation["posts"]) == ("done", issue.key, 1)
    assert creation["settled_at"].endswith("-07:00")
    today = run(operations, "list", "--day", clock.phoenix(clock.utc_now())[:10], "--limit", "1000", "--json").stdout
    assert issue.key in today
    assert issue.key not in run(operations, "list", "--day", "2020-01-01", "--json").stdout


def test_a_failed_issue_is_retried_in_a_persons_name(approvals: ApprovalsCloud, run: Callable[..., Result]) -> None:
    draft = approvals.draft(title="Tried by command", project="SOON")
    preview = approvals.preview_of(draft)
    approvals.click(preview)
    approvals.header_becomes(preview, "Jira issue not created")
    approvals.jira.app.seed("SOON", 1)

    answer = run(operations, "retry", draft["session_id"], "--by", "U0OPERATOR")

    assert answer.exit_code == 0, answer.exception
    assert "was failed" in answer.stdout
    approvals.header_becomes(preview, "Ticket Created: SOON-")
    assert approvals.creation(draft["session_id"])["created_by"] == {"S": "U0OPERATOR"}


def test_a_draft_without_an_approval_cannot_be_retried(approvals: ApprovalsCloud, run: Callable[..., Result]) -> None:
    draft = approvals.draft()
    approvals.preview_of(draft)

    answer = run(operations, "retry", draft["session_id"], "--by", "U0OPERATOR")

    assert isinstance(answer.exception, errors.InvalidInputError)
    assert "nobody has approved" in str(answer.exception)


def test_wrong_credentials_are_reported_as_such(
    approvals: ApprovalsCloud, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed")

    answer = run(drafts, "submit", write(approvals.draft(), tmp_path))

    assert isinstance(answer.exception, errors.AccessDeniedError)


def test_an_unknown_session_and_a_malformed_day_are_errors(approvals: ApprovalsCloud, run: Callable[..., Result]) -> None:
    assert isinstance(run(operations, "show", "no-such-session").exception, errors.NotFoundError)
    answer = run(operations, "list", "--day", "yesterday")
    assert answer.exit_code == 2
    assert "is not a day" in answer.output


def test_a_waiting_draft_is_listed_until_somebody_decides(approvals: ApprovalsCloud, run: Callable[..., Result]) -> None:
    draft = approvals.draft(title="Listed by command")
    preview = approvals.preview_of(draft)

    def listed(*options: str) -> dict[str, dict[str, str]]:
        result = run(approvals_command, "list", "--limit", "1000", "--json", *options)
        assert result.exit_code == 0, result.exception
        return {found["session_id"]: found for found in map(json.loads, result.stdout.splitlines())}

    waiting = listed()[draft["session_id"]]
    assert (waiting["state"], waiting["title"], waiting["requested_by"]) == ("waiting", draft["title"], draft["requested_by"])
    assert waiting["preview_url"].startswith(f"https://stand-in.slack.com/archives/{preview['channel']}/p")
    assert waiting["may_approve"]
    assert draft["session_id"] not in listed("--older-than", "1h")

    approvals.click(preview)
    approvals.header_becomes(preview, "Ticket Created: ")
    assert draft["session_id"] not in listed()
    assert listed("--state", "done")[draft["session_id"]]["jira_key"]
    shown = run(approvals_command, "show", draft["session_id"]).stdout
    assert "done since" in shown
    assert "approved by U0ADA" in shown
