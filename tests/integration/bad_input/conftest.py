"""One local cloud with every secret set and every channel on, so that every entry point is open."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from stack.local.standins.slack import Slack
from stack.local.standins.teams import Teams
from stack.settings import secret_keys
from tests.support.cloud import Cloud, running_cloud
from tests.support.cloud_fixtures import cloud_fixture, standin_fixture
from tests.support.project.examples import THOROUGH, examples
from tests.support.shuttle.api import ShopApi, ShuttleApi
from tests.support.web.gateway import SECRETS, SLACK_WEBHOOK_PATH, TEAMS_WEBHOOK_PATH, Signer, all_logs, defects, leaks

SHOP = "teapots.example.com"


def bounded(number: int) -> settings:
    """So many examples, the same each time; 40 times as many, and other ones, in the profile ``thorough``."""
    return settings(
        max_examples=examples(number, thorough=40 * number),
        derandomize=not THOROUGH,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="session")
def knocks() -> set[str]:
    """Every signature that was sent."""
    return set()


slack = standin_fixture(lambda: Slack(channels=["approvals"]))
teams = standin_fixture(Teams)
everything_on = cloud_fixture(
    running_cloud,
    **SECRETS,
    slackWebhookUrl="{slack}" + SLACK_WEBHOOK_PATH,
    slackApiUrl="{slack}/api/",
    teamsWebhookUrl="{teams}" + TEAMS_WEBHOOK_PATH,
    notifyChannels="sns,slack,teams,govuk_notify",
    govukNotifyTemplateId="f33517ff-2a88-4f6e-b855-c550268ce08a",
    jiraProjects="OPS",
    approvalsChannel="approvals",
)


@pytest.fixture(scope="session")
def house(everything_on: Cloud, knocks: set[str]) -> Iterator[Cloud]:
    """The local cloud. When everything was tried on it, none of its logs gives anything away, and no function has failed in a
    way that it does not know.
    """
    assert {*SECRETS, "slackWebhookUrl", "teamsWebhookUrl"} == set(secret_keys())
    yield everything_on
    logs = all_logs(everything_on)
    assert logs
    assert leaks(logs, knocks) == []
    assert defects(logs) == []


@pytest.fixture(scope="session")
def shop(house: Cloud) -> ShopApi:
    """The one shop that there is."""
    return ShuttleApi(house).shop(SHOP)


@pytest.fixture(scope="session")
def job_id(shop: ShopApi) -> str:
    """The one job that there is before the tests make others. Its file never comes."""
    return str(shop.order(1)["job"]["job_id"])


@pytest.fixture(scope="session")
def signer(house: Cloud, knocks: set[str]) -> Signer:
    """Signs for every route."""
    return Signer(house, knocks)
