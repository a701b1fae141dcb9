"""The stand-ins of Slack, Microsoft Teams, Jira and GOV.UK Notify, served over HTTP for a test."""

import contextlib
from collections.abc import Iterator
from typing import Generic, TypeVar

import requests

from stack.local.serving import Server
from stack.local.standins.base import StandIn
from stack.local.standins.faults import Fault
from stack.local.standins.jira import Jira

Kind = TypeVar("Kind", bound=StandIn)


class Served(Generic[Kind]):
    """A stand-in and where it is served."""

    def __init__(self, app: Kind, url: str) -> None:
        self.app = app
        self.url = url

    def fail(self, path: str, **fault: object) -> None:
        """Inject a fault into the next request to ``path``."""
        self.app.faults.add(Fault.parse({"path": path, **fault}))


@contextlib.contextmanager
def served(app: Kind) -> Iterator[Served[Kind]]:
    """Serve ``app`` on loopback; hanging requests are let go at the end."""
    server = Server(app)
    try:
        yield Served(app, server.url)
    finally:
        app.faults.clear()
        server.close()


def put_issue(jira: Served[Jira], project: str, **fields: object) -> str:
    """Create an issue in the stand-in of Jira; its key."""
    made = requests.post(f"{jira.url}/_standin/issues", json={"project": project, "summary": "s", **fields}, timeout=60)
    made.raise_for_status()
    return str(made.json()["key"])
