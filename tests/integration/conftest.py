"""The local clouds that the integration tests share: each test uses names and ids of its own."""

import functools
import json

import pytest

from stack.local.standins.govuk_notify import GovukNotify
from stack.local.standins.jira import Jira
from stack.local.standins.slack import Slack
from stack.local.standins.teams import SIGNATURE, WEBHOOK_PATH, Teams
from tests.support.approvals.cloud import running_approvals
from tests.support.cloud import Cloud, Inbox, running_cloud
from tests.support.cloud_fixtures import cloud_fixture, escaped, standin_fixture

EVENT_SECRET = "the integration tests' webhook secret"
JIRA_SECRET = "what the tests' Jira signs with"
CLOUD_LEGACY = "legacy-in-the-cloud"
"""The table that the function backfill copies. The test of it creates it."""
COMMIT_SECRET = "what the tests' Git host signs with"
GOVUK_NOTIFY_KEY = "sandbox-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0"
SLACK_WEBHOOK_SECRET = "XXXXYYYYZZZZ"


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

seeded = cloud_fixture(functools.partial(running_cloud, "--seed", "--console-port", "0"))
"""A local cloud as it begins for a person, with its console: test_first_steps.py is first to use it."""
slack = standin_fixture(Slack)
teams = standin_fixture(lambda: Teams(SIGNATURE))
notify = standin_fixture(lambda: GovukNotify(GOVUK_NOTIFY_KEY))
every_channel = cloud_fixture(
    functools.partial(running_cloud, "--schedules", "--names", "random", "--no-seed"),
    notifyChannels="sns,slack,teams,govuk_notify",
    notifyRoutes=escaped(json.dumps([{"match": {"event": "DeploymentCheck*"}, "drop": True}])),
    slackWebhookUrl="{slack}/services/T0001/B0001/" + SLACK_WEBHOOK_SECRET,
    teamsWebhookUrl="{teams}" + WEBHOOK_PATH,
    govukNotifyApiKey=GOVUK_NOTIFY_KEY,
    govukNotifyTemplateId="f33517ff-2a88-4f6e-b855-c550268ce08a",
    govukNotifyUrl="{notify}",
)
"""A local cloud with every channel, the rule of docs/how-to/deploy-from-ci.md, random names and schedules that run."""


@pytest.fixture(scope="module")  # some modules have a cloud of their own
def inbox(cloud: Cloud) -> Inbox:
    """A subscriber of the notification topic."""
    return Inbox(cloud, cloud.outputs["notification_topic_arn"])
