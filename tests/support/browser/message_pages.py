"""Pages with one message each, drawn by the console's functions under a Content-Security-Policy as strict as the console's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flask
import jinja2

from handlers.console import messages

CONSOLE = Path(messages.__file__).parent
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
PARTS = {
    "slack": "{{ slack_message(message, channel=channel, at=at) }}",
    "clickable": "{{ slack_message(message, action='/clicks', hidden={'csrf_token': 'token'}) }}",
    "teams": "{{ teams_card(message) }}",
    "mail": "{{ owner_mail(message, to='a***@sandbox.example') }}",
}
_PAGE = (
    """<!doctype html><html lang="en"><title>Message</title><meta name="viewport" content="width=device-width">
{% for sheet in ("slack", "teams", "mail") %}<link rel="stylesheet" href="/static/{{ sheet }}.css">{% endfor %}
<main>"""
    + "{}"
    + "</main></html>"
)


def application(pages: Mapping[str, tuple[str, Mapping[str, Any]]]) -> flask.Flask:
    """A site of messages: by path, the part of :data:`PARTS` that draws it and its values."""
    app = flask.Flask(__name__, template_folder=str(CONSOLE / "templates"), static_folder=str(CONSOLE / "static"))
    app.jinja_env.undefined = jinja2.StrictUndefined  # as in the console
    messages.register(app.jinja_env)

    @app.get("/favicon.ico")
    def icon() -> tuple[str, int]:
        return "", 204

    @app.get("/<name>")
    def page(name: str) -> str:
        part, values = pages[name]
        return flask.render_template_string(_PAGE.replace("{}", PARTS[part]), **values)

    @app.post("/clicks")
    def clicks() -> dict[str, str]:
        return flask.request.form.to_dict()

    @app.after_request
    def protect(answer: flask.Response) -> flask.Response:
        answer.headers["Content-Security-Policy"] = POLICY
        return answer

    return app


def draw(part: str, message: Any) -> str:
    """The HTML of one message."""
    app = application({})
    with app.test_request_context():
        return flask.render_template_string(PARTS[part], message=message, channel="", at="")
