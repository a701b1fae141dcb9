"""Trace: everything that is known about an id, in time order."""

import flask
from flask import request

from handlers.console.context import current
from lib.operations.ages import parse_age
from lib.operations.trace import Tracer, check_id

pages = flask.Blueprint("trace", __name__)


@pages.get("/trace")
def show() -> str:
    """The form, and the timeline of ``id``."""
    console, identifier = current(), request.args.get("id", "").strip()
    since = request.args.get("since", "7d")
    found = None
    if identifier:
        found = Tracer(console.deployed).trace(check_id(identifier), console.now() - parse_age(since))
    return flask.render_template("trace.html", identifier=identifier, since=since, found=found)
