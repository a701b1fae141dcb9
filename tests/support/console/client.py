"""Flask's test client with an open session, and what every test of a page plants in its data and looks for."""

import html
from typing import Any

import jinja2
from flask.testing import FlaskClient
from jinja2.bccache import Bucket

from handlers.console.application import create_app
from handlers.console.context import Console
from handlers.console.security import CSRF_FIELD, Gate
from lib.operations.deployed import Deployment
from lib.platform import clock

PORT = 8180
PERSON = "arn:aws:iam::123456789012:user/ada"
EMAIL = "ada.lovelace@example.com"
SECRET = "xoxb-1234-planted-secret"
HOSTILE = f"<script>alert('{EMAIL} {SECRET}')</script>"
"""A text of a stranger: HTML with an e-mail address and a secret. Put it into every text field of the data."""


class _Templates(jinja2.BytecodeCache):
    """The compiled templates of this process. Each console has an environment of its own, which would compile them again."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take the code of a template whose text is the same."""
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        self._compiled[bucket.key] = bucket.bytecode_to_string()


TEMPLATES = _Templates()


class ConsoleClient(FlaskClient):
    """A browser with an open session. Its forms come from the console's own pages; it does not follow redirects."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request from a page of the console."""
        kwargs.setdefault("base_url", f"http://127.0.0.1:{PORT}")
        if kwargs.get("method") == "POST":
            kwargs["headers"] = {"Origin": kwargs["base_url"], **kwargs.get("headers", {})}
            kwargs["data"] = {CSRF_FIELD: self.gate._csrf, **kwargs.get("data", {})}
        return super().open(*args, **kwargs)

    @property
    def gate(self) -> Gate:
        """The secrets of the console."""
        gate: Gate = self.application.extensions["gate"]
        return gate

    @property
    def console(self) -> Console:
        """The console."""
        console: Console = self.application.extensions["console"]
        return console

    def page(self, path: str, status: int = 200) -> str:
        """The HTML of a page. It shows nothing of :data:`HOSTILE` as it is."""
        answer = self.get(path)
        assert answer.status_code == status, f"{path}: {answer.status}\n{answer.text}"
        assert_safe(answer.text)
        return str(answer.text)


def console_client(deployed: Deployment, *, allow_writes: bool = False, now: clock.Clock = clock.utc_now) -> ConsoleClient:
    """A browser at a console of ``deployed``, such as :class:`tests.support.operations.deployment.Deployment`.

    The person is :data:`PERSON`; AWS is not asked.
    """
    console = Console(deployed, allow_writes=allow_writes, now=now)
    console._person = PERSON
    gate = Gate(PORT)
    app = create_app(console, gate)
    app.testing = True
    app.jinja_env.bytecode_cache = TEMPLATES
    app.extensions["gate"] = gate
    app.test_client_class = ConsoleClient
    client = app.test_client()
    assert isinstance(client, ConsoleClient)
    assert client.get("/?token=" + gate.token).status_code == 303
    return client


def text_of(page: str) -> str:
    """The text of a page, without tags and with single spaces."""
    parts = [part.partition(">")[2] for part in page.split("<")]
    return " ".join(html.unescape(" ".join(parts)).split())


def assert_safe(page: str) -> None:
    """No HTML of a stranger, no e-mail address and no secret is in the page."""
    assert "<script>alert" not in page
    assert EMAIL not in html.unescape(page)
    assert SECRET not in html.unescape(page)
