"""The local clouds that the integration tests share: each test uses names and ids of its own."""

import pytest

from stack.local.standins.jira import Jira
from tests.support.approvals.cloud import running_approvals
from tests.support.cloud import Cloud, Inbox, running_cloud
from tests.support.cloud_fixtures import cloud_fixture, standin_fixture

EVENT_SECRET = "the integration tests' webhook secret"
JIRA_SECRET = "what the tests' Jira signs with"
CLOUD_LEGACY = "legacy-in-the-cloud"
"""The table that the function backfill copies. The test of it creates it."""
COMMIT_SECRET = "what the tests' Git host signs with"


jira = standin_fixture(Jira)
cloud = cloud_fixture(
    running_cloud,
    eventWebhookSecret=EVENT_SECRET,
    consoleUrl="https://sandbox.example.com",
    jiraBaseUrl="{jira}",
    jiraWebhookSecret=JIRA_SECRET,
    commitWebhookSecret=COMMIT_SECRET,
    jiraProjects="SWEEP",
    backfillSourceTableArn=f"arn:aws:dynamodb:us-west-2:123456789012:table/{CLOUD_LEGACY}",
)
"""A local cloud with the channel SNS, a Jira site, one project to sweep, and the function that copies a legacy table."""
approvals = cloud_fixture(running_approvals)
"""A local cloud for approvals, with stand-ins of Slack and Jira that the tests look into."""


@pytest.fixture(scope="session")
def inbox(cloud: Cloud) -> Inbox:
    """A subscriber of the notification topic."""
    return Inbox(cloud, cloud.outputs["notification_topic_arn"])
