"""Pages with one message each, drawn by the console's templates under a Content-Security-Policy as strict as the console's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flask

from handlers.console import slack_blocks

CONSOLE = Path(slack_blocks.__file__).parent
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
PARTS = {
    "slack": "{% import 'slack.html' as slack %}{{ slack.message(message, channel=channel, at=at) }}",
    "clickable": "{% import 'slack.html' as slack %}{% call slack.message(message, action='/clicks') %}"
    "<input type='hidden' name='csrf_token' value='token'>{% endcall %}",
    "teams": "{% import 'teams.html' as teams %}{{ teams.card(message) }}",
    "mail": "{% import 'mail.html' as mail %}{{ mail.mail(message, to='a***@sandbox.example') }}",
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
    slack_blocks.register(app.jinja_env)

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
