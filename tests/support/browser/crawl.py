"""Finds the pages of a console by its links, as a person would."""

import re
from collections import defaultdict, deque
from collections.abc import Iterator
from html import unescape
from urllib.parse import urldefrag, urlsplit

import flask
import requests
from werkzeug.exceptions import MethodNotAllowed, NotFound

from handlers.console.application import create_app
from handlers.console.context import Console
from handlers.console.security import Gate
from lib.operations.deployed import Deployment

EXAMPLES = 2
"""Pages of one kind that are looked at."""
_LINK = re.compile(r'(?:href|action|formaction)="(/[^"]*)"')


def kinds() -> dict[str, str]:
    """The endpoint of each page of a local console, with its rule: what answers GET with a page of its own."""
    rules = _app().url_map.iter_rules()
    return {rule.endpoint: rule.rule for rule in rules if "GET" in (rule.methods or ()) and rule.endpoint not in _NO_PAGES}


_NO_PAGES = {"static", "home.find"}


def _app() -> flask.Flask:
    local_cloud = Deployment({}, "no outputs", {"aws_url": "http://127.0.0.1"})
    return create_app(Console(local_cloud), Gate(1))


def pages_of(console_url: str) -> dict[str, list[str]]:
    """Up to :data:`EXAMPLES` paths of each kind of page that is linked from Home, directly or not."""
    session, origin = requests.Session(), console_url.partition("/?")[0]
    session.get(console_url, timeout=30)
    match = _app().url_map.bind("").match
    found: dict[str, list[str]] = defaultdict(list)
    waiting, seen = deque(["/"]), {"/"}
    while waiting:
        path = waiting.popleft()
        try:
            endpoint, _ = match(urlsplit(path).path)
        except MethodNotAllowed:  # the form of a change
            continue
        except NotFound:
            endpoint = f"no page: {path}"
        if endpoint in _NO_PAGES or len(found[endpoint]) == EXAMPLES:
            continue
        answer = session.get(origin + path, timeout=30)
        if not answer.ok:
            continue
        found[endpoint].append(path)
        for link in _links(answer.text):
            if link not in seen:
                seen.add(link)
                waiting.append(link)
    return dict(found)


def _links(page: str) -> Iterator[str]:
    for link in _LINK.findall(page):
        yield urldefrag(unescape(link)).url
