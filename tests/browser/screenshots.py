"""``make screenshots``: draws the pictures of the documentation from a local cloud with the demo's data, and measures the
console's pages.

A picture of a page is a shot: add one to :func:`shots_of` or :func:`console_shots`. Times and event ids are made the same at
every run, so that a picture changes only with what it shows; durations in the console are those of the run.
"""

import contextlib
import dataclasses
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests
from playwright.sync_api import Browser
from rich.console import Console
from rich.text import Text

from lib.platform.clock import TIMEZONE
from stack.local.cloud import LocalCloud
from stack.local.console import ConsoleProcess
from stack.local.demo import CONFIG, approvals, jira, leases, shuttle
from stack.local.demo.calls import send, until
from stack.local.demo.stage import Stage
from stack.local.serving import Server
from tests.support.browser.chromium import MISSING, chromium, find
from tests.support.browser.crawl import pages_of
from tests.support.browser.message_pages import application

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
MAX_BYTES = 150_000

_PHOENIX = ZoneInfo(TIMEZONE)
_NOW = datetime(2026, 11, 20, 9, 15, tzinfo=_PHOENIX)
_FORM = "%d %b %Y %H:%M"
_EVENT_ID = "394d7bf2-68e5-42da-94b1-6870ae316dc6"
_TIME = re.compile(r"\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d(?= Phoenix time)")
_EVENT = re.compile(r"(?<=event )[0-9a-f-]{36}")
_EVENT_TYPE = "LeaseBudgetExceeded"
_CONSOLE_FORM = "%Y-%m-%d %H:%M:%S"
_MAKE_STEADY = r"""([id, now]) => {
  const time = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const utc = (text) => Date.parse(text.replace(" ", "T") + "Z");
  const shift = utc(now) - Math.max(...(document.body.textContent.match(time) || [now]).map(utc));
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    text.data = text.data
      .replace(time, (found) => new Date(utc(found) + shift).toISOString().slice(0, 19).replace("T", " "))
      .replace(/\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d(?= Phoenix)/g, "20 Nov 2026 09:15")
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, id)
      .replace(/\d+ (second|minute)s?(?= ago| old|:|$)/g, "a minute");
  }
}"""
"""In the pages of the console: the latest time is :data:`_NOW`, all ids are one, and the run has taken a minute."""
_COLUMNS = 96
_PEOPLE = {approvals.BOT: "Draft bot", approvals.ADA: "Ada", approvals.GRACE: "Grace"}
"""Slack shows a mention by the name of the user."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shot:
    """A picture of a part of a page.

    Attributes:
        name: of the file, without its ending.
        url: of the page.
        part: the part, as a CSS selector.
        width: of the window in CSS pixels. GitHub shows a page about 830 wide, and two pictures beside each other at 400.
        height: of the window.
        scale: pixels of the picture per CSS pixel.
    """

    name: str
    url: str
    part: str = "article"
    width: int = 540
    height: int = 600
    scale: float = 1.75


def main() -> int:
    """Write every picture; the exit code."""
    if find() is None:
        print(f"Error: {MISSING}", file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    config = {
        **CONFIG,
        "notifyChannels": "sns,slack,teams",
        "slackChannel": "sandbox-leases",
        "approvers": f"{approvals.ADA},{approvals.GRACE}",
    }
    with LocalCloud(config=config) as cloud, chromium() as browser:
        pages = play(cloud)
        (IMAGES / "status.svg").write_text(status_of(cloud), encoding="utf-8")
        server = Server(application(pages), 0, purpose="the pictures")
        for shot in shots_of(server.url):
            take(browser, shot)
        server.close()
        with contextlib.closing(ConsoleProcess(0)) as console:
            url = console.start(dataclasses.asdict(cloud.ready))
            for shot in console_shots(browser, url):
                take(browser, shot)
            show_speed(url)
    for path in sorted(IMAGES.iterdir()):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1000} kB")
    return int(any(path.stat().st_size > MAX_BYTES for path in IMAGES.iterdir()))


def shots_of(messages_url: str) -> list[Shot]:
    """The pictures of pages."""
    return [
        Shot("notification-slack", f"{messages_url}/notification"),
        Shot("notification-teams", f"{messages_url}/card"),
        Shot("approval-preview", f"{messages_url}/preview"),
    ]


def console_shots(browser: Browser, url: str) -> list[Shot]:
    """The pictures of the console, which ``url`` opens: the windows of a person at a laptop."""
    address, _, token = url.partition("/?")

    def window(name: str, path: str, height: int) -> Shot:
        opened = f"{address}{path}{'&' if '?' in path else '?'}{token}"
        return Shot(name, opened, "body", width=1280, height=height, scale=1)

    page = browser.new_page()
    page.goto(f"{address}/events?type={_EVENT_TYPE}&{token}")
    event = page.get_by_role("table").get_by_role("link").first.get_attribute("href")
    page.close()
    return [
        window("console-home", "/", 940),
        window("console-event", str(event), 680),
        window("console-approvals", "/approvals", 640),
        window("console-playground", "/playground/slack?channel=approvals", 940),
    ]


def show_speed(url: str) -> None:
    """Print how long the console takes for each kind of page, the slowest first."""
    with requests.Session() as session:
        session.get(url, timeout=30)
        paths = [path for found in pages_of(url).values() for path in found]
        took = {path: session.get(url.partition("/?")[0] + path, timeout=30).elapsed.total_seconds() for path in paths}
    for path, seconds in sorted(took.items(), key=lambda item: -item[1]):
        print(f"{seconds:6.2f} s  {path[:90]}")


def play(cloud: LocalCloud) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Play the demo's flows, leave something for ``status`` to show, and return the messages as pages."""
    stage = Stage(Console(file=io.StringIO()))
    for name, flow in (("leases", leases.play), ("jira", jira.play), ("shuttle", shuttle.play)):
        stage.play(cloud, name, flow)
    _run_schedules(cloud)
    _send_a_poison_message(cloud)
    desk = approvals.Approvals(cloud)
    desk.submit({**approvals.DRAFT, "session_id": "upload-count", "title": "Count refused uploads"})
    send("POST", f"{cloud.standins['jiraBaseUrl']}/_standin/faults", b'{"path": "/rest/api/3/issue", "status": 400}')
    refused = desk.preview("upload-count")
    desk.click(refused, approvals.GRACE, "approve_draft")
    until(lambda: "not created" in json.dumps(desk.now(refused)), 30)
    desk.submit({**approvals.DRAFT, "session_id": "upload-log", "title": "Log refused uploads"})
    approved = desk.preview("upload-log")
    desk.click(approved, approvals.ADA, "approve_draft")
    desk.created(approved)
    desk.submit(approvals.DRAFT)
    preview = desk.preview(approvals.DRAFT["session_id"])
    messages = desk.messages()
    cards = json.loads(send("GET", f"{cloud.standins['teamsWebhookUrl']}/_standin/messages")[1])["messages"]
    return {
        "notification": ("slack", _page_of(_about_budget(messages), "sandbox-leases")),
        "card": ("teams", {"message": _steady(_about_budget([each["card"] for each in cards]))}),
        "preview": ("slack", _page_of(preview, "approvals")),
    }


def _run_schedules(cloud: LocalCloud) -> None:
    scheduler = cloud.client("scheduler")
    for listed in scheduler.list_schedules()["Schedules"]:
        target = scheduler.get_schedule(Name=listed["Name"], GroupName=listed["GroupName"])["Target"]
        cloud.client("lambda").invoke(FunctionName=target["Arn"], Payload=target["Input"].encode())


def _send_a_poison_message(cloud: LocalCloud) -> None:
    """An event that can't be read, however often it is tried; wait until it is a dead letter."""
    event = {"id": _EVENT_ID, "detail-type": "LeaseExpired", "detail": "half of"}
    function, payload = cloud.ready.outputs["functions"]["notification"], json.dumps(event).encode()
    cloud.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=payload)
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=cloud.ready.outputs["dead_letter_queues"]["notification"][0])["QueueUrl"]
    name = "ApproximateNumberOfMessages"
    until(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name] != "0", 60)


def status_of(cloud: LocalCloud) -> str:
    """What ``status`` prints on a terminal, as SVG."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as outputs:
        json.dump(dataclasses.asdict(cloud.ready), outputs)
        outputs.flush()
        command = [sys.executable, "-m", "handlers.cli", "--outputs", outputs.name, "status"]
        environment = {**os.environ, "COLUMNS": str(_COLUMNS), "FORCE_COLOR": "1", "TERM": "xterm-256color"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1}:
        raise SystemExit(done.stderr)
    console = Console(record=True, width=_COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(_steady(done.stdout)))
    picture = console.export_svg(title="python -m handlers.cli status", unique_id="status")
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL).replace("Fira Code", "DejaVu Sans Mono")


def take(browser: Browser, shot: Shot) -> None:
    """Write one picture."""
    size = {"width": shot.width, "height": shot.height}
    page = browser.new_page(viewport=size, device_scale_factor=shot.scale, color_scheme="light")  # type: ignore[arg-type]
    page.goto(shot.url)
    path = IMAGES / f"{shot.name}.png"
    if shot.part == "body":
        page.evaluate(_MAKE_STEADY, [_EVENT_ID, _NOW.strftime(_CONSOLE_FORM)])
        page.screenshot(path=path)
    else:
        page.locator(shot.part).first.screenshot(path=path)
    page.close()


def _about_budget(messages: list[Any]) -> Any:
    return next(each for each in messages if "LeaseBudgetThresholdAlert" in json.dumps(each))


def _page_of(message: dict[str, Any], channel: str) -> Mapping[str, Any]:
    shown = json.dumps(message)
    for user, name in _PEOPLE.items():
        shown = shown.replace(f"<@{user}>", f"<@{user}|{name}>")
    return {"message": json.loads(_steady(shown)), "channel": channel, "at": f"{_NOW:%H:%M}"}


def _steady(shown: Any) -> Any:
    """The same with a fixed event id, and with times moved so that the last one, when it was sent, is :data:`_NOW`. They are
    rounded to five minutes, because the events of a run are a minute more or less apart."""
    if not isinstance(shown, str):
        return json.loads(_steady(json.dumps(shown)))
    times = _TIME.findall(shown)
    move = _NOW - _read(times[-1]) if times else timedelta()
    return _EVENT.sub(_EVENT_ID, _TIME.sub(lambda found: f"{_rounded(_read(found[0]) + move):{_FORM}}", shown))


def _rounded(moment: datetime) -> datetime:
    late = moment + timedelta(minutes=2)
    return late - timedelta(minutes=late.minute % 5)


def _read(text: str) -> datetime:
    return datetime.strptime(text, _FORM).replace(tzinfo=_PHOENIX)


if __name__ == "__main__":
    sys.exit(main())
