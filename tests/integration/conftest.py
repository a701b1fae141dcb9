"""One local cloud for all integration tests: each test uses names and ids of its own."""

from collections.abc import Iterator

import pytest

from stack.local.serving import Server
from stack.local.standins.jira import Jira
from tests.support.approvals.cloud import ApprovalsCloud, running_approvals
from tests.support.cloud import Cloud, Inbox, running

EVENT_SECRET = "the integration tests' webhook secret"
JIRA_SECRET = "what the tests' Jira signs with"
COMMIT_SECRET = "what the tests' Git host signs with"


@pytest.fixture(scope="session")
def jira() -> Iterator[str]:
    """A Jira stand-in, by its URL."""
    server = Server(Jira())
    yield server.url
    server.close()


@pytest.fixture(scope="session")
def cloud(jira: str) -> Iterator[Cloud]:
    """A local cloud with the channel SNS, a Jira site, and one project to sweep."""
    with running(
        eventWebhookSecret=EVENT_SECRET,
        consoleUrl="https://sandbox.example.com",
        jiraBaseUrl=jira,
        jiraWebhookSecret=JIRA_SECRET,
        commitWebhookSecret=COMMIT_SECRET,
        jiraProjects="SWEEP",
    ) as started:
        yield started


@pytest.fixture(scope="session")
def inbox(cloud: Cloud) -> Inbox:
    """A subscriber of the notification topic."""
    return Inbox(cloud, cloud.outputs["notification_topic_arn"])


@pytest.fixture(scope="session")
def approvals() -> Iterator[ApprovalsCloud]:
    """A local cloud for approvals, with stand-ins of Slack and Jira that the tests look into."""
    with running_approvals() as started:
        yield started
