"""The routes of a shop's jobs: orders, uploads, and the links to what jobs made."""

import uuid
from collections.abc import Iterator
from itertools import islice

import flask
from flask import request

from lib.platform import clock, contract, errors, fields, metrics
from lib.shuttle import api_json
from lib.shuttle.api.services import Services, body
from lib.shuttle.entities import NO_KEY
from lib.shuttle.imports.uploads import LINK_SECONDS
from lib.shuttle.jobs.job import JobKind, JobStatus, JobSummary
from lib.shuttle.jobs.transitions import IllegalTransitionError
from lib.shuttle.repository import Repository
from lib.shuttle.validation import require


class JobViews:
    """Jobs, and their files."""

    routes = (
        ("POST", "/jobs", "create_job"),
        ("GET", "/jobs", "list_jobs"),
        ("GET", "/jobs/<job_id>", "show_job"),
        ("POST", "/jobs/<job_id>/upload", "complete_upload"),
        ("POST", "/jobs/<job_id>/cancel", "cancel_job"),
        ("GET", "/jobs/<job_id>/report", "show_report"),
        ("GET", "/jobs/<job_id>/changes", "show_changes"),
        ("GET", "/jobs/<job_id>/result", "show_result"),
    )

    def __init__(self, services: Services) -> None:
        self._services = services

    def create_job(self, domain: str) -> tuple[flask.Response, int]:
        """Create an import or an export, which starts at once. The same ``client_token`` within a day: the same job, with new
        links while an import waits for its file.
        """
        access = self._services.access(domain)
        default_mode = access.repository.shop(domain).settings.default_mode
        order = api_json.read_order(domain, body(), default_mode, uuid.uuid4().hex)
        is_import = order.kind is JobKind.IMPORT
        if is_import:
            _require_key(access.repository, domain)
        job = access.jobs.create(domain, order)
        metrics.count(contract.JOB_CREATED)
        self._services.logger.info("job_created", shop_domain=domain, job_id=job.job_id, file_bytes=order.file_bytes)
        upload = None
        if job.status is JobStatus.QUEUED and is_import:
            upload = self._services.uploads().begin(job, access.jobs)
        elif job.status is JobStatus.QUEUED:
            self._services.queue().start_export(job)
        return flask.jsonify(job=api_json.job_to_json(job), upload=upload and api_json.to_json(upload)), 202

    def complete_upload(self, domain: str, job_id: str) -> tuple[flask.Response, int]:
        """Complete a multipart upload, which starts the import."""
        upload_id, parts = api_json.read_completed_upload(body())
        job = self._services.access(domain).repository.job(domain, job_id)
        if job.status.is_final:
            raise IllegalTransitionError(job.status, JobStatus.PROCESSING)
        self._services.uploads().complete(job, upload_id, parts)
        return flask.jsonify(job=api_json.job_to_json(job)), 202

    def list_jobs(self, domain: str) -> flask.Response:
        """Jobs, newest first; those in a status in no particular order. ``next`` is the ``after`` of the following page."""
        limit = api_json.read_page_size(request.args.get("limit"))
        page = list(islice(_find_jobs(self._services.access(domain).repository, domain, limit + 1), limit + 1))
        following = page[limit - 1].job_id if len(page) > limit else None
        return flask.jsonify(jobs=[api_json.job_to_json(job) for job in page[:limit]], next=following)

    def show_job(self, domain: str, job_id: str) -> flask.Response:
        """One job."""
        return flask.jsonify(job=api_json.job_to_json(self._services.access(domain).repository.job(domain, job_id)))

    def cancel_job(self, domain: str, job_id: str) -> flask.Response:
        """Cancel a job. Its worker, if it has one, stops within seconds."""
        job = self._services.access(domain).jobs.cancel(domain, job_id)
        if job.upload_id is not None:
            self._services.uploads().abort(job)
        return flask.jsonify(job=api_json.job_to_json(job))

    def show_report(self, domain: str, job_id: str) -> flask.Response:
        """A link to the errors of the job's file, row by row."""
        if not self._services.access(domain).repository.job(domain, job_id).has_report:
            raise errors.NotFoundError("the job has no error report")
        return _link(self._services.uploads().report_link(domain, job_id))

    def show_changes(self, domain: str, job_id: str) -> flask.Response:
        """A link to the rows that an import changed, or in a dry run would change."""
        job = self._services.access(domain).repository.job(domain, job_id)
        if job.changes_key is None:
            raise errors.NotFoundError("the job has no changes: it is not an import that completed")
        return _link(self._services.uploads().changes_link(job, job.changes_key))

    def show_result(self, domain: str, job_id: str) -> flask.Response:
        """A link to the file that an export made."""
        job = self._services.access(domain).repository.job(domain, job_id)
        if job.result_key is None:
            raise errors.NotFoundError("the job has no result: it is not an export that completed")
        if clock.utc_now() - job.status_since >= contract.EXPORT_KEPT:
            raise errors.NotFoundError(f"the result was kept for {contract.EXPORT_KEPT.days} days: order the export again")
        return _link(self._services.uploads().result_link(job, job.result_key))


def _link(url: str) -> flask.Response:
    return flask.jsonify(url=url, expires_in_seconds=LINK_SECONDS)


def _require_key(repository: Repository, domain: str) -> None:
    """Refuse an import whose schema has no key. An import without a schema is accepted: the schema may be saved before its file
    arrives.
    """
    try:
        schema = repository.current_schema(domain)
    except errors.NotFoundError:
        return
    require(bool(schema.key_columns), NO_KEY)


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
