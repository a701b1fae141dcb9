"""Which channels are created, and which SDKs they import."""

import subprocess
import sys

import pytest

from lib.notifications.channels.registry import make_channels
from lib.platform import aws, errors
from lib.platform.contract import CHANNELS
from lib.platform.environment.notification import NotificationEnvironment
from tests.support.aws.secrets import SecretsManager
from tests.support.leases.messages import message


def environment(*channels: str, **fields: str) -> NotificationEnvironment:
    return NotificationEnvironment(
        lease_table_arn="leases", operations_table_name="operations", notify_channels=channels, **fields
    )


@pytest.fixture(autouse=True)
def clients(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The services that clients were made for."""
    made: list[str] = []

    def make_client(service: str) -> SecretsManager:
        made.append(service)
        return SecretsManager()

    monkeypatch.setattr(aws, "make_client", make_client)
    return made


def secrets_manager() -> SecretsManager:
    return SecretsManager()


def test_channels_are_created_in_the_configured_order() -> None:
    assert list(make_channels(environment("slack", "sns"), secrets_manager)) == ["slack", "sns"]
    assert list(make_channels(environment(*CHANNELS), secrets_manager)) == list(CHANNELS)


def test_the_error_for_an_unknown_channel_lists_the_known_ones() -> None:
    with pytest.raises(errors.ConfigurationError, match=r"'pigeon'.*sns, slack, teams, govuk_notify"):
        make_channels(environment("sns", "pigeon"), secrets_manager)


def test_channels_with_a_secret_share_one_client(clients: list[str]) -> None:
    handed: list[SecretsManager] = []
    the_one = SecretsManager()

    def hand_out() -> SecretsManager:
        handed.append(the_one)
        return the_one

    made = make_channels(
        environment(
            *("slack", "teams", "govuk_notify"),
            slack_webhook_url_arn="w",
            teams_webhook_url_arn="t",
            govuk_notify_api_key_arn="k",
        ),
        hand_out,
    )

    assert list(made) == ["slack", "teams", "govuk_notify"]
    assert handed == [the_one, the_one, the_one]
    assert clients == []


def test_a_client_is_created_once_per_channel(clients: list[str]) -> None:
    made = make_channels(environment("sns", notification_topic_arn="arn"), secrets_manager)
    for _ in range(3):
        with pytest.raises(AttributeError, match="publish"):  # these clients can only read secrets
            made["sns"].send(message())
    assert clients == ["sns"]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"slack_webhook_url_arn": "w"}, "SlackWebhook"),
        ({"slack_bot_token_arn": "t", "slack_channel": "#leases"}, "SlackBot"),
        ({"slack_webhook_url_arn": "w", "slack_bot_token_arn": "t", "slack_channel": "#leases"}, "SlackBot"),
    ],
)
def test_the_bot_token_wins_over_the_webhook(fields: dict[str, str], kind: str) -> None:
    assert type(make_channels(environment("slack", **fields), secrets_manager)["slack"]).__name__ == kind


@pytest.mark.parametrize(
    ("channel", "fields"),
    [
        ("sns", {}),
        ("slack", {}),
        ("slack", {"slack_bot_token_arn": "t"}),
        ("teams", {}),
        ("govuk_notify", {}),
    ],
)
def test_an_unconfigured_channel_fails_when_it_sends(channel: str, fields: dict[str, str]) -> None:
    with pytest.raises(errors.ConfigurationError):
        make_channels(environment(channel, **fields), secrets_manager)[channel].send(message())


@pytest.mark.parametrize(
    ("channel", "brings"),
    [("sns", set()), ("slack", {"slack_sdk"}), ("teams", set()), ("govuk_notify", {"notifications_python_client", "requests"})],
)
def test_a_channel_imports_its_own_sdk_only(channel: str, brings: set[str]) -> None:
    heavy = {"slack_sdk", "notifications_python_client", "requests", "flask", "boto3"}
    program = (
        "import sys\n"
        "from lib.notifications.channels.registry import make_channels\n"
        "from lib.platform.environment.notification import NotificationEnvironment\n"
        "make_channels(NotificationEnvironment(lease_table_arn='l', operations_table_name='o',"
        f" notify_channels=({channel!r},)), lambda: None)\n"
        f"print(*sorted({heavy!r} & sys.modules.keys()))\n"
    )
    environ = {"AWS_DEFAULT_REGION": "us-west-2", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=True)
    assert set(done.stdout.split()) == brings
