"""Home: what needs a person."""

import flask
from werkzeug import Response

from handlers.console.context import current
from lib.jira import issues
from lib.operations.status import StatusReader

pages = flask.Blueprint("home", __name__)


@pages.get("/")
def show() -> str:
    """What needs a person, first; then everything else."""
    console = current()
    return flask.render_template("home.html", status=StatusReader(console.deployed, now=console.now).read())


@pages.get("/find")
def find() -> Response:
    """Where the search field leads: to the page of what the text names, or else to its trace."""
    text = flask.request.args.get("q", "").strip()
    if not text:
        return flask.redirect(flask.url_for("home.show"), 303)
    if issues.is_issue_key(text.upper()) and "issues" in flask.current_app.blueprints:
        return flask.redirect(flask.url_for("issues.show", key=text.upper()), 303)
    return flask.redirect(flask.url_for("trace.show", id=text), 303)
