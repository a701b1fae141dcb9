"""The routes below ``/shuttle/shops/<domain>``: shops, jobs and their uploads, usage, schemas.

Who may call for which shop is decided by IAM on the path (docs/security.md, "Shuttle"). Each request then works through a
client that reaches no other shop's rows than that of its path. This module imports Flask, so only the function that serves the
routes imports it.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import flask
from flask import request

from lib.platform import clock, contract, errors, fields, metrics
from lib.platform.log import Logger
from lib.shuttle import api_json
from lib.shuttle.imports.uploads import LINK_SECONDS, Uploads
from lib.shuttle.jobs.job import JobKind, JobStatus, JobSummary
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.transitions import IllegalTransitionError
from lib.shuttle.registry import Registry
from lib.shuttle.repository import Repository
from lib.shuttle.tenancy import TenantClient
from lib.shuttle.validation import require
from lib.web import application

MAX_VERSIONS = 100
"""How many versions of a schema are returned at most, the newest first."""

_ROUTES = (
    # A shop's grant begins with the slash after its domain; the shop itself is for operators. So the first two routes match
    # exactly this path, and not the one with a slash after it (docs/security.md, "The path of a shop").
    ("GET", "", "show_shop"),
    ("PUT", "", "put_shop"),
    ("POST", "/jobs", "create_job"),
    ("GET", "/jobs", "list_jobs"),
    ("GET", "/jobs/<job_id>", "show_job"),
    ("POST", "/jobs/<job_id>/upload", "complete_upload"),
    ("POST", "/jobs/<job_id>/cancel", "cancel_job"),
    ("GET", "/jobs/<job_id>/report", "show_report"),
    ("GET", "/usage", "show_usage"),
    ("GET", "/schema", "show_schema"),
    ("PUT", "/schema", "put_schema"),
    ("GET", "/schema/versions", "show_versions"),
)


@dataclass(frozen=True, slots=True)
class ShopAccess:
    """Reads and writes one shop's rows, and no other's."""

    repository: Repository
    jobs: Jobs
    registry: Registry


class ShuttleApi:
    """Answers Shuttle's HTTP requests.

    Args:
        dynamodb: a DynamoDB client.
        table_name: the Shuttle table.
        uploads: makes the links into the import bucket; called only by requests that need them.
        logger: of the function.
    """

    def __init__(self, dynamodb: Any, table_name: str, uploads: Callable[[], Uploads], logger: Logger) -> None:
        self._dynamodb = dynamodb
        self._table_name = table_name
        self._uploads = uploads
        self._logger = logger

    def blueprint(self) -> flask.Blueprint:
        """All routes, for a Flask application."""
        blueprint = flask.Blueprint("shop", __name__, url_prefix="/shuttle/shops/<domain>")
        for method, rule, view in _ROUTES:
            is_strict = None if rule else True  # None: as the application says
            blueprint.add_url_rule(rule, view_func=getattr(self, view), methods=[method], strict_slashes=is_strict)
        return blueprint

    def access(self, domain: str) -> ShopAccess:
        """The rows of one shop."""
        client = TenantClient(self._dynamodb, self._table_name, domain)
        table = self._table_name
        return ShopAccess(Repository(client, table), Jobs(client, table), Registry(client, table))

    def show_shop(self, domain: str) -> flask.Response:
        """The shop."""
        return flask.jsonify(shop=api_json.to_json(self.access(domain).repository.shop(domain)))

    def put_shop(self, domain: str) -> flask.Response:
        """Install a shop, or change its plan, billing state, settings and feature limits. For operators, not for shops."""
        shop = api_json.read_shop(domain, _body(), clock.utc_now())
        registry = self.access(domain).registry
        installed = registry.install(shop)
        stored = shop if installed else registry.reconfigure(shop)
        return flask.jsonify(shop=api_json.to_json(stored), installed=installed)

    def create_job(self, domain: str) -> tuple[flask.Response, int]:
        """Create an import. The same ``client_token`` within a day: the same job and upload, with new links while it waits."""
        access = self.access(domain)
        default_mode = access.repository.shop(domain).settings.default_mode
        order = api_json.read_order(domain, _body(), default_mode, uuid.uuid4().hex)
        require(order.kind is JobKind.IMPORT, "only IMPORT jobs can be created: exports are not supported yet")
        job = access.jobs.create(domain, order)
        metrics.count(contract.JOB_CREATED)
        self._logger.info("job_created", shop_domain=domain, job_id=job.job_id, file_bytes=order.file_bytes)
        upload = self._uploads().begin(job, access.jobs) if job.status is JobStatus.QUEUED else None
        return flask.jsonify(job=api_json.job_to_json(job), upload=upload and api_json.to_json(upload)), 202

    def complete_upload(self, domain: str, job_id: str) -> tuple[flask.Response, int]:
        """Complete a multipart upload, which starts the import."""
        upload_id, parts = api_json.read_completed_upload(_body())
        job = self.access(domain).repository.job(domain, job_id)
        if job.status.is_final:
            raise IllegalTransitionError(job.status, JobStatus.PROCESSING)
        self._uploads().complete(job, upload_id, parts)
        return flask.jsonify(job=api_json.job_to_json(job)), 202

    def list_jobs(self, domain: str) -> flask.Response:
        """Jobs, newest first; those in a status in no particular order. ``next`` is the ``after`` of the following page."""
        limit = api_json.read_page_size(request.args.get("limit"))
        page = list(islice(_find_jobs(self.access(domain).repository, domain, limit + 1), limit + 1))
        following = page[limit - 1].job_id if len(page) > limit else None
        return flask.jsonify(jobs=[api_json.job_to_json(job) for job in page[:limit]], next=following)

    def show_job(self, domain: str, job_id: str) -> flask.Response:
        """One job."""
        return flask.jsonify(job=api_json.job_to_json(self.access(domain).repository.job(domain, job_id)))

    def cancel_job(self, domain: str, job_id: str) -> flask.Response:
        """Cancel a job. Its worker, if it has one, stops within seconds."""
        job = self.access(domain).jobs.cancel(domain, job_id)
        if job.upload_id is not None:
            self._uploads().abort(job)
        return flask.jsonify(job=api_json.job_to_json(job))

    def show_report(self, domain: str, job_id: str) -> flask.Response:
        """A link to the errors of the job's file, row by row."""
        if not self.access(domain).repository.job(domain, job_id).has_report:
            raise errors.NotFoundError("the job has no error report")
        return flask.jsonify(url=self._uploads().report_link(domain, job_id), expires_in_seconds=LINK_SECONDS)

    def show_usage(self, domain: str) -> flask.Response:
        """Usage by day, and by the months of these days."""
        repository = self.access(domain).repository
        first, last = api_json.read_days(request.args.get("from"), request.args.get("to"), clock.utc_now().date())
        months = repository.monthly_usage(domain, f"{first:%Y-%m}", f"{last:%Y-%m}")
        return flask.jsonify(
            days=[api_json.to_json(day) for day in repository.daily_usage(domain, first, last)],
            months=[api_json.to_json(month) for month in months],
        )

    def show_schema(self, domain: str) -> flask.Response:
        """The current schema of the shop's files."""
        return flask.jsonify(schema=api_json.schema_to_json(self.access(domain).repository.current_schema(domain)))

    def put_schema(self, domain: str) -> flask.Response:
        """Make a new version of the schema the current one."""
        access = self.access(domain)
        order = api_json.read_schema(_body())
        access.repository.shop(domain)  # the schema of a shop that is not installed would stay forever
        replaces = _current_version(access.repository, domain) if order.replaces is None else order.replaces
        schema = access.registry.save_schema(
            domain, order.columns, replaces, key_columns=order.key_columns, status_column=order.status_column
        )
        return flask.jsonify(schema=api_json.schema_to_json(schema))

    def show_versions(self, domain: str) -> flask.Response:
        """The versions of the schema, newest first."""
        history = self.access(domain).repository.schema_history(domain, page_size=MAX_VERSIONS)
        return flask.jsonify(versions=[api_json.schema_to_json(schema) for schema in islice(history, MAX_VERSIONS)])


def _body() -> Any:
    return application.json_body(request.get_data())


def _find_jobs(repository: Repository, domain: str, page_size: int) -> Iterator[JobSummary]:
    status, start, end, after = (request.args.get(name) for name in ("status", "from", "to", "after"))
    if status is not None:
        if start is not None or end is not None:
            raise errors.InvalidInputError("jobs are found by status or by dates, not by both")
        wanted = fields.require_choice(status, "status", JobStatus)
        return repository.jobs_by_status(domain, wanted, after=after, page_size=page_size)
    if start is None and end is None:
        return repository.jobs(domain, after=after, page_size=page_size)
    first, last = api_json.read_span(start, end, clock.utc_now())
    return repository.jobs_between(domain, first, last, after=after, page_size=page_size)


def _current_version(repository: Repository, domain: str) -> int:
    try:
        return repository.current_schema(domain).version
    except errors.NotFoundError:
        return 0
