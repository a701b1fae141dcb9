"""The filters of the templates: format times, ages, numbers and JSON for pages."""

import json
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import flask
from markupsafe import Markup

from lib.operations.findings import duration
from lib.platform import clock, log
from lib.platform.wording import counted

MAX_TEXT_CHARACTERS = 100_000
"""A longer text is cut on a page."""


def when(moment: datetime | None) -> Markup:
    """An instant in Phoenix time, with UTC on hover."""
    if moment is None:
        return Markup('<span class="quiet">never</span>')
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        utc.isoformat(timespec="milliseconds"), f"{utc:%Y-%m-%d %H:%M:%S} UTC", clock.phoenix(moment)[:19].replace("T", " ")
    )


def age(moment: datetime | None, now: datetime) -> Markup:
    """How long ago an instant was ("3 minutes ago") or how far ahead it is ("in 3 minutes"), with both times on hover."""
    if moment is None:
        return Markup('<span class="quiet">never</span>')
    utc = moment.astimezone(UTC)
    text = f"{duration(now - moment)} ago" if moment <= now else f"in {duration(moment - now)}"
    title = f"{clock.phoenix(moment)[:19].replace('T', ' ')} Phoenix, {utc:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(utc.isoformat(timespec="milliseconds"), title, text)


def masked(value: Any) -> str:
    """JSON for reading, without e-mail addresses and known shapes of secrets, cut to :data:`MAX_TEXT_CHARACTERS`.

    Args:
        value: JSON, or a text that may be JSON.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return _cut(log.scrub(value))
    return _cut(log.scrub(json.dumps(value, indent=2, ensure_ascii=False, default=str)))


def number(value: float) -> str:
    """A number with separators: 1,200."""
    return f"{value:,}"


def size(octets: int) -> str:
    """A number of bytes: "3 bytes", "1.2 kB", "45 MB"."""
    if octets < 1000:
        return counted(octets, "byte")
    amount, unit = (octets / 1e3, "kB") if octets < 1_000_000 else (octets / 1e6, "MB")
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:,.0f} {unit}"


def milliseconds(amount: float) -> str:
    """A duration: "45 ms", "1.2 s", "3 minutes"."""
    if amount < 1000:
        return f"{amount:,.0f} ms"
    return f"{amount / 1000:.1f} s" if amount < 120_000 else duration(timedelta(milliseconds=amount))


def query(values: Mapping[str, Any]) -> str:
    """The current URL's path and query with ``values`` in place of what it has; empty ones are left out."""
    # Not url_for: it would take names such as _scheme and _external out of the URL as its own options.
    args = {name: value for name, value in {**flask.request.args, **values}.items() if value not in ("", None)}
    return f"{quote(flask.request.path)}?{urlencode(args)}"


def link(view: str, **values: Any) -> str:
    """The URL of a view; empty if this console does not have it."""
    return flask.url_for(view, **values) if view in flask.current_app.view_functions else ""


def register(app: flask.Flask, now: clock.Clock) -> None:
    """Make these filters and functions available to the templates of ``app``."""
    app.jinja_env.filters.update(
        when=when,
        age=lambda moment: age(moment, now()),
        masked=masked,
        milliseconds=milliseconds,
        number=number,
        quoted=shlex.quote,
        scrubbed=log.scrub,
        size=size,
        phoenix=clock.phoenix,
        stored=clock.parse,
    )
    app.jinja_env.globals.update(counted=counted, with_query=lambda **values: query(values))


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    return f"{text[:MAX_TEXT_CHARACTERS]}\n… {counted(len(text) - MAX_TEXT_CHARACTERS, 'character')} more"
