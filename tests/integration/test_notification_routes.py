"""A lead receives only the critical events of one template, in one Slack channel; everybody else's events go on as before."""

import json
import uuid
from typing import Any

import pytest

from stack.local.standins.slack import Slack
from stack.local.standins.slack_workspace import id_of
from tests.support.cloud import Cloud, Inbox, running_cloud
from tests.support.cloud_fixtures import cloud_fixture, standin_fixture
from tests.support.leases.builders import USER_EMAIL
from tests.support.web.standins import Served

RULES = [
    {"match": {"severity": "critical", "template": "Data*"}, "channels": ["slack"], "slackChannel": "lead", "mention": "here"},
    {"match": {"template": "Data*"}, "drop": True},
    {"match": {"severity": "critical"}, "channels": ["sns", "teams"]},
]

slack = standin_fixture(Slack, "module")
cloud = cloud_fixture(
    running_cloud,
    "module",
    notifyChannels="sns,slack,teams",
    notifyRoutes=json.dumps(RULES).replace("{", "{{").replace("}", "}}"),
    slackApiUrl="{slack}/api/",
    slackBotToken="xoxb-routes",
    slackChannel="everybody",
)


@pytest.fixture(scope="module")
def inbox(cloud: Cloud) -> Inbox:
    return Inbox(cloud, cloud.outputs["notification_topic_arn"])


def send(cloud: Cloud, event_type: str, template: str) -> tuple[str, dict[str, Any]]:
    """Send an event about a lease of a template. Returns the event's id and the function's answer."""
    key = {"userEmail": USER_EMAIL, "uuid": str(uuid.uuid4())}
    cloud.put_lease({**key, "status": "Active", "originalLeaseTemplateName": template, "originalLeaseTemplateUuid": "t"})
    event_id = str(uuid.uuid4())
    detail = {"leaseId": key, "accountId": "444455556666"}
    answer = cloud.invoke("notification", {"id": event_id, "detail-type": event_type, "source": "x", "detail": detail})
    assert answer["error"] is None, answer
    return event_id, answer["payload"]


def posts(slack: Served[Slack], event_id: str) -> list[dict[str, Any]]:
    return [message for message in slack.app.messages if event_id in json.dumps(message)]


def test_a_critical_event_of_the_template_goes_to_the_leads_channel_only(cloud: Cloud, slack: Served[Slack]) -> None:
    event_id, answer = send(cloud, "LeaseBudgetExceeded", "Data science")

    assert answer["channels"] == {"slack": "sent"}
    [posted] = posts(slack, event_id)
    assert posted["channel"] == id_of("lead")
    shown = json.dumps(posted["blocks"])
    assert ":red_circle: *Critical*" in shown
    assert "<!here>" in shown


def test_another_event_of_the_template_is_dropped(cloud: Cloud, slack: Served[Slack]) -> None:
    event_id, answer = send(cloud, "LeaseApproved", "Data science")

    assert answer["reason"] == "rule 2 of notifyRoutes drops it"
    assert posts(slack, event_id) == []


def test_a_critical_event_of_another_template_skips_slack(cloud: Cloud, inbox: Inbox, slack: Served[Slack]) -> None:
    """The cloud has started a stand-in for Teams by itself, which takes the card."""
    event_id, answer = send(cloud, "LeaseBudgetExceeded", "Web")

    assert answer["channels"] == {"sns": "sent", "teams": "sent"}
    assert inbox.wait_for_event(event_id)["severity"] == "critical"
    assert posts(slack, event_id) == []


def test_an_event_that_no_rule_matches_goes_everywhere(cloud: Cloud, slack: Served[Slack]) -> None:
    event_id, answer = send(cloud, "LeaseApproved", "Web")

    assert answer["channels"] == {"sns": "sent", "slack": "sent", "teams": "sent"}
    assert posts(slack, event_id)[0]["channel"] == id_of("everybody")
