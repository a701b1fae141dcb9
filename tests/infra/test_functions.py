"""The functions: what they run on, what they know, where their log goes and where their failures end."""

import pytest

from lib import metrics
from lib.environment import HealthEnvironment, NotificationEnvironment
from stack import package
from stack.function import METRICS_NAMESPACE
from tests.support.pulumi_graph import Graph, Resource, declare

FUNCTION = "aws:lambda/function:Function"
ENTRY_POINTS = ["notification", "health"]


def variables_of(graph: Graph, entry_point: str) -> dict[str, str]:
    return dict(graph.one(FUNCTION, entry_point).inputs["environment"]["variables"])


def test_there_is_a_function_for_each_entry_point_that_exists() -> None:
    assert sorted(function.name for function in declare().all(FUNCTION)) == sorted(ENTRY_POINTS)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_function_runs_its_entry_point_on_arm64_python_3_13(entry_point: str) -> None:
    inputs = declare().one(FUNCTION, entry_point).inputs

    assert inputs["handler"] == f"handlers.{entry_point}.lambda_handler"
    assert (package.ROOT / "handlers" / f"{entry_point}.py").is_file()
    assert inputs["architectures"] == ["arm64"]
    assert inputs["runtime"] == f"python{package.PYTHON_VERSION}"


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_function_logs_json_to_a_group_of_its_own_that_forgets(entry_point: str) -> None:
    graph = declare({"logRetentionDays": "90"})
    group = graph.one("aws:cloudwatch/logGroup:LogGroup", entry_point)

    assert graph.one(FUNCTION, entry_point).inputs["loggingConfig"] == {
        "logFormat": "JSON",  # the runtime's own lines too
        "logGroup": group.outputs["name"],
    }
    assert group.inputs["retentionInDays"] == 90


def test_no_log_group_keeps_logs_for_ever() -> None:
    groups = declare().all("aws:cloudwatch/logGroup:LogGroup")

    assert all(group.inputs["retentionInDays"] == 30 for group in groups)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_an_event_that_a_function_could_not_handle_is_tried_twice_more_and_then_kept(entry_point: str) -> None:
    graph = declare()
    function: Resource = graph.one(FUNCTION, entry_point)
    config = graph.one("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", entry_point).inputs
    queue = graph.one("aws:sqs/queue:Queue", f"{entry_point}-failures")

    assert config["functionName"] == function.outputs["name"]
    assert config["maximumRetryAttempts"] == 2
    assert 60 <= config["maximumEventAgeInSeconds"] <= 21600  # what Lambda allows
    assert config["destinationConfig"] == {"onFailure": {"destination": queue.outputs["arn"]}}


def test_every_queue_is_encrypted_and_keeps_what_it_has_for_14_days() -> None:
    for queue in declare().all("aws:sqs/queue:Queue"):
        assert queue.inputs["sqsManagedSseEnabled"] is True
        assert queue.inputs["messageRetentionSeconds"] == 14 * 24 * 3600


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_function_writes_its_metrics_under_its_own_name_in_the_namespace_of_the_code(entry_point: str) -> None:
    variables = variables_of(declare(), entry_point)

    assert variables["POWERTOOLS_SERVICE_NAME"] == entry_point
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == METRICS_NAMESPACE == metrics.NAMESPACE


def test_the_notification_function_knows_tables_and_topic_by_the_outputs_of_the_resources() -> None:
    graph = declare()
    lease_table = graph.one("aws:dynamodb/table:Table", "LeaseTable").outputs
    environment = NotificationEnvironment.read(variables_of(graph, "notification"))

    assert environment == NotificationEnvironment(
        lease_table_name=lease_table["name"],
        lease_table_arn=lease_table["arn"],
        operations_table_name=graph.one("aws:dynamodb/table:Table", "JiraOperations").outputs["name"],
        notify_channels=("sns",),
        notification_topic_arn=graph.arn("aws:sns/topic:Topic", "notifications"),
    )


def test_the_notification_function_knows_every_channels_settings() -> None:
    graph = declare(
        {
            "notifyChannels": "sns,slack,govuk_notify",
            "consoleUrl": "https://sandbox.example.com",
            "slackApiUrl": "http://127.0.0.1:9000/api/",
            "slackChannel": "#leases",
            "govukNotifyTemplateId": "9d751e0e-f929-4891-82a1-a3e1c3c18ee3",
            "govukNotifyUrl": "http://127.0.0.1:9001",
        },
        {"slackBotToken": "hush", "govukNotifyApiKey": "hush", "eventWebhookSecret": "hush"},
    )
    environment = NotificationEnvironment.read(variables_of(graph, "notification"))

    secret = "aws:secretsmanager/secret:Secret"
    assert environment.notify_channels == ("sns", "slack", "govuk_notify")
    assert environment.console_url == "https://sandbox.example.com"
    assert environment.slack_api_url == "http://127.0.0.1:9000/api/"
    assert environment.slack_channel == "#leases"
    assert environment.slack_bot_token_arn == graph.arn(secret, "slack-bot-token")
    assert environment.slack_webhook_url_arn == ""
    assert environment.govuk_notify_api_key_arn == graph.arn(secret, "govuk-notify-api-key")
    assert environment.govuk_notify_template_id == "9d751e0e-f929-4891-82a1-a3e1c3c18ee3"
    assert environment.govuk_notify_url == "http://127.0.0.1:9001"
    assert environment.event_webhook_secret_arn == graph.arn(secret, "event-webhook-secret")


def test_an_optional_variable_that_is_not_set_is_absent() -> None:
    variables = variables_of(declare(), "notification")

    assert not variables.keys() & {"CONSOLE_URL", "SLACK_CHANNEL", "SLACK_BOT_TOKEN_ARN", "EVENT_WEBHOOK_SECRET_ARN"}
    assert "" not in variables.values()


def test_no_secret_stands_in_an_environment() -> None:
    graph = declare({"slackChannel": "#leases"}, {"slackBotToken": "xoxb-very-secret", "eventWebhookSecret": "very-secret"})

    for function in graph.all(FUNCTION):
        assert "secret" not in function.secret_inputs
        assert "very-secret" not in str(function.inputs)


def test_the_health_function_knows_its_version() -> None:
    environment = HealthEnvironment.read(variables_of(declare(), "health"))

    assert environment.version == package.version()


def test_a_function_exists_only_once_its_role_may_log() -> None:
    graph = declare()

    for entry_point in ENTRY_POINTS:
        waits_for = graph.options[FUNCTION, entry_point].depends_on
        assert isinstance(waits_for, list)
        assert [type(resource).__name__ for resource in waits_for] == ["RolePolicy"]
