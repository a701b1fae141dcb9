"""The Shuttle function: the HTTP API of shops and their jobs, the worker behind the job queue, and the sweep by the clock.

::

    POST …/jobs ─► job QUEUED, links ─► the shop uploads ─► bucket ─► queue ─► here again: the import runs to its end
    schedule    ─► sweep: jobs that lost their worker or never got their file are given up

Who may call for which shop is decided by IAM on the path (docs/security.md, "Shuttle"). Each request then works through a
client that reaches no other shop's rows than that of its path.
"""

import functools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import flask
from flask import request

from lib.platform import aws, clock, errors, gc_tuning, metrics
from lib.platform.environment import ShuttleEnvironment
from lib.platform.log import Logger
from lib.platform.sqs_batch import Record, read_batch
from lib.shuttle import api, keys
from lib.shuttle.imports.files import S3Objects
from lib.shuttle.imports.uploads import LINK_SECONDS, Uploads
from lib.shuttle.jobs.job import Job, JobStatus, JobSummary
from lib.shuttle.jobs.lifecycle import JobBusyError, Jobs
from lib.shuttle.jobs.transitions import IllegalTransitionError
from lib.shuttle.registry import Registry
from lib.shuttle.repository import Repository
from lib.shuttle.tenancy import TenantClient
from lib.web import application, wsgi

if TYPE_CHECKING:
    from lib.shuttle.imports.worker import Importer

MAX_VERSIONS = 100
"""How many versions of a schema are shown at most, the newest first."""

_environment = ShuttleEnvironment.read()
_logger = Logger("shuttle")
_dynamodb = aws.make_client("dynamodb")
_all_jobs = Jobs(_dynamodb, _environment.shuttle_table_name)
app = application.make_app("shuttle", _logger)
_shop_routes = flask.Blueprint("shop", __name__, url_prefix="/shuttle/shops/<domain>")


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an HTTP request, work through messages of the job queue, or sweep (``{"mode": "sweep"}``).

    Raises:
        InvalidInputError: the event is none of these.
    """
    if wsgi.form_of(event) is not None:
        return wsgi.respond(app, event, context)
    _logger.start_run(str(context.aws_request_id))
    if isinstance(event, dict) and event.get("mode") == "sweep":
        return _sweep()
    if isinstance(event, dict) and isinstance(event.get("Records"), list):
        return _work(read_batch(event), context)
    raise errors.InvalidInputError("the event is no HTTP request, no batch of the job queue and no sweep")


# HTTP


@dataclass(frozen=True, slots=True)
class _Shop:
    """The ways to one shop's rows, and to no other's."""

    domain: str
    repository: Repository
    jobs: Jobs
    registry: Registry


def _shop(domain: str) -> _Shop:
    table = _environment.shuttle_table_name
    client = TenantClient(_dynamodb, table, domain)
    return _Shop(domain, Repository(client, table), Jobs(client, table), Registry(client, table))


# The two routes of the shop itself are no shop's own: what a shop is granted begins with the slash behind its domain. So they
# answer to their very path, and with a slash behind it to nobody (docs/security.md, "The path of a shop").


@_shop_routes.get("", strict_slashes=True)
def show_shop(domain: str) -> flask.Response:
    """The shop."""
    return flask.jsonify(shop=api.to_json(_shop(domain).repository.shop(domain)))


@_shop_routes.put("", strict_slashes=True)
def put_shop(domain: str) -> tuple[flask.Response, int]:
    """Install a shop, or change its plan, billing state, settings and feature limits. For operators, not for shops."""
    shop = api.shop(domain, _body(), clock.utc_now())
    registry = _shop(domain).registry
    installed = registry.install(shop)
    stored = shop if installed else registry.reconfigure(shop)
    return flask.jsonify(shop=api.to_json(stored), installed=installed), 200


@_shop_routes.post("/jobs")
def create_job(domain: str) -> tuple[flask.Response, int]:
    """Begin an import. The same ``client_token`` within a day is the same job and upload, with new links while it waits."""
    shop = _shop(domain)
    body = _body()
    order = api.job_order(body, shop.repository.shop(domain).settings.default_mode, lambda: uuid.uuid4().hex)
    job = shop.jobs.create(domain, order)
    metrics.count("JobCreated")
    _logger.info("job_created", shop_domain=domain, job_id=job.job_id, file_bytes=order.file_bytes)
    upload = _uploads().begin(job, shop.jobs) if job.status is JobStatus.QUEUED else None
    return flask.jsonify(job=api.job_to_json(job), upload=api.upload_to_json(upload)), 202


@_shop_routes.post("/jobs/<job_id>/upload")
def complete_upload(domain: str, job_id: str) -> tuple[flask.Response, int]:
    """Put the parts of a multipart upload together, which starts the import."""
    upload_id, parts = api.completed_upload(_body())
    repository = _shop(domain).repository
    job = repository.job(domain, job_id)
    if job.status.is_final:
        raise IllegalTransitionError(job.status, JobStatus.PROCESSING)
    _uploads().complete(job, upload_id, parts)
    return flask.jsonify(job=api.job_to_json(job)), 202


@_shop_routes.get("/jobs")
def list_jobs(domain: str) -> flask.Response:
    """Jobs, newest first, or those in a status in no particular order. ``next`` is the ``after`` of the following page."""
    limit = api.page_size(request.args.get("limit"))
    page = list(islice(_jobs(_shop(domain).repository, domain, limit + 1), limit + 1))
    following = page[limit - 1].job_id if len(page) > limit else None
    return flask.jsonify(jobs=[api.job_to_json(job) for job in page[:limit]], next=following)


def _jobs(repository: Repository, domain: str, page_size: int) -> Iterator[Job | JobSummary]:
    status, start, end, after = (request.args.get(name) for name in ("status", "from", "to", "after"))
    if status is not None:
        if start is not None or end is not None:
            raise errors.InvalidInputError("jobs are found by status or by dates, not by both")
        return repository.jobs_by_status(domain, api.one_of(JobStatus, status, "status"), after=after, page_size=page_size)
    if start is None and end is None:
        return repository.jobs(domain, after=after, page_size=page_size)
    first, last = api.span(start, end, clock.utc_now())
    return repository.jobs_between(domain, first, last, after=after, page_size=page_size)


@_shop_routes.get("/jobs/<job_id>")
def show_job(domain: str, job_id: str) -> flask.Response:
    """One job."""
    return flask.jsonify(job=api.job_to_json(_shop(domain).repository.job(domain, job_id)))


@_shop_routes.post("/jobs/<job_id>/cancel")
def cancel_job(domain: str, job_id: str) -> flask.Response:
    """Call a job off. Its worker, if it has one, stops within seconds."""
    job = _shop(domain).jobs.cancel(domain, job_id)
    if job.upload_id is not None:
        _uploads().abort(job)
    return flask.jsonify(job=api.job_to_json(job))


@_shop_routes.get("/jobs/<job_id>/report")
def show_report(domain: str, job_id: str) -> flask.Response:
    """A link to what was wrong, row by row."""
    job = _shop(domain).repository.job(domain, job_id)
    if not job.has_report:
        raise errors.NotFoundError("the job has no error report")
    return flask.jsonify(url=_uploads().report_link(domain, job_id), expires_in_seconds=LINK_SECONDS)


@_shop_routes.get("/usage")
def show_usage(domain: str) -> flask.Response:
    """Usage by day, and by month of these days."""
    repository = _shop(domain).repository
    first, last = api.days(request.args.get("from"), request.args.get("to"), clock.utc_now().date())
    return flask.jsonify(
        days=[api.to_json(day) for day in repository.daily_usage(domain, first, last)],
        months=[api.to_json(month) for month in repository.monthly_usage(domain, f"{first:%Y-%m}", f"{last:%Y-%m}")],
    )


@_shop_routes.get("/schema")
def show_schema(domain: str) -> flask.Response:
    """What the shop's files must look like."""
    return flask.jsonify(schema=api.to_json(_shop(domain).repository.current_schema(domain)))


@_shop_routes.put("/schema")
def put_schema(domain: str) -> flask.Response:
    """Make a new version of the schema the current one."""
    shop = _shop(domain)
    columns, replaces = api.schema_columns(_body())
    shop.repository.shop(domain)  # a schema of nobody would lie there for ever
    saved = shop.registry.save_schema(domain, columns, _version(shop) if replaces is None else replaces)
    return flask.jsonify(schema=api.to_json(saved))


def _version(shop: _Shop) -> int:
    try:
        return shop.repository.current_schema(shop.domain).version
    except errors.NotFoundError:
        return 0


@_shop_routes.get("/schema/versions")
def show_versions(domain: str) -> flask.Response:
    """The versions of the schema, newest first."""
    history = _shop(domain).repository.schema_history(domain, page_size=MAX_VERSIONS)
    return flask.jsonify(versions=[api.to_json(schema) for schema in islice(history, MAX_VERSIONS)])


app.register_blueprint(_shop_routes)


def _body() -> Any:
    return application.json_body(request.get_data())


# The queue


def _work(messages: list[Record], context: Any) -> dict[str, Any]:
    """Run the imports that messages tell of; the answer names the messages that must come again."""
    failed = [message.id for message in messages if not _done(message, context)]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _done(message: Record, context: Any) -> bool:
    try:
        for domain, job_id in _uploaded(message.body):
            _import(domain, job_id, context)
    except JobBusyError as error:
        _logger.warning("import_busy", reason=str(error))
        return False
    except errors.SwitchboardError as error:
        _logger.error("import_failed", error)
    except Exception as error:  # the message's defect: it ends in the dead-letter queue, and the function goes on
        _logger.defect("import_failed", error)
    else:
        return True
    metrics.count("ImportFailed")
    return False


def _uploaded(body: str) -> list[tuple[str, str]]:
    """The jobs whose files an S3 event tells of. S3 also sends a test when its notifications are set up."""
    told = application.json_body(body.encode())
    if isinstance(told, dict) and told.get("Event") == "s3:TestEvent":
        return []
    try:
        names = [unquote_plus(record["s3"]["object"]["key"]) for record in told["Records"]]
    except (KeyError, TypeError, AttributeError):  # AttributeError: a key that is no text
        raise errors.InvalidInputError("the message is no event of the import bucket") from None
    return [keys.parse_upload_object(name) for name in names]


def _import(domain: str, job_id: str, context: Any) -> None:
    started = clock.monotonic()
    status = _importer().run(domain, job_id, lambda: context.get_remaining_time_in_millis() / 1000)
    seconds = clock.monotonic() - started
    metrics.count("ImportRun", status=status.value)
    metrics.milliseconds("ImportDurationMs", seconds * 1000)
    _logger.info("import_run", shop_domain=domain, job_id=job_id, status=status.value, seconds=round(seconds, 3))


# The clock


def _sweep() -> dict[str, Any]:
    given_up = dict(_all_jobs.sweep())
    for failure, count in given_up.items():
        if count:
            metrics.count("JobGivenUp", count, failure=failure)
    metrics.count("JobSweep")
    _logger.info("jobs_swept", given_up=given_up)
    return {"given_up": given_up}


# What most requests do without, made when it is first needed: S3's client is half of what there is to make.


@functools.cache
def _s3() -> Any:
    return aws.make_client("s3", read_timeout_seconds=10)


@functools.cache
def _uploads() -> Uploads:
    return Uploads(_s3(), _environment.import_bucket_name, _logger)


@functools.cache
def _importer() -> "Importer":
    from lib.shuttle.imports.worker import Importer  # noqa: PLC0415 - see above

    repository = Repository(_dynamodb, _environment.shuttle_table_name)
    return Importer(repository, _all_jobs, S3Objects(_s3(), _environment.import_bucket_name))


gc_tuning.end()
