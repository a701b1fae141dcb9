"""The pages of jobs: found by status and age, shown with errors and changes; cancel and rollback ask and need a writer."""

from datetime import timedelta

import pytest

from lib.platform import clock
from lib.shuttle import keys
from lib.shuttle.imports.reports import ErrorReport, RowError, RowErrorCode
from lib.shuttle.jobs.job import ErrorSummary, JobStatus, Outcome
from lib.shuttle.jobs.plans import Plan
from tests.support.aws.environment import REGION
from tests.support.aws.moto_inside import SHOPS, SHUTTLE_VARIABLES
from tests.support.console.client import HOSTILE, PERSON, ConsoleClient, console_client, text_of
from tests.support.observability.log_lines import LogLines
from tests.support.operations.deployment import Deployment
from tests.support.shuttle.builders import DOMAIN, FixedClock, RecordingClient, ShuttleTable, a_shop, an_order
from tests.support.shuttle.catalogues import Imports

BUCKET = SHUTTLE_VARIABLES["IMPORT_BUCKET_NAME"]


@pytest.fixture(autouse=True)
def table(deployment: Deployment) -> ShuttleTable:
    """The Shuttle table with one shop on the plan FREE, an hour ago."""
    table = ShuttleTable(
        RecordingClient(deployment.client("dynamodb")), SHOPS, FixedClock(clock.utc_now() - timedelta(hours=1))
    )
    table.registry.install(a_shop(plan=Plan.FREE))
    return table


def a_job(table: ShuttleTable) -> str:
    return table.jobs.create(DOMAIN, an_order()).job_id


def a_failed_job(deployment: Deployment, table: ShuttleTable, column: str = "price") -> str:
    """A job whose file has an error in row 3."""
    job = table.jobs.start(DOMAIN, a_job(table))
    errors = (ErrorSummary(code="WRONG_TYPE", count=1200, first_rows=(3, 7)),)
    outcome = Outcome(
        rows_read=1300, rows_failed=1200, errors=errors, has_report=True, failure="NO_VALID_ROW", failure_detail=HOSTILE
    )
    table.jobs.finish(job, outcome)
    s3 = deployment.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    report = ErrorReport(errors, (RowError(3, 4, column, RowErrorCode.WRONG_TYPE, "is not a number"),))
    s3.put_object(Bucket=BUCKET, Key=keys.report_object(DOMAIN, job.job_id), Body=report.as_csv().read())
    return job.job_id


def test_without_jobs_the_list_says_what_to_do(client: ConsoleClient) -> None:
    assert "No job matches. Choose another status or age" in text_of(client.page("/jobs"))


def test_jobs_are_found_by_status_and_age(client: ConsoleClient, table: ShuttleTable) -> None:
    cancelled = a_job(table)
    table.jobs.cancel(DOMAIN, cancelled)
    table.clock.advance(minutes=50)
    queued = a_job(table)

    both = client.page("/jobs")
    assert both.index(queued) < both.index(cancelled)
    assert both.index(cancelled) < (oldest := client.page("/jobs?order=oldest")).index(queued)
    assert oldest.index(cancelled) < oldest.index(queued)
    assert queued not in client.page("/jobs?status=CANCELLED")
    assert queued not in client.page("/jobs?age=30m")
    assert cancelled in client.page("/jobs?age=30m")
    shown = text_of(client.page("/jobs?status=QUEUED&age=1h"))
    assert "python -m handlers.cli shuttle jobs --status QUEUED --older-than 1h --newest-first" in shown


def test_a_job_of_a_later_release_is_named_and_hides_no_other(client: ConsoleClient, table: ShuttleTable) -> None:
    table.jobs.cancel(DOMAIN, other := a_job(table))
    later = a_job(table)
    table.corrupt(keys.job(DOMAIN, later), Kind="MERGE")

    page = client.page("/jobs")

    assert f"Incomplete: the row SHOP#{DOMAIN} JOB#{later} can't be read" in text_of(page)
    assert f"/jobs/{DOMAIN}/{other}" in page


def test_an_unknown_status_is_refused(client: ConsoleClient) -> None:
    assert "Status is not one of QUEUED" in text_of(client.page("/jobs?status=LOST", status=400))


def test_a_shop_in_the_filter_leads_to_its_page(client: ConsoleClient) -> None:
    answer = client.get(f"/jobs?shop={DOMAIN}&status=FAILED")

    assert (answer.status_code, answer.headers["Location"]) == (303, f"/jobs/{DOMAIN}?status=FAILED")


def test_a_failed_job_has_its_errors_with_the_first_rows(
    deployment: Deployment, client: ConsoleClient, table: ShuttleTable
) -> None:
    job_id = a_failed_job(deployment, table, column=HOSTILE)

    page = client.page(f"/jobs/{DOMAIN}/{job_id}")

    shown = text_of(page)
    assert "NO_VALID_ROW" in shown
    assert "1,300 rows read, 1,200 failed" in shown
    assert "WRONG_TYPE 1,200 3, 7" in shown
    assert "is not a number" in shown
    assert 'href="/docs/runbooks/jobs#a-job-has-failed"' in page
    assert f"shuttle jobs get {DOMAIN} {job_id}" in shown
    assert f"/jobs/{DOMAIN}/{job_id}/cancel" not in page  # it has ended


def test_an_error_report_that_is_gone_is_a_notice(deployment: Deployment, client: ConsoleClient, table: ShuttleTable) -> None:
    job_id = a_failed_job(deployment, table)
    deployment.client("s3").delete_object(Bucket=BUCKET, Key=keys.report_object(DOMAIN, job_id))

    assert "The error report is not shown" in text_of(client.page(f"/jobs/{DOMAIN}/{job_id}"))


def test_an_unknown_job_and_an_unknown_shop_are_not_found(client: ConsoleClient) -> None:
    client.page(f"/jobs/{DOMAIN}/01M7YXD5JCAGZN7CYWQRMAB5D7", status=404)
    client.page("/jobs/teapost.example.com", status=404)
    client.page("/jobs/%3Cscript%3Ealert(1)", status=400)


def test_a_running_job_shows_its_progress(client: ConsoleClient, table: ShuttleTable) -> None:
    job = table.jobs.start(DOMAIN, table.jobs.create(DOMAIN, an_order(file_bytes=4000)).job_id)
    table.jobs.progress(job, rows_read=10, rows_failed=0, bytes_read=1000)

    page = client.page(f"/jobs/{DOMAIN}/{job.job_id}")

    assert '<progress value="1000" max="4000"' in page
    assert "1.0 kB of 4.0 kB read" in text_of(page)


def test_a_job_is_cancelled_after_a_question(client: ConsoleClient, table: ShuttleTable) -> None:
    logged = LogLines("console")
    job_id = a_job(table)
    url = f"/jobs/{DOMAIN}/{job_id}"
    asked = text_of(client.page(f"{url}/cancel"))
    assert "Cancel this job?" in asked
    assert f"shuttle jobs cancel {DOMAIN} {job_id}" in asked
    assert table.repository.job(DOMAIN, job_id).status is JobStatus.QUEUED

    answer = client.post(f"{url}/cancel")

    assert (answer.status_code, answer.headers["Location"]) == (303, url)
    assert table.repository.job(DOMAIN, job_id).status is JobStatus.CANCELLED
    assert f"{job_id} is CANCELLED." in text_of(client.page(url))
    [line] = logged.named("console_change")
    assert (line["action"], line["person"], line["job"]) == ("jobs.cancel", PERSON, job_id)


def test_a_job_that_has_ended_is_not_cancelled(deployment: Deployment, client: ConsoleClient, table: ShuttleTable) -> None:
    job_id = a_failed_job(deployment, table)

    assert client.post(f"/jobs/{DOMAIN}/{job_id}/cancel").status_code in (400, 409)
    assert table.repository.job(DOMAIN, job_id).status is JobStatus.FAILED


def test_a_shop_shows_plan_usage_slots_and_versions(client: ConsoleClient, table: ShuttleTable) -> None:
    table.clock.moment = clock.utc_now()  # an hour ago may be yesterday
    made_by = Imports(table).imported().job_id
    waiting = a_job(table)

    page = client.page(f"/jobs/{DOMAIN}")

    shown = text_of(page)
    assert "Plan FREE ACTIVE" in shown
    assert "jobs at a time 1 1" in shown
    assert "imports today (UTC) 2 5" in shown
    assert "imports this month (UTC) 2 50" in shown
    assert "rows of the catalogue 1 50,000" in shown
    assert f'/jobs/{DOMAIN}/{waiting}"' in page
    assert f"import {made_by}" in shown
    assert f"python -m handlers.cli shuttle limits {DOMAIN}" in shown


def test_a_catalogue_is_rolled_back_after_a_question(client: ConsoleClient, table: ShuttleTable) -> None:
    imports = Imports(table)
    imports.imported()
    imports.imported()
    url = f"/jobs/{DOMAIN}/rollback/1"
    asked = text_of(client.page(url))
    assert "Roll the catalogue back to version 1?" in asked
    assert "gets a new version 3 with the 1 row of version 1. Version 2, the current one with 2 rows" in asked

    assert client.post(url).status_code == 303

    present = table.repository.catalogue(DOMAIN)
    assert (present.version, present.restored_from, present.rows) == (3, 1, 1)
    shown = text_of(client.page(f"/jobs/{DOMAIN}"))
    assert "Version 3 is the current one, with the rows of version 1." in shown
    assert "rollback to version 1" in shown
    client.post(url)
    assert "Nothing was changed" in text_of(client.page(f"/jobs/{DOMAIN}"))


@pytest.mark.parametrize("change", ["rollback/1", "{job}/cancel"])
def test_a_read_only_console_changes_nothing(deployment: Deployment, table: ShuttleTable, change: str) -> None:
    Imports(table).imported()
    job_id = a_job(table)
    reader = console_client(deployment)
    url = f"/jobs/{DOMAIN}/{change.format(job=job_id)}"

    assert "This console is read-only" in text_of(reader.page(url))
    assert reader.post(url).status_code in (403, 503)

    assert table.repository.job(DOMAIN, job_id).status is JobStatus.QUEUED
    assert table.repository.catalogue(DOMAIN).version == 1
