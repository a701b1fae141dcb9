"""Home: what needs a person first, then the parts of the deployment; and where the search field leads."""

import re
from concurrent.futures import ThreadPoolExecutor

import flask
from werkzeug import Response

from handlers.console.context import Console, current
from lib.jira import issues
from lib.operations.findings import Finding, Verdict
from lib.operations.flows import FlowSummary
from lib.operations.status import StatusReader
from lib.platform import errors

pages = flask.Blueprint("home", __name__)

_VIEWS = {
    "dead letters": "dead_letters.show",
    "drafts": "approvals.show",
    "jobs": "jobs.show",
    "projects": "issues.show",
    "queues": "events.show",
}
"""Where the findings of a part are shown one by one."""
_RUNBOOKS = {
    "approvals": "approvals",
    "changes": "reconciliation",
    "health": "health_smoke",
    "shuttle-sweep": "jobs",
    "sweep": "reconciliation",
}
"""The runbook of each schedule."""
_RUNBOOK = re.compile(r"(runbooks/)?(?P<page>[\w-]+)\.md(?P<anchor>#[\w-]+)?$")


@pages.get("/")
def show() -> str:
    """Everything that ``status`` shows, and the last 24 hours of each flow."""
    console = current()
    with ThreadPoolExecutor(1) as beside:
        flows = beside.submit(_flows, console)
        status = StatusReader(console.deployed, now=console.now).read()
    needed = [finding for finding in status.findings if finding.verdict is not Verdict.OK]
    return flask.render_template("home.html", status=status, needed=needed, flows=flows.result(), url_of=_url_of)


@pages.get("/find")
def find() -> Response:
    """The page of what the text names, or else its trace."""
    text = flask.request.args.get("q", "").strip()
    if not text:
        return flask.redirect(flask.url_for("home.show"), 303)
    if issues.is_issue_key(text.upper()):
        return flask.redirect(flask.url_for("issues.issue", key=text.upper()), 303)
    return flask.redirect(flask.url_for("trace.show", id=text), 303)


def _flows(console: Console) -> tuple[FlowSummary, ...] | str:
    """What each flow did, or why that can't be read: the page shows the rest anyway."""
    try:
        return console.flows.read(console.deployed.client("cloudwatch"), console.now())
    except errors.SwitchboardError as error:
        return str(error)


def _url_of(finding: Finding) -> str:
    """The page that explains or fixes a finding: a runbook, or what it is about; empty if there is none."""
    values = finding.values
    runbook = _RUNBOOK.search(str(values.get("runbook") or ""))
    if runbook:
        return flask.url_for("runbooks.page", name=f"runbooks/{runbook['page']}") + (runbook["anchor"] or "")
    if finding.part == "schedules" and values.get("schedule") in _RUNBOOKS:
        return flask.url_for("runbooks.page", name=f"runbooks/{_RUNBOOKS[values['schedule']]}")
    if len(values.get("sessions", ())) == 1:
        return flask.url_for("approvals.draft", session_id=values["sessions"][0])
    if "project" in values:
        return flask.url_for("issues.project", project=values["project"])
    view = _VIEWS.get(finding.part, "")
    return flask.url_for(view) if view else ""
