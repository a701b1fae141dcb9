"""``approvals`` lists the drafts that need attention, and shows one with its audit trail."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result

from lib.approvals.repository import ApprovalStore
from lib.platform import aws, clock
from lib.platform.dynamodb import Table
from tests.support.approvals.stores import Stores
from tests.support.aws.moto_inside import OPERATIONS

Run = Callable[..., Result]

LINK = "https://slack.com/app_redirect?channel=C1&message_ts=1700000000.000100"


@pytest.fixture(autouse=True)
def stores(deployed: None) -> Stores:
    """A draft that has waited for two days, with its preview, and one that failed an hour ago."""
    stores = Stores(aws.make_client("dynamodb"), OPERATIONS, clock.utc_now() - timedelta(days=2))
    _, of_hash = stores.submitted(session_id="old", requested_by="U0ANN")
    stores.approvals.set_preview("old", of_hash, "C1", "1700000000.000100")
    stores.advance(hours=47)
    operation = stores.approved(session_id="broken", title="Buy a rack")
    stores.start(operation)
    stores.operations.mark_failed(operation, "Jira answered 400: no epic, ask ada@example.com", owner="one")
    return stores


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def listed(run: Run, *options: str) -> list[str]:
    return [draft["session_id"] for draft in lines(run("approvals", "list", "--json", *options))]


def test_the_list_names_requester_approvers_and_preview(run: Run) -> None:
    result = run("approvals", "list")

    assert (result.exit_code, result.stderr) == (0, "2 drafts.\n")
    for text in ("old", "waiting", "U0ANN", "U0BOB", LINK, "broken", "failed", "Jira answered 400: no epic, ask email:"):
        assert text in " ".join(result.stdout.split())
    assert result.stdout.index("old") < result.stdout.index("broken")
    assert "ada@example.com" not in result.stdout


def test_state_and_age_narrow_the_list(run: Run) -> None:
    assert listed(run) == ["old", "broken"]
    assert listed(run, "--state", "failed") == ["broken"]
    assert listed(run, "--state", "failed", "--state", "waiting") == ["old", "broken"]
    assert listed(run, "--older-than", "1d") == ["old"]
    assert listed(run, "--state", "failed", "--older-than", "1d") == []
    assert listed(run, "--limit", "1") == ["old"]
    assert listed(run, "--newest-first") == ["broken", "old"]


def test_json_has_each_field_with_times_in_phoenix(run: Run) -> None:
    (draft,) = lines(run("approvals", "list", "--state", "waiting", "--json"))

    assert (draft["state"], draft["requested_by"], draft["may_approve"], draft["preview_url"]) == (
        "waiting",
        "U0ANN",
        "U0BOB",
        LINK,
    )
    assert draft["since"].endswith("-07:00")


def test_show_has_the_decision_the_reason_the_next_command_and_the_trail(run: Run) -> None:
    shown = " ".join(run("approvals", "show", "broken").stdout.split())
    (as_json,) = lines(run("approvals", "show", "broken", "--json"))

    assert "approved by U0ANN" in shown
    assert "Jira answered 400: no epic" in shown
    assert "operations retry broken --by YOUR_SLACK_ID" in shown
    assert "ada@example.com" not in shown
    assert [operation["status"] for operation in as_json["operations"]] == ["failed"]


def test_an_unknown_session_is_an_error_that_names_it(run: Run) -> None:
    result = run("approvals", "show", "gone")

    assert (result.exit_code, result.stderr) == (1, "Error: there is no session 'gone'\n")


def test_an_unknown_state_is_a_usage_error(run: Run) -> None:
    assert run("approvals", "list", "--state", "lost").exit_code == 2


def test_an_empty_list_is_reported(run: Run, stores: Stores) -> None:
    assert ApprovalStore(Table(stores.client, OPERATIONS)).read_current("old") is not None
    result = run("approvals", "list", "--state", "unknown")
    assert (result.stdout, result.stderr) == ("", "0 drafts.\n")
