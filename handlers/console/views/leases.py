"""Leases: what Switchboard did with each, and the schemas of their records."""

import flask
from flask import request
from werkzeug import Response

from handlers.console.context import current
from lib.operations.ages import parse_moment
from lib.operations.leases import LeaseReader
from lib.operations.trace import check_id, is_id
from lib.platform import clock

pages = flask.Blueprint("leases", __name__)

SINCE = (("1h", "one hour"), ("24h", "24 hours"), ("7d", "7 days"), ("4w", "4 weeks"))


@pages.get("/leases")
def show() -> str | Response:
    """The leases of the latest events. A uuid leads to its own page."""
    console, now = current(), current().now()
    since, until, uuid = (request.args.get(name, "").strip() for name in ("since", "until", "uuid"))
    if uuid:
        return flask.redirect(flask.url_for("leases.lease", uuid=check_id(uuid), since=since or None), 303)
    since = since or "24h"
    found = _reader().recent(parse_moment(since, now), parse_moment(until, now) if until else console.now())
    next_until = clock.canonical(found.until) if found.until else ""
    return flask.render_template(
        "leases.html", found=found, is_id=is_id, since=since, until=until, sinces=_sinces(since), next_until=next_until
    )


@pages.get("/leases/<path:uuid>")
def lease(uuid: str) -> str:
    """One lease."""
    now, since = current().now(), request.args.get("since", "").strip() or "7d"
    found, problems = _reader().lease(check_id(uuid), parse_moment(since, now), now)
    return flask.render_template("lease.html", lease=found, problems=problems, since=since, sinces=_sinces(since))


def _reader() -> LeaseReader:
    console = current()
    return LeaseReader(console.deployed.client("logs"), console.deployed.functions)


def _sinces(since: str) -> tuple[tuple[str, str], ...]:
    return SINCE if since in dict(SINCE) else ((since, since), *SINCE)
