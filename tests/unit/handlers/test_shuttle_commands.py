"""``shuttle`` and ``costs`` on the command line."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from handlers.cli.costs import costs
from handlers.cli.shuttle import shuttle
from lib.platform import aws, clock, errors
from lib.platform.contract import SHUTTLE
from lib.platform.environment.shuttle import ShuttleEnvironment
from lib.shuttle import keys
from lib.shuttle.entities import BillingState
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.registry import Registry
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.shuttle.builders import DOMAIN, OTHER, FixedClock, RecordingClient, ShuttleTable, a_shop, an_order
from tests.support.shuttle.catalogues import Imports


class Deployed:
    """A deployment with a table in memory."""

    def environment(self, entry_point: str, kind: type[ShuttleEnvironment]) -> ShuttleEnvironment:
        assert entry_point == "shuttle"
        return kind(
            shuttle_table_name=SHUTTLE.name,
            import_bucket_name="imports",
            job_queue_url="https://sqs.example/jobs",
            event_bus_name="switchboard",
        )

    def output(self, name: str) -> str:
        assert name == "shuttle_table_name"
        return SHUTTLE.name

    def client(self, service: str) -> Any:
        return aws.make_client(service)


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    table = FakeTable(SHUTTLE)
    monkeypatch.setattr(aws, "make_client", lambda service: table)
    for domain, plan in ((DOMAIN, Plan.LARGE), (OTHER, Plan.FREE)):
        Registry(table, SHUTTLE.name).install(a_shop(domain, plan=plan))


def run(*arguments: str, command: click.Command = shuttle) -> Result:
    return CliRunner().invoke(command, arguments, obj=Deployed, standalone_mode=False)


def lines(*arguments: str) -> list[dict[str, Any]]:
    done = run(*arguments, "--json")
    assert done.exception is None, done.exception
    return [json.loads(line) for line in done.stdout.splitlines()]


def a_job(domain: str = DOMAIN) -> str:
    return Jobs(aws.make_client("dynamodb"), SHUTTLE.name).create(domain, an_order()).job_id


def test_shops_lists_all_or_those_on_a_plan_or_one() -> None:
    assert {shop["shop_domain"] for shop in lines("shops")} == {DOMAIN, OTHER}
    assert [shop["shop_domain"] for shop in lines("shops", "--plan", "FREE")] == [OTHER]
    assert [shop["plan"] for shop in lines("shops", DOMAIN)] == ["LARGE"]
    assert DOMAIN in run("shops").stdout


def test_shops_are_listed_by_their_billing_state_with_a_plan_and_without() -> None:
    suspended, gone = "suspended.example.com", "gone.example.com"
    for domain, state in ((suspended, BillingState.SUSPENDED), (gone, BillingState.CANCELLED)):
        Registry(aws.make_client("dynamodb"), SHUTTLE.name).install(a_shop(domain, plan=Plan.FREE, billing_state=state))

    def found(*options: str) -> set[str]:
        return {shop["shop_domain"] for shop in lines("shops", *options)}

    assert found() == {DOMAIN, OTHER, suspended, gone}
    assert found("--billing", "SUSPENDED") == {suspended}
    assert found("--billing", "ACTIVE") == {DOMAIN, OTHER}
    assert found("--plan", "FREE") == {OTHER}
    assert found("--plan", "FREE", "--billing", "SUSPENDED") == {suspended}
    assert found("--billing", "ACTIVE", "--limit", "1") < {DOMAIN, OTHER}


def test_a_shop_is_installed_and_then_moved_to_another_plan() -> None:
    new = "new.example.com"
    assert lines("shops", new, "--install", "--plan", "SMALL")[0]["plan"] == "SMALL"
    moved = lines("shops", new, "--install", "--plan", "MEDIUM", "--billing", BillingState.SUSPENDED.value)
    assert [(shop["plan"], shop["billing_state"]) for shop in moved] == [("MEDIUM", "SUSPENDED")]


def test_jobs_are_found_by_shop_by_status_and_by_id() -> None:
    mine, theirs = a_job(), a_job(OTHER)
    assert [job["job_id"] for job in lines("jobs", "list", DOMAIN)] == [mine]
    assert {job["job_id"] for job in lines("jobs", "--status", "QUEUED")} == {mine, theirs}
    assert lines("jobs", "list", DOMAIN, "--status", "FAILED") == []
    assert lines("jobs", "get", DOMAIN, mine)[0]["status"] == "QUEUED"
    assert "QUEUED since" in run("jobs", "get", DOMAIN, mine).stdout


def test_a_job_of_a_later_release_is_named_and_hides_no_other() -> None:
    later, other = a_job(), a_job()
    table, key = aws.make_client("dynamodb"), keys.job(DOMAIN, later).attributes()
    row = table.get_item(TableName=SHUTTLE.name, Key=key)["Item"]
    table.put_item(TableName=SHUTTLE.name, Item=row | {"Kind": {"S": "MERGE"}})

    done = run("jobs", "--status", "any", "--json")

    assert (done.return_value, [json.loads(line)["job_id"] for line in done.stdout.splitlines()]) == (1, [other])
    assert f"Incomplete: the row SHOP#{DOMAIN} JOB#{later} can't be read" in done.stderr


def test_jobs_in_any_status_are_found_by_age_and_the_latest_change_first() -> None:
    first, second = a_job(), a_job(OTHER)
    run("jobs", "cancel", DOMAIN, first)

    assert [job["job_id"] for job in lines("jobs", "--status", "any")] == [second, first]
    assert [job["job_id"] for job in lines("jobs", "--status", "any", "--newest-first")] == [first, second]
    assert [job["job_id"] for job in lines("jobs", "--status", "any", "--newest-first", "--limit", "1")] == [first]
    assert lines("jobs", "--status", "any", "--older-than", "1h") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs", "list"),
        ("jobs", "list", "--status", "FAILED"),
        ("usage",),
        ("usage", "--month", "2026-01"),
        ("shops",),
        ("limits",),
        ("catalogue", "--versions"),
    ],
)
def test_an_unknown_shop_is_an_error_that_names_it(arguments: tuple[str, ...]) -> None:
    failed = run(*arguments, "teapost.example.com").exception

    assert isinstance(failed, errors.NotFoundError)
    assert str(failed) == "the shop teapost.example.com does not exist"


def test_a_job_that_does_not_exist_is_named() -> None:
    job_id = "01M7YXD5JCAGZN7CYWQRMAB5D7"
    for command in ("get", "cancel"):
        failed = run("jobs", command, DOMAIN, job_id).exception
        assert str(failed) == f"the job {job_id} of {DOMAIN} does not exist"


def test_a_known_shop_without_jobs_has_an_empty_list() -> None:
    assert lines("jobs", "list", DOMAIN) == []
    assert lines("usage", DOMAIN) == []


def test_limits_shows_what_a_shop_uses_of_its_plan() -> None:
    job_id = a_job(OTHER)

    [shown] = lines("limits", OTHER)

    assert shown["plan"] == "FREE"
    assert shown["active_jobs"] == [job_id]
    assert shown["limits"][0] == {"name": "jobs at a time", "used": 1, "allowed": 1}
    text = " ".join(run("limits", OTHER).stdout.split())
    assert "imports today (UTC) │ 1 │ 5" in text
    assert f"Jobs that hold a slot: {job_id}" in text


def test_a_job_is_cancelled() -> None:
    job_id = a_job()
    assert run("jobs", "cancel", DOMAIN, job_id).stdout == f"{job_id} is CANCELLED.\n"
    assert lines("jobs", "get", DOMAIN, job_id)[0]["status"] == "CANCELLED"


def test_a_sweep_prints_how_many_jobs_it_failed() -> None:
    assert run("jobs", "sweep").stdout == "WORKER_LOST: 0\nUPLOAD_MISSING: 0\n"


def test_a_sweep_names_the_rows_that_it_can_not_process() -> None:
    table = ShuttleTable(
        RecordingClient(aws.make_client("dynamodb")), SHUTTLE.name, FixedClock(clock.utc_now() - timedelta(days=2))
    )
    row = keys.job(DOMAIN, table.jobs.create(DOMAIN, an_order()).job_id)
    table.jobs.create(OTHER, an_order())
    table.corrupt(row, Kind="MERGE")

    done = run("jobs", "sweep")

    assert (done.return_value, done.stdout) == (1, "WORKER_LOST: 0\nUPLOAD_MISSING: 1\n")
    assert done.stderr == f"Not swept: SHOP#{DOMAIN} {row.sk}: JobSummary.Kind is not of type JobKind\n"


def an_import() -> str:
    """The id of an import that completed, with a new version of the catalogue."""
    client = RecordingClient(aws.make_client("dynamodb"))
    return Imports(ShuttleTable(client, SHUTTLE.name, FixedClock(clock.utc_now()))).imported().job_id


def test_a_job_is_shown_with_what_it_did_to_the_catalogue() -> None:
    shown = " ".join(run("jobs", "get", DOMAIN, an_import()).stdout.split())

    assert "1 read, 0 failed, 0 duplicates" in shown
    assert "version 1: 1 added, 0 replaced, 0 unchanged, 0 skipped, 0 removed" in shown


def test_the_catalogue_is_shown_with_its_versions_and_rolled_back() -> None:
    first, second = an_import(), an_import()

    assert [(each["version"], each["job_id"]) for each in lines("catalogue", DOMAIN)] == [(2, second)]
    [restored] = lines("rollback", DOMAIN, "--version", "1")
    assert (restored["version"], restored["restored_from"], restored["job_id"]) == (3, 1, first)
    assert [each["version"] for each in lines("catalogue", DOMAIN, "--versions")] == [3, 2, 1]
    assert "restored from" in run("catalogue", DOMAIN).stdout


@pytest.mark.parametrize("command", [["catalogue"], ["rollback", "--version", "1"]])
def test_a_shop_without_a_catalogue_has_none_to_show(command: list[str]) -> None:
    assert isinstance(run(*command, OTHER).exception, errors.NotFoundError)


def test_usage_is_printed_for_a_shop_and_for_all() -> None:
    a_job()
    a_job(OTHER)
    [mine] = lines("usage", DOMAIN)
    assert (mine["shop_domain"], mine["imports"]) == (DOMAIN, 1)
    assert {row["shop_domain"] for row in lines("usage")} == {DOMAIN, OTHER}
    assert {row["shop_domain"] for row in lines("usage", "--month", mine["day"][:7])} == {DOMAIN, OTHER}


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs",),
        ("shops", "--install"),
        ("shops", DOMAIN, "--install"),
        ("shops", DOMAIN, "--plan", "FREE"),
        ("shops", DOMAIN, "--billing", "SUSPENDED"),
    ],
)
def test_wrong_arguments_are_a_usage_error(arguments: tuple[str, ...]) -> None:
    assert isinstance(run(*arguments).exception, click.UsageError)


def test_an_unknown_shop_is_not_found() -> None:
    assert isinstance(run("shops", "nobody.example.com").exception, errors.NotFoundError)


def test_costs_of_a_workload_file_are_printed_as_table_or_json(tmp_path: Path) -> None:
    file = tmp_path / "workload.json"
    file.write_text('{"events_per_day": 1000, "notify_channels": 3}')

    printed = json.loads(run(str(file), "--json", command=costs).stdout)
    assert printed["workload"]["notify_channels"] == 3
    assert f"{printed['dollars']:,.2f}" in run(str(file), command=costs).stdout.splitlines()[-1]
    assert json.loads(run("--events", "1000", "--json", command=costs).stdout)["dollars"] > 0


@pytest.mark.parametrize("text", ["[]", "{", '{"events_per_day": "many"}', '{"events": 1}'])
def test_an_invalid_workload_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "workload.json"
    file.write_text(text)

    assert isinstance(run(str(file), command=costs).exception, errors.InvalidInputError)


def test_document_prints_the_page_on_costs() -> None:
    document = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "costs.md").read_text(encoding="utf-8")

    assert run("--document", command=costs).stdout == document
