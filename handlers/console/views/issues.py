"""Issues: found by key or listed, one issue with its versions, and one project with its runs."""

from concurrent.futures import ThreadPoolExecutor

import flask
from flask import request
from werkzeug import Response

from handlers.console import confirmation
from handlers.console.context import current
from lib.jira.issue_reader import IssueReader
from lib.jira.issues import issue_key, project_key
from lib.jira.work_queue import WorkQueue
from lib.operations import resync
from lib.operations.ages import parse_age
from lib.operations.issue_fetch import request_fetch
from lib.operations.issue_list import IssueFilter, page_of_issues
from lib.operations.issue_report import report_issue
from lib.operations.issue_versions import artifacts_of, compare, content_of, moves_of, page_of_versions
from lib.platform.environment.reconciliation import ReconciliationEnvironment
from lib.platform.queues import Queue
from lib.platform.wording import counted

pages = flask.Blueprint("issues", __name__)


@pages.get("/issues")
def show() -> str | Response:
    """The live issues of a project, in a status or of an assignee. A key leads to its issue."""
    console, key = current(), _argument("key")
    if key:
        return flask.redirect(flask.url_for("issues.issue", key=key.upper()), 303)
    wanted = IssueFilter(project=_argument("project").upper(), status=_argument("status"), assignee=_argument("assignee"))
    return flask.render_template(
        "issues.html",
        wanted=wanted,
        found=page_of_issues(_reader(), wanted, _argument("after")) if wanted else None,
        watermarks={} if wanted else resync.read_watermarks(console.deployed),
    )


@pages.get("/issues/<key>")
def issue(key: str) -> str:
    """An issue: its state, its versions and what differs between two, its commits, its correlation and its moves."""
    deployed, reader = current().deployed, _reader()
    first, second, shown = _argument("first"), _argument("second"), _argument("version")
    with ThreadPoolExecutor(2) as pool:
        report = pool.submit(report_issue, deployed.client("dynamodb"), deployed.output("jira_issues_table_name"), key)
        versions = pool.submit(page_of_versions, reader, issue_key(key), _argument("after")).result()
    return flask.render_template(
        "issue.html",
        report=report.result(),
        issue=report.result().issue,
        versions=versions,
        moves=moves_of(report.result().issue, versions.rows),
        shown=shown,
        content=content_of(reader, artifacts_of(deployed), key, shown) if shown else "",
        compared=compare(reader, artifacts_of(deployed), key, first, second) if first and second else None,
    )


@pages.route("/issues/<key>/fetch", methods=["GET", "POST"])
def fetch(key: str) -> str | Response:
    """Have the worker fetch an issue from Jira again."""
    key = issue_key(key)
    url = flask.url_for("issues.issue", key=key)
    if request.method == "GET":
        return confirmation.ask(
            f"Fetch {key} from Jira again?",
            "The worker fetches the issue within seconds and stores it. A version with the same time is replaced.",
            "The correlation of the issue is computed again.",
            "If Jira does not have the issue, nothing changes: only reconciliation deletes issues.",
            button="Fetch from Jira",
            back=url,
            command=f"issues fetch {key}",
        )
    deployed = current().deployed
    with confirmation.change("issues.fetch", issue_key=key):
        queue_url = deployed.environment("reconciliation", ReconciliationEnvironment).jira_queue_url
        delivery = request_fetch(WorkQueue(Queue(deployed.client("sqs"), queue_url)), key)
    return confirmation.done(f"The worker fetches {key}, as the delivery {delivery}. It appears below within seconds.", url)


@pages.get("/issues/projects/<project>")
def project(project: str) -> str:
    """A project: counts, watermark and last runs."""
    since = _argument("since") or "24h"
    report = resync.report_project_runs(current().deployed, project_key(project), current().now() - parse_age(since))
    return flask.render_template("project.html", report=report, since=since)


@pages.route("/issues/projects/<project>/resync", methods=["GET", "POST"])
def start_resync(project: str) -> str | Response:
    """Start the reconciliation of a project."""
    console, url = current(), flask.url_for("issues.project", project=project)
    given = request.values.to_dict()
    full, dry_run, limit = given.get("mode") == "full", given.get("dry_run") == "yes", given.get("max_deletes", "").strip()
    # A limit of deletions that is not a number is refused by the function's own rules.
    event = resync.make_event(
        project_key(project), full=full, dry_run=dry_run, max_deletes=_whole(limit) if limit and full else None
    )
    if request.method == "GET":
        options = f"{' --full' if full else ''}{' --dry-run' if dry_run else ''}"
        options += f" --max-deletes {event['max_deletes']}" if "max_deletes" in event else ""
        return confirmation.ask(
            f"Reconcile {project}?",
            *_effects(full=full, dry_run=dry_run, max_deletes=event.get("max_deletes")),
            button="Reconcile",
            back=url,
            command=f"reconcile --project {project}{options}",
            hidden={name: given[name] for name in ("mode", "dry_run", "max_deletes") if name in given},
        )
    with confirmation.change("issues.resync", **event):
        run_id = resync.start(console.deployed.client("lambda"), console.deployed.function_name("reconciliation"), event)
    return confirmation.done("The run has started.", flask.url_for("issues.run", project=project, run_id=run_id))


@pages.get("/issues/projects/<project>/runs/<run_id>")
def run(project: str, run_id: str) -> str:
    """The progress of a run."""
    since = _argument("since") or "24h"
    found = resync.read_progress(current().deployed, project_key(project), run_id, current().now() - parse_age(since))
    return flask.render_template("run.html", project=project, run_id=run_id, progress=found, since=since)


def _effects(*, full: bool, dry_run: bool, max_deletes: int | None) -> list[str]:
    compared = "every issue of the project" if full else "the issues that changed in Jira since the watermark"
    effects = [f"The reconciliation function compares {compared} with what is stored. It may take minutes."]
    if dry_run:
        return [*effects, "It counts what would change, and changes nothing."]
    effects.append("It stores what differs, and has the correlation of these issues computed again.")
    if full:
        limit = "the configured limit" if max_deletes is None else counted(max_deletes, "issue")
        effects.append(f"It deletes stored issues that Jira no longer has, up to {limit}.")
    return effects


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else -1


def _argument(name: str) -> str:
    return request.args.get(name, "").strip()


def _reader() -> IssueReader:
    return IssueReader(current().deployed.client("dynamodb"), current().deployed.output("jira_issues_table_name"))
