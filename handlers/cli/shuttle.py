"""``shuttle``: all shops, their jobs and their usage, and settings of the app, for operators, with their own credentials."""

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

import click

from handlers.cli import output
from handlers.cli.deployment import shuttle_table
from handlers.cli.options import JOB_ID, MONTH, SHOP, Day, Find, Recent, confirm, json_option, limit_option, yes_option
from handlers.cli.shuttle_config import config
from lib.operations.shuttle_report import all_jobs, changes_of, jobs_of, noting, of_known_shop, report_job, report_shop
from lib.platform import clock, errors
from lib.platform.environment.shuttle import ShuttleEnvironment
from lib.shuttle import api_json
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.catalogue.versions import Catalogue
from lib.shuttle.entities import BillingState, Shop, ShopSummary, UsageCounters, UsageDaily
from lib.shuttle.jobs.job import Job, JobStatus, JobSummary
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.registry import Registry
from lib.shuttle.removal import Removal, ShopObjects
from lib.shuttle.repository import Repository

_PLANS = click.Choice([plan.value for plan in Plan])
_STATES = click.Choice([state.value for state in BillingState])
_STATUSES = click.Choice([status.value for status in JobStatus])
_ANY = "any"


@click.group()
def shuttle() -> None:
    """Show and change shops, jobs, catalogues, usage and settings of the app.

    Times are in Phoenix time; the days and months of usage are UTC.
    """


@shuttle.command()
@click.argument("domain", type=SHOP, required=False, metavar="[SHOP]")
@click.option("--plan", type=_PLANS, help="Shops on this plan; with --install, the plan of SHOP.")
@click.option("--billing", type=_STATES, help="Shops in this billing state; with --plan or --install, by default ACTIVE.")
@click.option("--install", is_flag=True, help="Install SHOP, or change it to --plan and --billing.")
@limit_option
@json_option
@click.pass_obj
def shops(
    find: Find, *, domain: str | None, plan: str | None, billing: str | None, install: bool, limit: int, as_json: bool
) -> int:
    """List shops, show one, or install one.

    The shop that was installed last comes first.
    """
    if install and not (domain and plan):
        raise click.UsageError("--install needs SHOP and --plan.")
    if domain and (plan or billing) and not install:
        raise click.UsageError("--plan and --billing filter all shops, or set those of SHOP with --install.")
    connection = shuttle_table(find())
    state = BillingState(billing) if billing else None
    if install and domain and plan:
        _install(Registry(*connection), domain, Plan(plan), state or BillingState.ACTIVE)
    return output.show_list(
        _shops(Repository(*connection), domain, plan, state),
        "shop",
        ("shop", "plan", "billing", "installed"),
        lambda shop: (shop.shop_domain, shop.plan.value, shop.billing_state.value, clock.phoenix(shop.installed_at)),
        api_json.to_json,
        as_json=as_json,
        limit=limit,
    )


def _install(registry: Registry, domain: str, plan: Plan, billing: BillingState) -> None:
    shop = Shop(shop_domain=domain, plan=plan, billing_state=billing, installed_at=clock.utc_now())
    if not registry.install(shop):
        registry.change_plan(domain, plan, billing)


def _shops(
    repository: Repository, domain: str | None, plan: str | None, state: BillingState | None
) -> Iterator[Shop | ShopSummary]:
    if domain:
        return iter([repository.shop(domain)])
    if plan:
        return repository.shops_by_plan(Plan(plan), state or BillingState.ACTIVE)
    # No index has the billing state without the plan.
    return (shop for shop in repository.shops_by_install_date() if state is None or shop.billing_state is state)


@shuttle.command()
@click.argument("domain", type=SHOP, metavar="SHOP")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def limits(find: Find, domain: str, as_json: bool) -> int:
    """Show what SHOP uses of its plan now, and the jobs that hold its slots."""
    report = report_shop(*shuttle_table(find()), domain)
    if as_json:
        allowances = [dataclasses.asdict(each) for each in report.allowances]
        output.print_json(api_json.to_json(report.shop) | {"limits": allowances, "active_jobs": list(report.active_jobs)})
        return 0
    rows = output.table("limit", "used", "of", numbers=("used", "of"))
    for each in report.allowances:
        rows.add_row(each.name, f"{each.used:,}", f"{each.allowed:,}")
    output.show(rows, f"{domain}: {report.shop.plan.value}, {report.shop.billing_state.value}")
    if report.active_jobs:
        output.out().print(f"Jobs that hold a slot: {', '.join(report.active_jobs)}")
    return 0


@shuttle.group(invoke_without_command=True)
@click.option(
    "--status",
    type=click.Choice([*_STATUSES.choices, _ANY]),
    help="The jobs of all shops in this status, or any, the oldest status change first.",
)
@click.option("--older-than", type=Recent(), metavar="AGE", help="Jobs in their status for longer than this: 30m, 12h or 7d.")
@click.option("--newest-first", is_flag=True, help="The latest status change first.")
@limit_option
@json_option
@click.pass_context
def jobs(
    ctx: click.Context, *, status: str | None, older_than: timedelta | None, newest_first: bool, limit: int, as_json: bool
) -> int:
    """Show, cancel and sweep jobs.

    With --status, the jobs of all shops in that status.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    if status is None:
        raise click.UsageError("Pass --status, or one of the commands list, get, cancel and sweep.")
    problems: list[str] = []
    found = all_jobs(
        Repository(*shuttle_table(ctx.obj())),
        tuple(JobStatus) if status == _ANY else (JobStatus(status),),
        until=clock.utc_now() - older_than if older_than else None,
        newest_first=newest_first,
        most=limit + 1,
        skip=noting(problems),
    )
    _show_jobs(found, limit, as_json)
    for problem in problems:
        output.err().print(output.plain(f"Incomplete: {problem}"))
    return 1 if problems else 0


@jobs.command("list")
@click.argument("domain", type=SHOP, metavar="SHOP")
@click.option("--status", type=_STATUSES, help="Jobs in this status.")
@limit_option
@json_option
@click.pass_obj
def list_jobs(find: Find, domain: str, status: str | None, limit: int, as_json: bool) -> int:
    """List the jobs of SHOP, newest first."""
    repository = Repository(*shuttle_table(find()))
    return _show_jobs(jobs_of(repository, domain, JobStatus(status) if status else None), limit, as_json)


def _show_jobs(found: Iterable[Job | JobSummary], limit: int, as_json: bool) -> int:
    return output.show_list(
        found,
        "job",
        ("shop", "job", "status", "since", "created", "failure"),
        lambda job: (
            job.shop_domain,
            job.job_id,
            job.status.value,
            clock.phoenix(job.status_since),
            clock.phoenix(job.created_at),
            job.failure,
        ),
        api_json.to_json,
        as_json=as_json,
        limit=limit,
    )


@jobs.command("get")
@click.argument("domain", type=SHOP, metavar="SHOP")
@click.argument("job_id", type=JOB_ID, metavar="JOB")
@json_option
@click.pass_obj
def get_job(find: Find, domain: str, job_id: str, as_json: bool) -> int:
    """Show the job JOB of SHOP, with the errors in its file."""
    deployment = find()
    environment = deployment.environment("shuttle", ShuttleEnvironment)
    repository = Repository(deployment.client("dynamodb"), environment.shuttle_table_name)
    report = report_job(repository, deployment.client("s3"), environment.import_bucket_name, domain, job_id)
    job = report.job
    if as_json:
        output.print_json(api_json.to_json(job))
        return 0
    output.show_details(
        f"{job.shop_domain} {job.job_id}",
        (
            ("status", f"{job.status.value} since {clock.phoenix(job.status_since)}"),
            ("failure", " ".join(part for part in (job.failure, job.failure_detail) if part)),
            ("created", clock.phoenix(job.created_at)),
            ("mode, format", f"{job.mode.value if job.mode else ''}, {job.file_format.value}"),
            ("rows", f"{job.rows_read:,} read, {job.rows_failed:,} failed, {job.counts.duplicates:,} duplicates"),
            ("catalogue", changes_of(job)),
            ("bytes", f"{job.bytes_read:,} read of {job.file_bytes or 0:,}"),
            ("attempt", job.attempt),
            *((error.code, f"{error.count:,}, first in rows {', '.join(map(str, error.first_rows))}") for error in job.errors),
        ),
    )
    if report.first_errors:
        rows = output.table("row", "line", "column", "error", "message", numbers=("row", "line"))
        for error in report.first_errors:
            rows.add_row(*map(output.plain, (error.row, error.line, error.column, error.code.value, error.message)))
        output.show(rows, "First errors")
    if report.problem:
        output.err().print(output.plain(f"The error report is not shown: {report.problem}"))
    return 0


@jobs.command("cancel")
@click.argument("domain", type=SHOP, metavar="SHOP")
@click.argument("job_id", type=JOB_ID, metavar="JOB")
@click.pass_obj
def cancel_job(find: Find, domain: str, job_id: str) -> int:
    """Cancel the job JOB of SHOP.

    If a worker runs the job, it stops within seconds.
    """
    job = Jobs(*shuttle_table(find())).cancel(domain, job_id)
    click.echo(f"{job.job_id} is {job.status.value}.")
    return 0


@jobs.command("sweep")
@click.pass_obj
def sweep_jobs(find: Find) -> int:
    """Fail jobs without a worker or a file, as the schedule does."""
    problems: list[str] = []
    given_up = Jobs(*shuttle_table(find())).sweep(lambda row, error: problems.append(f"Not swept: {row}: {error}"))
    for failure, count in given_up.items():
        click.echo(f"{failure}: {count}")
    for problem in problems:
        output.err().print(output.plain(problem))
    return 1 if problems else 0


@shuttle.command()
@click.argument("domain", type=SHOP, metavar="SHOP")
@click.option("--versions", is_flag=True, help="All versions that are kept, the newest first.")
@json_option
@click.pass_obj
def catalogue(find: Find, domain: str, versions: bool, as_json: bool) -> int:
    """Show the current version of the catalogue of SHOP."""
    if versions:
        connection = shuttle_table(find())
        kept = iter(CatalogueStore(*connection).versions(domain))
        return _show_versions(of_known_shop(kept, Repository(*connection), domain), as_json)
    repository = Repository(*shuttle_table(find()))
    try:
        return _show_versions([repository.catalogue(domain)], as_json)
    except errors.NotFoundError:
        repository.shop(domain)  # if the shop does not exist, say that
        raise


@shuttle.command()
@click.argument("domain", type=SHOP, metavar="SHOP")
@click.option("--version", type=click.IntRange(1, 999_999), metavar="N", required=True, help="The version to restore.")
@json_option
@click.pass_obj
def rollback(find: Find, domain: str, version: int, as_json: bool) -> int:
    """Restore an older catalogue of SHOP as a new version.

    The event about it is published by the next sweep.
    """
    restored, _ = CatalogueStore(*shuttle_table(find())).rollback(domain, version)
    return _show_versions([restored], as_json)


def _show_versions(found: Iterable[Catalogue], as_json: bool) -> int:
    return output.show_list(
        found,
        "version",
        ("version", "rows", "bytes", "made", "job", "schema", "restored from"),
        lambda version: (
            version.version,
            f"{version.rows:,}",
            f"{version.bytes:,}",
            clock.phoenix(version.made_at),
            version.job_id,
            version.schema_version,
            version.restored_from,
        ),
        api_json.catalogue_to_json,
        as_json=as_json,
    )


@shuttle.command()
@click.argument("domain", type=SHOP, required=False, metavar="[SHOP]")
@click.option("--from", "first", type=Day(), metavar="YYYY-MM-DD", help="The first day; by default 29 days before the last.")
@click.option("--to", "last", type=Day(), metavar="YYYY-MM-DD", help="The last day; by default today.")
@click.option("--month", type=MONTH, metavar="YYYY-MM", help="A month of SHOP or, without SHOP, of all shops.")
@limit_option
@json_option
@click.pass_obj
def usage(
    find: Find, *, domain: str | None, first: date | None, last: date | None, month: str | None, limit: int, as_json: bool
) -> int:
    """Show usage by day or month.

    With SHOP, its usage by day. Without, the usage of all shops on the day --to or in --month.
    """
    if month and (first or last):
        raise click.UsageError("--month can't be combined with --from or --to.")
    if first and not domain:
        raise click.UsageError("--from needs SHOP.")
    repository = Repository(*shuttle_table(find()))
    begin, end = api_json.read_days(
        first.isoformat() if first else None, last.isoformat() if last else None, clock.utc_now().date()
    )
    found: Iterator[Any]
    if month:
        found = repository.monthly_usage(domain, month, month) if domain else repository.all_usage_of_month(month)
    else:
        found = repository.daily_usage(domain, begin, end) if domain else repository.all_usage_of_day(end)
    if domain:
        found = of_known_shop(found, repository, domain)
    counters = [field.name for field in dataclasses.fields(UsageCounters)]

    def cells(row: Any) -> Iterable[object]:
        of = row.day.isoformat() if isinstance(row, UsageDaily) else row.month
        return (row.shop_domain, of, *(f"{getattr(row, name):,}" for name in counters))

    columns = ("shop", "period", *(name.replace("_", " ") for name in counters))
    return output.show_list(found, "row", columns, cells, api_json.to_json, as_json=as_json, limit=limit)


@shuttle.command()
@click.argument("domain", type=SHOP, metavar="SHOP")
@yes_option
@click.pass_obj
def remove(find: Find, domain: str, yes: bool) -> int:
    """Remove SHOP and everything that is stored of it.

    Rows, sessions and files are deleted, and nothing restores them. It takes at least 20 seconds. After an error or an
    interruption, run the command again: it continues.
    """
    deployment = find()
    environment = deployment.environment("shuttle", ShuttleEnvironment)
    removal = Removal(deployment.client("dynamodb"), environment.shuttle_table_name, domain)
    objects = ShopObjects(deployment.client("s3"), environment.import_bucket_name)
    if not yes:
        Repository(deployment.client("dynamodb"), environment.shuttle_table_name).shop(domain)
        confirm(f"Delete {domain} with all its rows, sessions and files?")
    removed = {"rows": 0, "objects": 0, "sessions": 0}
    with output.progress(f"Removing {domain}", None) as update:
        for call in removal.calls(objects):
            removed = {name: count + getattr(call, name) for name, count in removed.items()}
            update(sum(removed.values()), ", ".join(f"{count:,} {name}" for name, count in removed.items()))
    output.show_details(f"{domain} is removed", ((name, f"{count:,}") for name, count in removed.items()))
    return 0


shuttle.add_command(config)
