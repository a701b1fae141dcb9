"""``prune`` counts, asks, and deletes what it counted."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result

from lib.jira.issue_writer import IssueWriter
from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery
from lib.platform import aws, clock
from tests.support.aws.moto_inside import ISSUES
from tests.support.jira.builders import Snapshots

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def stored(deployed: None) -> None:
    """Of OPS-1 three versions that came in 100 days ago and one that did yesterday."""
    for minute, days in ((1, 100), (2, 100), (3, 100), (4, 1)):
        store = IssueWriter(
            aws.make_client("dynamodb"),
            ISSUES,
            history=timedelta(days=365),
            snapshots=Snapshots(),
            now=lambda days=days: clock.utc_now() - timedelta(days=days),  # type: ignore[misc]
        )
        stamp = Stamp(f"2026-03-01T12:{minute:02d}:00.000000Z", minute, f"d-{minute}")
        store.record(Delivery("OPS-1", "1", stamp, "jira:issue_updated", IssueFields("s")))


@pytest.fixture
def rows(dynamodb: Any) -> Callable[[], list[str]]:
    """The sort keys that are there."""
    return lambda: sorted(item["updated_at"]["S"] for item in dynamodb.scan(TableName=ISSUES)["Items"])


EVERYTHING = [f"2026-03-01T12:{minute:02d}:00.000000Z" for minute in (1, 2, 3, 4)] + ["HEAD"]


def test_superseded_versions_of_that_age_are_deleted_after_a_yes(run: Run, rows: Callable[[], list[str]]) -> None:
    result = run("prune", input="y\n")

    assert result.exit_code == 0
    assert result.stdout.startswith("3 of 4 versions can be deleted: superseded, and received before ")
    assert result.stdout.endswith("Deleted 3 of 4 versions.\n")
    assert "-07:00" in result.stdout
    assert f"Delete 3 versions of {ISSUES}? [y/N]" in result.stderr
    assert rows() == EVERYTHING[3:]


@pytest.mark.parametrize("said", ["n\n", "\n", ""])
def test_nothing_is_deleted_without_a_yes(run: Run, rows: Callable[[], list[str]], said: str) -> None:
    result = run("prune", input=said)

    assert result.exit_code == 1
    assert result.stderr.endswith(
        "Error: interrupted.\n" if said else "Error: Nobody answered on standard input: pass --yes.\n"
    )
    assert rows() == EVERYTHING


def test_a_dry_run_counts_asks_nothing_and_deletes_nothing(run: Run, rows: Callable[[], list[str]]) -> None:
    result = run("prune", "--dry-run", "--yes")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "3 of 4 versions can be deleted" in result.stdout
    assert result.stdout.endswith("Nothing was deleted.\n")
    assert rows() == EVERYTHING


def test_yes_asks_nothing(run: Run, rows: Callable[[], list[str]]) -> None:
    result = run("prune", "--older-than", "0d", "--yes")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "Deleted 3 of 4 versions.\n", "")
    assert rows() == EVERYTHING[3:]


@pytest.mark.parametrize(("age", "deleted"), [("2399h", 3), ("99d", 3), ("14w", 3), ("2401h", 0), ("101d", 0), ("15w", 0)])
def test_the_age_counts_from_the_arrival_of_a_version(run: Run, age: str, deleted: int) -> None:
    assert run("prune", "--older-than", age, "--dry-run").stdout.startswith(f"{deleted} of 4 versions")


def test_nothing_to_delete_asks_nothing(run: Run) -> None:
    result = run("prune", "--older-than", "52w")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("Nothing was deleted.\n")


def test_a_missing_table_is_reported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIRA_ISSUES_TABLE_NAME", "elsewhere")

    result = run("prune", "--yes")

    assert (result.exit_code, result.stderr) == (1, "Error: could not scan the issues: ResourceNotFoundException\n")
