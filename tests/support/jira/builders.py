"""What the tests of the Jira domain share: a store on the fake table, and the Jira stand-in behind the real client."""

import base64
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from lib.jira.client import JiraClient
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter
from lib.jira.items import Issue
from lib.jira.reconciliation.reconciler import Reconciler
from lib.jira.webhooks import Delivery, normalise
from lib.platform.secrets import Secret
from stack.local.standins.jira import Jira
from tests.support.aws.secrets import SecretsManager
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.web.standins import served

TABLE = "jira-issues"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EMAIL, TOKEN = "switchboard@example.com", "token-of-the-tests"


class Snapshots:
    """Keeps in a dictionary what would go to the bucket."""

    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}

    def write(self, name: str, data: bytes) -> None:
        self.written[name] = data


def incompressible(size: int) -> str:
    """A text of ``size`` characters that takes about three quarters of them compressed, and is always the same."""
    return base64.b64encode(random.Random(7).randbytes(size)).decode()[:size]


def make_store(client: Any, **options: Any) -> IssueWriter:
    options = {"history": timedelta(days=90), "snapshots": Snapshots(), "now": lambda: NOW, **options}
    return IssueWriter(client, TABLE, **options)


def make_reader(client: Any) -> IssueReader:
    return IssueReader(client, TABLE)


def make_reconciler(client: JiraClient, table: FakeTable, **options: Any) -> Reconciler:
    return Reconciler(client, make_store(table), make_reader(table), **options)


def read_delivery(body: bytes | str, received_at: datetime) -> Delivery:
    """The delivery that a webhook body is."""
    read = normalise(body.encode() if isinstance(body, str) else body, received_at)
    assert isinstance(read, Delivery)
    return read


def latest(table: FakeTable, issue_key: str) -> Issue:
    """The current state of an issue that the store has."""
    issue = make_reader(table).latest(issue_key)
    assert issue is not None
    return issue


def stored_keys(table: FakeTable) -> list[str]:
    """The live issues of ``OPS``."""
    return [issue.issue_key for issue in make_reader(table).by_project("OPS")]


def secret(*values: str) -> Secret:
    """A secret that was read with the first of ``values``, and rotated to the others since."""
    manager = SecretsManager(values[0])
    made = Secret(manager, "arn")
    made.current()
    for value in values[1:]:
        manager.rotate(value)
    return made


@contextmanager
def jira_site() -> Iterator[tuple[Jira, JiraClient]]:
    """A running stand-in, and a client of it that does not wait."""
    with served(Jira(accounts={EMAIL: TOKEN})) as site:
        yield site.app, JiraClient(site.url, EMAIL, secret(TOKEN), sleep=lambda seconds: None, timeout=(2.0, 2.0))
