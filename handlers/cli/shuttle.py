"""``shuttle``: the shops, their jobs and their usage, as operators see them: over all shops, with their own credentials."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

import click

from handlers.cli import output
from lib.platform import clock
from lib.platform.environment import ShuttleEnvironment
from lib.shuttle import api_json
from lib.shuttle.entities import BillingState, Shop, ShopSummary, UsageCounters, UsageDaily, UsageMonthly
from lib.shuttle.jobs.job import Job, JobStatus, JobSummary
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.registry import Registry
from lib.shuttle.repository import Repository


class Deployment(Protocol):
    """What the command line knows of where it works (handlers/cli/deployment.py)."""

    def environment(self, entry_point: str, kind: type[ShuttleEnvironment]) -> ShuttleEnvironment:
        """The environment that a function has."""

    def client(self, service: str) -> Any:
        """The client of an AWS service."""


Find = Callable[[], Deployment]

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
_limit = click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Show no more than this.")
_PLANS = click.Choice([plan.value for plan in Plan])
_STATES = click.Choice([state.value for state in BillingState])
_STATUSES = click.Choice([status.value for status in JobStatus])
_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def shuttle() -> None:
    """Look at shops, jobs and usage, and change them.

    Times are in Phoenix; the days and months of usage are UTC.
    """


@shuttle.command()
@click.argument("domain", required=False, metavar="[SHOP]")
@click.option("--plan", type=_PLANS, help="Those of this plan; with --install, the plan of SHOP.")
@click.option("--billing", type=_STATES, help="Those in this billing state; with --plan or --install, ACTIVE if not given.")
@click.option("--install", is_flag=True, help="Install SHOP, or move it to --plan and --billing.")
@_limit
@_json
@click.pass_obj
def shops(
    find: Find, *, domain: str | None, plan: str | None, billing: str | None, install: bool, limit: int, as_json: bool
) -> int:
    """List the shops, the latest installed first; show one; or install one."""
    if install and not (domain and plan):
        raise click.UsageError("--install needs SHOP and --plan.")
    if domain and (plan or billing) and not install:
        raise click.UsageError("--plan and --billing choose from all shops, or say with --install what SHOP becomes.")
    deployment = find()
    state = BillingState(billing) if billing else None
    if install and domain and plan:
        _install(deployment, domain, Plan(plan), state or BillingState.ACTIVE)
    table = output.table("shop", "plan", "billing", "installed")

    def add(shop: Shop | ShopSummary) -> None:
        installed = clock.phoenix(shop.installed_at)
        table.add_row(output.plain(shop.shop_domain), shop.plan.value, shop.billing_state.value, installed)

    return _show(_shops(_repository(deployment), domain, plan, state), limit, add, None if as_json else table, "shops")


def _shops(
    repository: Repository, domain: str | None, plan: str | None, state: BillingState | None
) -> Iterator[Shop | ShopSummary]:
    if domain:
        return iter([repository.shop(domain)])
    if plan:
        return repository.shops_by_plan(Plan(plan), state or BillingState.ACTIVE)
    # No index tells the billing state without the plan: those in another are read and left out.
    return (shop for shop in repository.shops_by_install_date() if state is None or shop.billing_state is state)


@shuttle.group(invoke_without_command=True)
@click.option("--status", type=_STATUSES, help="The jobs of all shops in this status, the one longest in it first.")
@_limit
@_json
@click.pass_context
def jobs(ctx: click.Context, status: str | None, limit: int, as_json: bool) -> int:
    """Look at jobs: of all shops by --status, of one by list, one by get; cancel one; sweep."""
    if ctx.invoked_subcommand is not None:
        return 0
    if status is None:
        raise click.UsageError("Give --status, or one of the commands list, get, cancel and sweep.")
    return _show_jobs(_repository(ctx.obj()).all_jobs_by_status(JobStatus(status)), limit, as_json)


@jobs.command("list")
@click.argument("domain", metavar="SHOP")
@click.option("--status", type=_STATUSES, help="Only those in this status.")
@_limit
@_json
@click.pass_obj
def list_jobs(find: Find, domain: str, status: str | None, limit: int, as_json: bool) -> int:
    """List the jobs of SHOP, newest first."""
    repository = _repository(find())
    if status:
        return _show_jobs(repository.jobs_by_status(domain, JobStatus(status)), limit, as_json)
    return _show_jobs(repository.jobs(domain), limit, as_json)


@jobs.command("get")
@click.argument("domain", metavar="SHOP")
@click.argument("job_id", metavar="JOB")
@_json
@click.pass_obj
def get_job(find: Find, domain: str, job_id: str, as_json: bool) -> int:
    """Show the job JOB of SHOP, with the errors of its file."""
    job = _repository(find()).job(domain, job_id)
    if as_json:
        output.print_json(api_json.to_json(job))
        return 0
    table = output.table()
    table.show_header = False
    for name, value in (
        ("status", f"{job.status.value} since {clock.phoenix(job.status_since)}"),
        ("failure", " ".join(part for part in (job.failure, job.failure_detail) if part)),
        ("made", clock.phoenix(job.created_at)),
        ("mode, format", f"{job.mode.value if job.mode else ''}, {job.file_format.value}"),
        ("rows", f"{job.rows_read:,} read, {job.rows_failed:,} failed"),
        ("bytes", f"{job.bytes_read:,} read of {job.file_bytes or 0:,}"),
        ("attempt", str(job.attempt)),
        *((error.code, f"{error.count:,}, first in rows {_numbers(error.first_rows)}") for error in job.errors),
    ):
        table.add_row(name, output.plain(value))
    output.show(table, f"{job.shop_domain} {job.job_id}")
    return 0


@jobs.command("cancel")
@click.argument("domain", metavar="SHOP")
@click.argument("job_id", metavar="JOB")
@click.pass_obj
def cancel_job(find: Find, domain: str, job_id: str) -> int:
    """Call the job JOB of SHOP off. Its worker, if it has one, stops within seconds."""
    job = _jobs(find()).cancel(domain, job_id)
    click.echo(f"{job.job_id} is {job.status.value}.")
    return 0


@jobs.command("sweep")
@click.pass_obj
def sweep_jobs(find: Find) -> int:
    """Give up the jobs that lost their worker or never got their file, as the schedule does."""
    for failure, count in _jobs(find()).sweep().items():
        click.echo(f"{failure}: {count}")
    return 0


@shuttle.command()
@click.argument("domain", required=False, metavar="[SHOP]")
@click.option("--from", "first", type=_DAY, help="The first day; 30 days before the last if not given.")
@click.option("--to", "last", type=_DAY, help="The last day; today if not given.")
@click.option("--month", metavar="2026-01", help="A month of SHOP or, without SHOP, of all shops.")
@_limit
@_json
@click.pass_obj
def usage(
    find: Find,
    *,
    domain: str | None,
    first: datetime | None,
    last: datetime | None,
    month: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """Show the usage of SHOP by day; without SHOP, of all shops on the day --to or in --month."""
    repository = _repository(find())
    begin, end = api_json.read_days(_day(first), _day(last), clock.utc_now().date())
    found: Iterator[UsageDaily] | Iterator[UsageMonthly]
    if month:
        found = repository.monthly_usage(domain, month, month) if domain else repository.all_usage_of_month(month)
    else:
        found = repository.daily_usage(domain, begin, end) if domain else repository.all_usage_of_day(end)
    counters = [field.name for field in dataclasses.fields(UsageCounters)]
    table = output.table("shop", "of", *(name.replace("_", " ") for name in counters))

    def add(row: UsageDaily | UsageMonthly) -> None:
        of = row.day.isoformat() if isinstance(row, UsageDaily) else row.month
        table.add_row(output.plain(row.shop_domain), of, *(f"{getattr(row, name):,}" for name in counters))

    return _show(found, limit, add, None if as_json else table, "rows")


def _install(deployment: Deployment, domain: str, plan: Plan, billing: BillingState) -> None:
    registry = Registry(deployment.client("dynamodb"), _table(deployment))
    shop = Shop(shop_domain=domain, plan=plan, billing_state=billing, installed_at=clock.utc_now())
    if not registry.install(shop):
        registry.change_plan(domain, plan, billing)


def _table(deployment: Deployment) -> str:
    return deployment.environment("shuttle", ShuttleEnvironment).shuttle_table_name


def _repository(deployment: Deployment) -> Repository:
    return Repository(deployment.client("dynamodb"), _table(deployment))


def _jobs(deployment: Deployment) -> Jobs:
    return Jobs(deployment.client("dynamodb"), _table(deployment))


def _show_jobs(found: Iterator[Job] | Iterator[JobSummary], limit: int, as_json: bool) -> int:
    table = output.table("shop", "job", "status", "since", "made", "failure")

    def add(job: Job | JobSummary) -> None:
        times = (clock.phoenix(moment) for moment in (job.status_since, job.created_at))
        table.add_row(output.plain(job.shop_domain), job.job_id, job.status.value, *times, job.failure or "")

    return _show(found, limit, add, None if as_json else table, "jobs")


def _show(found: Iterator[Any], limit: int, add: Callable[[Any], None], table: Any, what: str) -> int:
    """Print the first rows: as JSON without a table, else in ``table``, which ``add`` fills."""
    if table is None:
        for row in islice(found, limit):
            output.print_json(api_json.to_json(row))
        return 0
    shown = 0
    for row in islice(found, limit):
        add(row)
        shown += 1
    output.out().print(table)
    more = next(found, None) is not None
    output.err().print(f"The first {shown} {what}; there are more: raise --limit." if more else f"{shown} {what}.")
    return 0


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else moment.date().isoformat()


def _numbers(rows: Iterable[int]) -> str:
    return ", ".join(map(str, rows))
