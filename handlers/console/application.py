"""Makes the console's Flask application: pages, templates, error pages."""

import importlib
from dataclasses import dataclass
from typing import Any

import flask
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from handlers.cli.errors import explain
from handlers.console import confirmation, filters, messages
from handlers.console.context import Console
from handlers.console.security import Gate
from lib.platform import errors, log

MAX_FORM_BYTES = 6 * 1024 * 1024
"""The playground uploads files of up to 5 MiB."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the navigation.

    Attributes:
        view: the name of its module in handlers/console/views, and of the blueprint ``pages`` there.
        title: its text in the navigation.
        key: the key that opens it, pressed after ``g``.
        local_only: whether it exists for a local cloud only.
    """

    view: str
    title: str
    key: str
    local_only: bool = False


PAGES = (
    Page("home", "Home", "h"),
    Page("events", "Events", "e"),
    Page("issues", "Issues", "i"),
    Page("leases", "Leases", "l"),
    Page("approvals", "Approvals", "a"),
    Page("jobs", "Jobs", "j"),
    Page("dead_letters", "Dead letters", "d"),
    Page("runbooks", "Runbooks", "r"),
    Page("trace", "Trace", "t"),
    Page("playground", "Playground", "p", local_only=True),
)
"""The pages, in the order of the navigation. The first is the start page."""


def create_app(console: Console, gate: Gate) -> flask.Flask:
    """The application of one console."""
    app = flask.Flask("handlers.console", static_folder="static", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = MAX_FORM_BYTES
    app.extensions["console"] = console
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.undefined = StrictUndefined
    filters.register(app, console.now)
    messages.register(app.jinja_env)
    gate.protect(app)
    listed = [page for page in PAGES if console.is_local or not page.local_only]
    for page in listed:
        app.register_blueprint(importlib.import_module(f"handlers.console.views.{page.view}").pages)
    app.context_processor(lambda: {"console": console, "navigation": listed, "notice": confirmation.notice})
    app.after_request(confirmation.clear_notice)
    app.register_error_handler(HTTPException, _show_http_error)
    app.register_error_handler(Exception, _show_error)
    return app


def _show_http_error(error: HTTPException) -> Any:
    return flask.render_template("error.html", title=error.name, sentence=error.description), error.code or 500


def _show_error(error: Exception) -> Any:
    """An error of AWS or of Switchboard as a sentence. A defect is logged with its stack trace."""
    sentence = log.scrub(explain(error))
    if isinstance(error, errors.SwitchboardError):
        status = errors.http_answer(error).status
    else:
        status = 500
        flask.current_app.extensions["console"].logger.defect("console_request_failed", error, path=flask.request.path)
    title = "Not found" if status == 404 else "This can't be done" if status < 500 else "This can't be read now"
    return flask.render_template("error.html", title=title, sentence=f"{sentence[:1].upper()}{sentence[1:]}."), status
