"""``reconcile`` invokes the function with its options, and shows its answer unchanged."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from tests.support.aws.lambda_service import LambdaService

Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("deployed")


def turn(project: str = "OPS", **changes: Any) -> dict[str, Any]:
    counts = {"fetched": 12, "created": 1, "updated": 2, "deleted": 3, "unchanged": 6, "failed": 0}
    return {
        "project": project,
        "counts": counts | changes.pop("counts", {}),
        "refused": [],
        "complete": True,
        "continued": False,
        "changes": [],
        "unidentified": 0,
        "missing": [],
        **changes,
    }


def answer(*turns: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "run_id": "r-1",
        "mode": "changes",
        "dry_run": False,
        "projects": list(turns),
        "refused": [reason for each in turns for reason in each["refused"]],
        "record": "runs/reconciliation/x.json",
        **changes,
    }


@pytest.mark.parametrize(
    ("arguments", "event"),
    [
        ((), {"full": False, "dry_run": False}),
        (("--full",), {"full": True, "dry_run": False}),
        (("--project", "OPS", "--dry-run"), {"full": False, "dry_run": True, "project": "OPS"}),
        (
            ("--project", "OPS", "--full", "--max-deletes", "400"),
            {"full": True, "dry_run": False, "project": "OPS", "max_deletes": 400},
        ),
    ],
)
def test_the_function_is_invoked_with_the_options(
    run: Run, functions: LambdaService, arguments: tuple[str, ...], event: dict[str, Any]
) -> None:
    functions.answer = answer(turn())

    assert run("reconcile", *arguments).exit_code == 0

    assert functions.invocations == [("reconciliation-5f:live", "RequestResponse", event)]


def test_without_waiting_the_id_of_the_run_is_printed(run: Run, functions: LambdaService) -> None:
    functions.request_id = "r-9"

    result = run("reconcile", "--project", "OPS", "--no-wait")

    assert (result.exit_code, result.stdout) == (0, "r-9\n")
    assert functions.invocations == [("reconciliation-5f:live", "Event", {"full": False, "dry_run": False, "project": "OPS"})]


def test_json_needs_the_result(run: Run, functions: LambdaService) -> None:
    assert run("reconcile", "--no-wait", "--json").exit_code == 2
    assert functions.invocations == []


def test_each_project_is_a_row_with_its_counts(run: Run, functions: LambdaService) -> None:
    functions.answer = answer(turn("OPS"), turn("WEB", counts={"fetched": 7}))

    result = run("reconcile")

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if line.startswith("│")]
    assert rows == [["OPS", "12", "1", "2", "3", "6", "0", "complete"], ["WEB", "7", "1", "2", "3", "6", "0", "complete"]]
    assert result.stdout.startswith("Reconciled what changed\n")
    assert "Run record: runs/reconciliation/x.json" in result.stdout


def test_refusals_are_printed_with_exit_code_1(run: Run, functions: LambdaService) -> None:
    refused = turn(complete=False, refused=["OPS: 60 issues are missing, more than 50 may be deleted"])
    functions.answer = answer(refused, mode="full")

    result = run("reconcile", "--full")

    assert result.exit_code == 1
    assert "Refused: OPS: 60 issues are missing, more than 50 may be deleted" in result.stdout
    assert "incomplete" in result.stdout
    assert result.stdout.startswith("Reconciled everything\n")


@pytest.mark.parametrize("options", [("--full",), ("--project", "OPS"), ()])
def test_a_limit_for_one_run_is_for_the_full_sweep_of_one_project(
    run: Run, functions: LambdaService, options: tuple[str, ...]
) -> None:
    result = run("reconcile", "--max-deletes", "400", *options)

    assert (result.exit_code, result.stderr) == (2, "Error: --max-deletes needs --full and --project.\n")
    assert functions.invocations == []


@pytest.mark.parametrize(("missing", "shown"), [(3, "(3)"), (100, "(the first 100)")])
def test_missing_issues_that_were_not_deleted_are_named(run: Run, functions: LambdaService, missing: int, shown: str) -> None:
    keys = [f"OPS-{number}" for number in range(1, missing + 1)]
    functions.answer = answer(turn(complete=False, refused=["OPS: too many"], missing=keys), mode="full")

    result = run("reconcile", "--full")

    assert f"OPS: not found in Jira, and not deleted {shown}:" in result.stdout
    assert ", ".join(keys) in " ".join(result.stdout.split())


def test_entries_without_an_issue_key_are_a_sentence(run: Run, functions: LambdaService) -> None:
    functions.answer = answer(turn(counts={"failed": 2}, unidentified=2))

    result = run("reconcile")

    assert result.exit_code == 1
    assert "OPS: Jira listed 2 entries without an issue key" in result.stdout


def test_a_failed_issue_is_exit_code_1_with_its_reason(run: Run, functions: LambdaService) -> None:
    change = {"issue_key": "OPS-7", "action": "failed", "reason": "no \x1b[31mkey"}
    functions.answer = answer(turn(counts={"failed": 1}, complete=False, changes=[change]))

    result = run("reconcile")

    assert result.exit_code == 1
    assert "no ·[31mkey" in result.stdout, "nothing that a terminal would obey"


def test_a_continued_sweep_succeeds_and_names_its_log(run: Run, functions: LambdaService) -> None:
    functions.answer = answer(turn(complete=False, continued=True))

    result = run("reconcile", "--full")

    assert result.exit_code == 0
    assert "continues" in result.stdout
    assert "correlation_id r-1" in result.stdout


def test_a_dry_run_says_that_nothing_was_written(run: Run, functions: LambdaService) -> None:
    changes = [{"issue_key": f"OPS-{number}", "action": "deleted"} for number in range(1, 31)]
    functions.answer = answer(turn(changes=changes), dry_run=True, record=None)

    result = run("reconcile", "--dry-run")

    assert "nothing was written" in result.stdout
    assert "would be" in result.stdout
    assert "OPS-20 " in result.stdout
    assert "OPS-21 " not in result.stdout
    assert "Showing 20 changes: --json prints the first 100 of each project." in result.stdout


def test_json_is_the_functions_own_answer(run: Run, functions: LambdaService) -> None:
    functions.answer = answer(turn())

    assert json.loads(run("reconcile", "--json").stdout) == functions.answer


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"errorType": "InvalidInputError", "errorMessage": "no project"}, "InvalidInputError: no project"),
        ({"errorType": "Sandbox.Timedout"}, "Sandbox.Timedout"),
        (None, "Unhandled"),
    ],
)
def test_a_function_that_fails_is_reported(run: Run, functions: LambdaService, payload: object, reason: str) -> None:
    functions.answer, functions.function_error = payload, "Unhandled"

    result = run("reconcile")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: the reconciliation function failed: {reason}\n"


def test_a_call_that_is_refused_is_reported(run: Run, functions: LambdaService) -> None:
    functions.refusal = (429, "TooManyRequestsException")

    result = run("reconcile")

    assert result.exit_code == 1
    assert result.stderr == "Error: could not invoke the reconciliation function: TooManyRequestsException\n"


@pytest.mark.parametrize("payload", [None, [], {"projects": 1}, {"refused": [], "projects": [{}]}])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_answer_of_another_version_is_an_error(
    run: Run, functions: LambdaService, payload: object, options: tuple[str, ...]
) -> None:
    functions.answer = payload

    result = run("reconcile", *options)

    assert result.exit_code == 1
    assert result.stderr == "Error: incompatible response: the deployed version differs from this CLI\n"
