"""Playground, for a local cloud only: send samples, click in Slack, switch faults, run schedules."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import flask
from flask import request
from werkzeug import Response

from handlers.console import confirmation, samples
from handlers.console.context import current
from handlers.console.security import CSRF_FIELD
from lib.operations.local_cloud import AWS, LocalCloud, Sent, SlackMessage
from lib.operations.schedules import Schedule, list_schedules, run_schedule
from lib.platform import clock, errors
from lib.platform.environment.approvals import ApprovalsEnvironment
from lib.platform.fields import require_object
from lib.platform.log import scrub_json

pages = flask.Blueprint("playground", __name__)

KINDS = {"lease": "Lease event", "jira": "Jira webhook", "git": "Git push", "draft": "Draft", "file": "File of a shop"}
SERVICES = {"jira": "Jira", "slack": "Slack", "teams": "Microsoft Teams", "govuk_notify": "GOV.UK Notify", AWS: "AWS"}
PAGE_SIZE = 10
_PERSON = "U0ADA"
_FALLBACK_PROJECT = "DEMO"
_PLACE = ("slack.channel", "slack.ts", "slack.person", "slack.filter")
"""The fields of a click that are not Slack's."""


@pages.get("/playground")
def show() -> str:
    """The form of a kind, filled with a sample."""
    kind = request.args.get("kind", "lease")
    if kind not in KINDS:
        raise errors.NotFoundError(f"there is no sample {kind[:40]!a}")
    found = samples.samples(kind, _project(), current().now())
    chosen = next((each for each in found if each.title == request.args.get("sample")), found[0])
    return flask.render_template(
        "playground.html", kinds=KINDS, kind=kind, samples=found, chosen=chosen, shop=samples.sample_shop()
    )


@pages.post("/playground/send/<kind>")
def send(kind: str) -> str:
    """Send what the form has, and show the answer."""
    if kind not in KINDS:
        raise errors.NotFoundError(f"there is no sample {kind[:40]!a}")
    with confirmation.change(f"playground.send_{kind}"):
        sent = _send(kind, request.form.get("payload", "").replace("\r\n", "\n"))
    return flask.render_template("playground_sent.html", sent=sent, kind=kind, title=KINDS[kind], links=_links(kind, sent))


@pages.get("/playground/slack")
def slack() -> str:
    """What Slack shows in its channels, with buttons that work."""
    channel, person, before = (request.args.get(name, "").strip() for name in ("channel", "person", "before"))
    everything = _cloud().messages()
    channels = sorted({each.channel_name for each in everything})
    found = [each for each in everything if channel in ("", each.channel_name) and (not before or each.ts < before)]
    return flask.render_template(
        "playground_slack.html",
        shown=[_masked(each) for each in found[:PAGE_SIZE]],
        older=found[PAGE_SIZE - 1].ts if len(found) > PAGE_SIZE else "",
        channels=[("", "all"), *((name, f"# {name}") for name in channels)],
        channel=channel,
        person=person or _PERSON,
    )


@pages.post("/playground/slack/click")
def click() -> Response:
    """Click a button of a message as Slack reports it."""
    channel, ts, person, shown = (request.form.get(name, "") for name in _PLACE)
    entered = {name: value for name, value in request.form.items() if name not in (*_PLACE, CSRF_FIELD)}
    with confirmation.change("playground.click"):
        answer = _cloud().click(channel, ts, person, entered)
    url = flask.url_for("playground.slack", channel=shown or None, person=person)
    return confirmation.done(f"Slack's request was answered with {answer.status}. The message changes within seconds.", url)


@pages.get("/playground/faults")
def faults() -> str:
    """The faults that are on, by service, and those to switch on."""
    cloud = _cloud()
    services = cloud.services()
    with ThreadPoolExecutor(len(services)) as threads:
        active = dict(zip(services, threads.map(cloud.faults, services), strict=True))
    return flask.render_template(
        "playground_faults.html",
        active=active,
        titles=SERVICES,
        samples={service: samples.sample_faults(service) for service in services},
        functions=sorted(current().deployed.functions),
    )


@pages.post("/playground/faults/<service>")
def switch_on(service: str) -> Response:
    """Switch a fault on: the chosen one, or the one that was written."""
    fault = _json_of("fault")
    with confirmation.change("playground.fault_on", faults_of=service):
        _cloud().add_fault(service, fault)
    return confirmation.done(f"The fault of {SERVICES.get(service, service)} is on.", flask.url_for("playground.faults"))


@pages.post("/playground/faults/<service>/off")
def switch_off(service: str) -> Response:
    """Switch all faults of a service off."""
    with confirmation.change("playground.faults_off", faults_of=service):
        _cloud().clear_faults(service)
    return confirmation.done(f"The faults of {SERVICES.get(service, service)} are off.", flask.url_for("playground.faults"))


@pages.get("/playground/schedules")
def schedules() -> str:
    """The schedules, each with a button that runs it."""
    return flask.render_template("playground_schedules.html", schedules=_schedules())


@pages.post("/playground/schedules/<name>/run")
def run(name: str) -> Response:
    """Start the function of a schedule with its input."""
    found = next((each for each in _schedules() if each.name == name), None)
    if found is None:
        raise errors.NotFoundError(f"there is no schedule {name[:80]!a}")
    with confirmation.change("playground.run_schedule", schedule=name):
        run_schedule(found, current().deployed.client("lambda"))
    return confirmation.done(f"{name} runs now, in {found.function_name}.", flask.url_for("playground.schedules"))


def _schedules() -> list[Schedule]:
    console = current()
    return list_schedules(console.deployed.client("scheduler"), console.deployed.functions.values())


def _cloud() -> LocalCloud:
    console = current()
    return LocalCloud(console.deployed, console.now)


def _project() -> str:
    """A project that drafts may name."""
    projects = current().deployed.environment("approvals", ApprovalsEnvironment).jira_projects
    return projects[0] if projects else _FALLBACK_PROJECT


def _send(kind: str, payload: str) -> Sent:
    cloud, form = _cloud(), request.form
    match kind:
        case "lease":
            event = require_object(_json_of("payload"), "the event")
            return cloud.put_event(str(event.get("source", "")), str(event.get("detail-type", "")), event.get("detail"))
        case "jira":
            return cloud.deliver_from_jira(payload.encode())
        case "git":
            return cloud.deliver_push(payload.encode())
        case "draft":
            return cloud.submit_draft(payload.encode())
    uploaded = request.files.get("file")
    file = uploaded.read() if uploaded and uploaded.filename else payload.encode()
    order = require_object(_json_of("order"), "the order")
    return cloud.import_file(form.get("shop", ""), form.get("plan", ""), _json_of("schema"), order, file)


def _json_of(name: str) -> Any:
    try:
        return json.loads(request.form.get(name, ""))
    except (ValueError, RecursionError):
        raise errors.InvalidInputError(f"{name} is not JSON: go back and correct it") from None


def _links(kind: str, sent: Sent) -> list[tuple[str, str]]:
    """Text and URL of the pages that show what happens to it."""
    if not sent.id:
        return []
    found = [("Trace", flask.url_for("trace.show", id=sent.id))]
    if kind in ("lease", "jira"):
        found.insert(0, ("The event, once it is processed", flask.url_for("events.event", event_id=sent.id)))
    if kind == "draft":
        found.insert(0, ("The draft", flask.url_for("approvals.draft", session_id=sent.id)))
    if kind == "file":
        found.insert(0, ("The job", flask.url_for("jobs.job", domain=request.form["shop"], job_id=sent.id)))
    if kind in ("lease", "draft"):
        found.append(("What Slack shows", flask.url_for("playground.slack")))
    return found


def _masked(message: SlackMessage) -> dict[str, Any]:
    """A message as the page shows it, without e-mail addresses and secrets. Its buttons are found by ``action_id``."""
    return {
        "channel": message.channel,
        "channel_name": message.channel_name,
        "ts": message.ts,
        "at": clock.phoenix(datetime.fromtimestamp(float(message.ts), UTC))[:19].replace("T", " "),
        "kind": message.kind,
        "content": scrub_json(message.content),
        "replies": [_masked(each) for each in message.replies],
    }
