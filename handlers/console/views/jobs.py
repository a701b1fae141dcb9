"""Jobs: the jobs of all shops, one job, and one shop with its plan and its catalogue."""

from typing import Any

import flask
from flask import request
from werkzeug import Response

from handlers.console import confirmation
from handlers.console.context import current
from lib.operations.ages import parse_age
from lib.operations.paging import page_of
from lib.operations.shuttle_report import changes_of, jobs_of, noting, page_of_all_jobs, report_job, report_shop
from lib.platform.environment.shuttle import ShuttleEnvironment
from lib.platform.fields import require_choice
from lib.platform.wording import counted
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.catalogue.versions import VERSIONS_KEPT
from lib.shuttle.jobs.job import JobStatus
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.repository import Repository

pages = flask.Blueprint("jobs", __name__)


@pages.get("/jobs")
def show() -> str | Response:
    """The jobs of all shops by status and age. A shop leads to its own page."""
    status, shop, after = (request.args.get(name, "").strip() for name in ("status", "shop", "after"))
    if shop:
        return flask.redirect(flask.url_for("jobs.shop", domain=shop, status=status or None), 303)
    age, oldest_first = request.args.get("age", ""), request.args.get("order") == "oldest"
    problems: list[str] = []
    found = page_of_all_jobs(
        _repository(),
        (_status(status),) if status else tuple(JobStatus),
        until=current().now() - parse_age(age) if age else None,
        newest_first=not oldest_first,
        cursor=after,
        skip=noting(problems),
    )
    return flask.render_template(
        "jobs.html",
        found=found,
        problems=problems,
        statuses=[(each.value, each.value) for each in JobStatus],
        status=status,
        age=age,
        oldest_first=oldest_first,
    )


@pages.get("/jobs/<domain>")
def shop(domain: str) -> str:
    """A shop: its plan, what it uses of it, its catalogue and its jobs."""
    status = request.args.get("status", "")
    report = report_shop(*_connection(), domain, now=current().now)
    jobs = jobs_of(_repository(), domain, _status(status) if status else None, after=request.args.get("after") or None)
    return flask.render_template(
        "shop.html",
        report=report,
        found=page_of(jobs, lambda job: job.job_id, 20),
        statuses=[(each.value, each.value) for each in JobStatus],
        status=status,
        versions_kept=VERSIONS_KEPT,
    )


@pages.get("/jobs/<domain>/<job_id>")
def job(domain: str, job_id: str) -> str:
    """A job: its progress, its errors, and what it changed."""
    deployed = current().deployed
    bucket = deployed.environment("shuttle", ShuttleEnvironment).import_bucket_name
    report = report_job(_repository(), deployed.client("s3"), bucket, domain, job_id)
    return flask.render_template("job.html", report=report, job=report.job, changes=changes_of(report.job))


@pages.route("/jobs/<domain>/<job_id>/cancel", methods=["GET", "POST"])
def cancel(domain: str, job_id: str) -> str | Response:
    """Cancel a job."""
    url = flask.url_for("jobs.job", domain=domain, job_id=job_id)
    if request.method == "GET":
        found = _repository().job(domain, job_id)
        return confirmation.ask(
            "Cancel this job?",
            f"The {found.kind.value.lower()} {job_id} of {domain}, which is {found.status.value}, ends as CANCELLED.",
            "If a worker runs it, the worker stops within seconds. The catalogue stays as it is.",
            "The shop gets its slot back. An import still counts for its day and month.",
            button="Cancel the job",
            back=url,
            command=f"shuttle jobs cancel {domain} {job_id}",
        )
    with confirmation.change("jobs.cancel", shop=domain, job=job_id):
        cancelled = Jobs(*_connection()).cancel(domain, job_id)
    return confirmation.done(f"{cancelled.job_id} is {cancelled.status.value}.", url)


@pages.route("/jobs/<domain>/rollback/<int:version>", methods=["GET", "POST"])
def rollback(domain: str, version: int) -> str | Response:
    """Make a new version of a shop's catalogue that equals an older one."""
    store, url = CatalogueStore(*_connection()), flask.url_for("jobs.shop", domain=domain)
    if request.method == "GET":
        present, wanted = _repository().catalogue(domain), store.version(domain, version)
        return confirmation.ask(
            f"Roll the catalogue back to version {version}?",
            f"The catalogue of {domain} gets a new version {present.version + 1} with the {counted(wanted.rows, 'row')} of "
            f"version {version}.",
            f"Version {present.version}, the current one with {counted(present.rows, 'row')}, is kept and can be restored.",
            "The event about it is published by the next sweep.",
            button="Roll back",
            back=url,
            command=f"shuttle rollback {domain} --version {version}",
        )
    with confirmation.change("jobs.rollback", shop=domain, version=version):
        restored, event = store.rollback(domain, version)
    if event is None:
        return confirmation.done(f"Nothing was changed: the current version {restored.version} has these rows already.", url)
    return confirmation.done(f"Version {restored.version} is the current one, with the rows of version {version}.", url)


def _status(text: str) -> JobStatus:
    return require_choice(text, "status", JobStatus)


def _connection() -> tuple[Any, str]:
    console = current()
    return console.deployed.client("dynamodb"), console.deployed.output("shuttle_table_name")


def _repository() -> Repository:
    return Repository(*_connection(), current().now)
