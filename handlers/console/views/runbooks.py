"""Runbooks, and the other pages of docs/, with this deployment's names in their commands."""

from pathlib import Path

import flask
from werkzeug.security import safe_join

from handlers.console.context import current
from handlers.console.markdown import render
from lib.platform import errors

pages = flask.Blueprint("runbooks", __name__)
MOST_CHARACTERS = 200
"""The longest name of a page."""
_DOCS = Path(__file__).resolve().parents[3] / "docs"


@pages.get("/runbooks")
def show() -> str:
    """The list of runbooks."""
    return page("runbooks/README")


@pages.get("/docs/<path:name>")
def page(name: str) -> str:
    """One page of docs/."""
    path = safe_join(str(_DOCS), f"{name}.md")
    if path is None or len(name) > MOST_CHARACTERS or not Path(path).is_file():
        raise errors.NotFoundError(f"there is no page {name[:80]} in docs/")
    text = Path(path).read_text(encoding="utf-8")
    title, _, rest = text.removeprefix("# ").partition("\n")
    content = render(rest, name, current().names(), lambda each: flask.url_for("runbooks.page", name=each))
    return flask.render_template("page.html", title=title, content=content)
