"""Events: what arrived, and everything that is known about one arrival."""

from datetime import timedelta

import flask
from flask import request

from handlers.console.context import current
from handlers.console.filters import link
from lib.jira import issues
from lib.operations.ages import parse_moment
from lib.operations.arrivals import Event, Outcome
from lib.operations.event_details import DetailReader, Letter
from lib.operations.event_replay import Replay, Way, replay_of
from lib.operations.events import EventReader, Filters
from lib.operations.flows import TITLES, Flow
from lib.operations.trace import check_id, is_id
from lib.platform import clock, fields, log

pages = flask.Blueprint("events", __name__)

PAGE_SIZE = 50
_BEFORE, _AFTER = timedelta(hours=1), timedelta(hours=25)
"""How far around its time the log lines of an event are searched: retries, and a job that waits for its file, take hours."""
SINCE = (("1h", "one hour"), ("24h", "24 hours"), ("7d", "7 days"), ("4w", "4 weeks"))


@pages.get("/events")
def show() -> str:
    """The list, filtered by the URL."""
    console, args = current(), request.args
    since, until = args.get("since", "").strip() or "24h", args.get("until", "").strip()
    now = console.now()
    filters = Filters(
        flow=fields.require_choice(args["flow"], "flow", Flow) if args.get("flow") else None,
        outcome=fields.require_choice(args["outcome"], "outcome", Outcome) if args.get("outcome") else None,
        type=log.scrub(args.get("type", "").strip()),
        text=log.scrub(args.get("text", "").strip()),
    )
    reader = EventReader(console.deployed.client("logs"), console.deployed.functions)
    end = parse_moment(until, now) if until else now
    page = reader.page(filters, parse_moment(since, now), end, PAGE_SIZE)
    return flask.render_template(
        "events.html",
        filters=filters,
        since=since,
        until=until,
        sinces=SINCE if since in dict(SINCE) else ((since, since), *SINCE),
        page=page,
        next_until=clock.canonical(page.until) if page.until else "",
        flows=[("", "all"), *TITLES.items()],
        subject_url=_subject_url,
        outcomes=[("", "all"), *((outcome, outcome) for outcome in Outcome)],
    )


@pages.get("/events/<path:event_id>")
def event(event_id: str) -> str:
    """One event. ``at`` (an instant) says where in the logs to look; without it, the last 7 days are searched."""
    console, at = current(), request.args.get("at", "").strip()
    now = console.now()
    since, until = now - timedelta(days=7), now
    if at:
        moment = parse_moment(at, now)
        since, until = moment - _BEFORE, min(moment + _AFTER, now)
    reader = EventReader(console.deployed.client("logs"), console.deployed.functions)
    found = reader.find(check_id(event_id), since, until)
    details = DetailReader(console.deployed).read(found)
    replay = replay_of(found, details.letter)
    return flask.render_template(
        "event.html",
        event=found,
        details=details,
        flow_title=TITLES[found.flow],
        replay=replay,
        replay_url=_replay_url(replay, found, details.letter),
        subject_url=_subject_url(found),
        message=details.rendered and {"text": details.rendered.message.text, "blocks": details.rendered.message.blocks},
        lines=[
            {"at": clock.phoenix(line.at), "level": line.level, "message": line.message, **line.fields} for line in found.lines
        ],
    )


def _replay_url(replay: Replay, found: Event, letter: Letter | None) -> str:
    """The page that asks before the event is repeated."""
    match replay.way:
        case Way.SEND_BACK:
            return link("dead_letters.send_back", letter=letter.key) if letter else ""
        case Way.FETCH:
            return link("issues.fetch", key=found.about)
        case Way.RETRY:
            return link("approvals.draft", session_id=found.about)
    return ""


def _subject_url(found: Event) -> str:
    """The page of what the event is about."""
    if not found.about:
        return ""
    match found.flow:
        case Flow.LEASES:
            return link("leases.lease", uuid=found.about) if is_id(found.about) else ""
        case Flow.JIRA:
            return link("issues.issue", key=found.about) if issues.is_issue_key(found.about) else ""
        case Flow.APPROVALS:
            return link("approvals.draft", session_id=found.about)
        case Flow.JOBS:
            return link("jobs.job", domain=found.source, job_id=found.about) if found.source else ""
