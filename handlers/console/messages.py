"""Messages as people saw them: in Slack, in Microsoft Teams and by mail, as HTML for the console's pages.

The content comes from outside and can have any shape. It is escaped, and what is not drawn is shown as a labelled box. The
caller masks personal data (:func:`lib.platform.log.scrub_json`). A page that shows a message includes the stylesheet of its
channel: static/slack.css, teams.css or mail.css.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from handlers.console.slack_text import safe_url, slack_text

# Not the application's environment, which refuses a missing value: here any value may be missing.
_ENVIRONMENT = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)


def register(environment: jinja2.Environment) -> None:
    """Let templates call the functions of this module."""
    environment.globals.update(slack_message=slack_message, teams_card=teams_card, owner_mail=owner_mail)


def slack_message(
    message: Any, *, channel: str = "", at: str = "", action: str = "", hidden: Mapping[str, str] | None = None
) -> Markup:
    """A message in Slack.

    Args:
        message: its ``text`` and ``blocks``, as chat.postMessage takes them.
        channel: its name, shown above the message.
        at: its time, as text.
        action: the URL that a click posts to, as a form: the button's value by its ``action_id``, and the inputs by their
            ``block_id``. Without it, buttons and inputs are disabled.
        hidden: further fields of that form, such as the CSRF token.
    """
    return _draw("slack.html", "message", message, channel, at, action, hidden or {})


def teams_card(card: Any) -> Markup:
    """A message in Microsoft Teams, from its Adaptive Card."""
    return _draw("teams.html", "card", card)


def owner_mail(personalisation: Any, *, to: str = "") -> Markup:
    """The mail to a lease's owner, from its fields ``title``, ``text`` and ``link``. GOV.UK Notify's template may arrange them
    differently. ``to`` is shown as it is given."""
    return _draw("mail.html", "mail", personalisation, to)


def _draw(template: str, macro: str, *arguments: Any) -> Markup:
    drawn: Markup = getattr(_ENVIRONMENT.get_template(template).module, macro)(*arguments)
    return drawn


def _as_list(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else []


_ENVIRONMENT.filters.update(slack_text=slack_text, safe_url=safe_url, as_list=_as_list)
