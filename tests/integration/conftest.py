"""One local cloud for all integration tests: each test uses names and ids of its own."""

from collections.abc import Iterator

import pytest

from tests.support.cloud import Cloud, Inbox, running

EVENT_SECRET = "the integration tests' webhook secret"


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    """A local cloud with the channel SNS."""
    with running(eventWebhookSecret=EVENT_SECRET, consoleUrl="https://sandbox.example.com") as started:
        yield started


@pytest.fixture(scope="session")
def inbox(cloud: Cloud) -> Inbox:
    """A subscriber of the notification topic."""
    return Inbox(cloud, cloud.outputs["notification_topic_arn"])
