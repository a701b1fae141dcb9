"""Asks before each change, saying what it will do, and logs the change with the ARN of the person.

A view of a change has one URL for GET and POST::

    if request.method == "GET":
        return confirmation.ask("Retry this draft?", "Switchboard creates the issue …", button="Retry", back=url)
    with confirmation.change("approvals.retry", session=session_id):
        retry_session(…)
    return confirmation.done("The draft is retried.", url)
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import flask
from markupsafe import Markup
from werkzeug import Response
from werkzeug.exceptions import Forbidden

from handlers.console.context import current


def ask(
    title: str,
    *effects: str,
    button: str,
    back: str,
    command: str = "",
    hidden: Mapping[str, str] | None = None,
    extra: Markup | str = "",
) -> str:
    """The page that asks before a change. Its form is sent to the same URL.

    Args:
        title: the question.
        effects: sentences that say what will happen.
        button: the verb on the button.
        back: where "Cancel" leads.
        command: the command line that does the same, without ``python -m handlers.cli``.
        hidden: form fields to send along.
        extra: more form fields, as HTML.
    """
    return flask.render_template(
        "confirm.html",
        title=title,
        effects=effects,
        button=button,
        back=back,
        command=command,
        hidden=hidden or {},
        extra=extra,
    )


@contextmanager
def change(action: str, **about: Any) -> Iterator[None]:
    """Make a change, and log ``console_change`` with the person's ARN, or ``console_change_failed``.

    Args:
        action: what is done, ``approvals.retry``.
        about: what it is done to; no payloads.

    Raises:
        Forbidden: the console is read-only.
        SwitchboardError: AWS can't identify the person.
    """
    console = current()
    if not console.allow_writes:
        raise Forbidden(f"This console is read-only; to allow changes, start it with: {console.command} --allow-writes")
    person = console.person()
    try:
        yield
    except Exception as error:
        console.logger.error("console_change_failed", error, action=action, person=person, **about)
        raise
    console.logger.info("console_change", action=action, person=person, **about)


def done(sentence: str, url: str) -> Response:
    """Go to ``url`` and show ``sentence`` there once."""
    answer = flask.redirect(url, 303)
    answer.set_cookie(_notice_cookie(), sentence[:300], max_age=60, httponly=True, samesite="Strict")
    return answer


def notice() -> str:
    """The sentence of the change that led to this page, which shows it; empty if none did."""
    sentence = flask.request.cookies.get(_notice_cookie(), "")
    flask.g.shows_notice = bool(sentence)
    return sentence


def clear_notice(response: Response) -> Response:
    """Forget the sentence once a page has shown it."""
    if flask.g.get("shows_notice"):
        response.delete_cookie(_notice_cookie(), httponly=True, samesite="Strict")
    return response


def _notice_cookie() -> str:
    """The name of the cookie. It has the port, since browsers share cookies between ports."""
    return f"switchboard_notice_{flask.request.environ.get('SERVER_PORT')}"
