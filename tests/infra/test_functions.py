"""The functions: what they run on, what they know, where their log goes and where their failures end."""

import json
import re
from typing import Any, cast

import pulumi
import pytest

from lib.notifications.routing import Rule, parse_rules
from lib.platform import contract
from lib.platform.contract import ENTRY_POINTS, METRICS_NAMESPACE
from lib.platform.environment.health import HealthEnvironment
from lib.platform.environment.jira_worker import JiraWorkerEnvironment
from lib.platform.environment.notification import NotificationEnvironment
from lib.platform.environment.reconciliation import ReconciliationEnvironment
from lib.platform.environment.webhooks import WebhooksEnvironment
from stack.packaging import archive
from stack.settings import Settings
from tests.support.project.pulumi_graph import ALIAS, EVERYTHING, JIRA_CONFIG, JIRA_SECRETS, Graph, Resource, declare

FUNCTION, TABLE = "aws:lambda/function:Function", "aws:dynamodb/table:Table"
BUCKET, QUEUE, SECRET = "aws:s3/bucket:Bucket", "aws:sqs/queue:Queue", "aws:secretsmanager/secret:Secret"
INVOKE_CONFIG = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"

WITH_JIRA = ({**JIRA_CONFIG, "historyDays": "90", "reconcileMaxDeletes": "5%"}, JIRA_SECRETS)

GIVEN_EVENTS = ["notification", "reconciliation", "imports", "health"]
"""The functions that a rule, a schedule or they themselves invoke asynchronously."""


def variables_of(graph: Graph, entry_point: str) -> dict[str, str]:
    return dict(graph.one(FUNCTION, entry_point).inputs["environment"]["variables"])


def test_there_is_a_function_for_each_entry_point_that_exists() -> None:
    assert sorted(function.name for function in declare().all(FUNCTION)) == sorted(ENTRY_POINTS)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_function_runs_its_entry_point_on_arm64_python_3_13(entry_point: str) -> None:
    inputs = declare().one(FUNCTION, entry_point).inputs

    assert inputs["handler"] == f"handlers.{entry_point}.lambda_handler"
    assert (archive.ROOT / "handlers" / f"{entry_point}.py").is_file()
    assert inputs["architectures"] == ["arm64"]
    assert inputs["runtime"] == f"python{archive.PYTHON_VERSION}"


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_function_is_published_and_its_alias_names_that_version(entry_point: str) -> None:
    graph = declare()
    function, alias = graph.one(FUNCTION, entry_point), graph.one(ALIAS, entry_point).inputs

    assert function.inputs["publish"] is True
    assert alias == {
        "name": contract.ALIAS,
        "functionName": function.outputs["name"],
        "functionVersion": function.outputs["version"],
    }


def test_another_configuration_publishes_a_version_of_every_function() -> None:
    """So that the versions of one deployment belong together: a rollback moves all of them."""

    def revisions(graph: Graph) -> set[str]:
        return {contract.revision_in(each.inputs["description"]) for each in graph.all(FUNCTION)}

    [one], [other] = revisions(declare()), revisions(declare(*EVERYTHING))
    assert re.fullmatch(archive.git_sha()[:12] + r"\.[0-9a-f]{6}", one)
    assert one != other


def test_another_secret_is_not_another_configuration() -> None:
    one, two = (cast("pulumi.Output[str]", object()) for _ in range(2))

    digests = {Settings.from_mapping({}, {"eventWebhookSecret": each}).digest() for each in (one, two)}
    assert digests == {Settings.from_mapping({}, {}).digest()}
    assert Settings.from_mapping({"historyDays": "90"}, {}).digest() not in digests


def test_nothing_invokes_a_function_but_by_its_alias() -> None:
    """An event source, a target, an integration or a grant on the function itself would miss a rollback."""
    graph = declare(*EVERYTHING)
    unqualified = {each.outputs["arn"] for each in graph.all(FUNCTION)}
    names = {each.outputs["name"] for each in graph.all(FUNCTION)}

    for resource in graph.resources:
        if resource.type not in {ALIAS, FUNCTION, "aws:lambda/functionRecursionConfig:FunctionRecursionConfig"}:
            assert not [arn for arn in unqualified if json.dumps(arn) in json.dumps(resource.inputs)], resource
            assert resource.inputs.get("functionName") not in names or resource.inputs.get("qualifier") == contract.ALIAS
    assert {each.inputs["qualifier"] for each in graph.all("aws:lambda/permission:Permission")} == {contract.ALIAS}


def test_a_route_is_permitted_before_the_api_invokes_another_alias() -> None:
    graph = declare()

    for integration in graph.all("aws:apigatewayv2/integration:Integration"):
        waits_for = graph.options[integration.type, integration.name].depends_on
        assert isinstance(waits_for, list)
        assert {type(each).__name__ for each in waits_for} == {"Permission"}


def test_snap_start_applies_to_each_function_that_lambda_can_copy() -> None:
    """Not to one with a larger disk: docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-runtimes"""
    graph = declare({"snapStart": "true"})

    for function in graph.all(FUNCTION):
        is_small = function.inputs["ephemeralStorage"]["size"] <= 512
        assert function.inputs.get("snapStart") == ({"applyOn": "PublishedVersions"} if is_small else None)
    assert [each.name for each in graph.all(FUNCTION) if "snapStart" not in each.inputs] == ["imports"]
    assert not any("snapStart" in each.inputs for each in declare().all(FUNCTION))


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_function_logs_json_to_a_group_of_its_own_that_forgets(entry_point: str) -> None:
    graph = declare(*EVERYTHING)
    group = graph.one("aws:cloudwatch/logGroup:LogGroup", entry_point)
    function = graph.one(FUNCTION, entry_point)

    assert function.inputs["loggingConfig"] == {"logFormat": "JSON"}  # the runtime's own lines too
    assert group.inputs["name"] == f"/aws/lambda/{function.outputs['name']}"  # where Lambda logs by default
    assert group.inputs["retentionInDays"] == 90


def test_no_log_group_keeps_logs_forever() -> None:
    groups = declare().all("aws:cloudwatch/logGroup:LogGroup")

    assert all(group.inputs["retentionInDays"] == 30 for group in groups)


@pytest.mark.parametrize("entry_point", GIVEN_EVENTS)
def test_a_failed_event_is_retried_twice_and_then_kept(entry_point: str) -> None:
    graph = declare()
    function: Resource = graph.one(FUNCTION, entry_point)
    config = graph.one(INVOKE_CONFIG, entry_point).inputs
    queue = graph.one(QUEUE, f"{entry_point}-failures")

    assert (config["functionName"], config["qualifier"]) == (function.outputs["name"], "live")
    assert config["maximumRetryAttempts"] == 2
    assert 60 <= config["maximumEventAgeInSeconds"] <= 21600  # what Lambda allows
    assert config["destinationConfig"] == {"onFailure": {"destination": queue.outputs["arn"]}}


def test_a_function_that_is_given_no_event_has_no_queue_for_failed_ones() -> None:
    graph = declare()

    assert sorted(config.name for config in graph.all(INVOKE_CONFIG)) == sorted(GIVEN_EVENTS)
    assert {queue.name for queue in graph.all(QUEUE)} == {
        *(f"{entry_point}-failures" for entry_point in GIVEN_EVENTS),
        "lease-events-dead-letters",
        "jira-work",
        "jira-work-dead-letters",
        "approval-work",
        "approval-work-dead-letters",
        "shuttle-jobs",
        "shuttle-jobs-dead-letters",
    }


def test_config_reserves_concurrency_for_approvals_and_webhooks() -> None:
    found = {each.name: each.inputs.get("reservedConcurrentExecutions") for each in declare(*EVERYTHING).all(FUNCTION)}

    assert {name: reserved for name, reserved in found.items() if reserved} == {"approvals": 10, "webhooks": 20}


def test_by_default_no_function_takes_concurrency_from_the_account() -> None:
    """An account whose quota leaves less than 100 unreserved refuses a reservation."""
    assert not any("reservedConcurrentExecutions" in each.inputs for each in declare().all(FUNCTION))


def test_queues_are_encrypted_and_dead_letters_outlive_their_source() -> None:
    """A dead letter is kept for longer than it can have waited in its source queue."""
    for queue in declare().all(QUEUE):
        assert queue.inputs["sqsManagedSseEnabled"] is True
        days = 4 if "redrivePolicy" in queue.inputs else 14
        assert queue.inputs["messageRetentionSeconds"] == days * 24 * 3600


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_metrics_use_the_functions_name_and_the_codes_namespace(entry_point: str) -> None:
    variables = variables_of(declare(), entry_point)

    assert variables["POWERTOOLS_SERVICE_NAME"] == entry_point
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == METRICS_NAMESPACE


def test_the_notification_function_gets_tables_and_topic_from_outputs() -> None:
    graph = declare()
    lease_table = graph.one(TABLE, "LeaseTable").outputs
    environment = NotificationEnvironment.read(variables_of(graph, "notification"))

    assert environment == NotificationEnvironment(
        lease_table_arn=lease_table["arn"],
        operations_table_name=graph.one(TABLE, "JiraOperations").outputs["name"],
        notify_channels=("sns",),
        notification_topic_arn=graph.arn("aws:sns/topic:Topic", "notifications"),
    )


def test_the_notification_function_knows_every_channels_settings() -> None:
    graph = declare(
        {
            "notifyChannels": "sns,slack,teams,govuk_notify",
            "consoleUrl": "https://sandbox.example.com",
            "consoleLeasePath": "/leases/{uuid}",
            "notifyRoutes": '[{"match": {"account": 123456789}, "channels": ["sns"]}]',
            "slackApiUrl": "http://127.0.0.1:9000/api/",
            "slackChannel": "#leases",
            "govukNotifyTemplateId": "9d751e0e-f929-4891-82a1-a3e1c3c18ee3",
            "govukNotifyUrl": "http://127.0.0.1:9001",
        },
        {"slackBotToken": "hush", "teamsWebhookUrl": "hush", "govukNotifyApiKey": "hush", "eventWebhookSecret": "hush"},
    )
    environment = NotificationEnvironment.read(variables_of(graph, "notification"))

    assert environment.notify_channels == ("sns", "slack", "teams", "govuk_notify")
    assert environment.console_url == "https://sandbox.example.com"
    assert parse_rules(environment.notify_routes) == (Rule(account=("000123456789",), channels=("sns",)),)
    assert environment.console_lease_path == "/leases/{uuid}"
    assert environment.slack_api_url == "http://127.0.0.1:9000/api/"
    assert environment.slack_channel == "#leases"
    assert environment.slack_bot_token_arn == graph.arn(SECRET, "slack-bot-token")
    assert environment.slack_webhook_url_arn == ""
    assert environment.teams_webhook_url_arn == graph.arn(SECRET, "teams-webhook-url")
    assert environment.govuk_notify_api_key_arn == graph.arn(SECRET, "govuk-notify-api-key")
    assert environment.govuk_notify_template_id == "9d751e0e-f929-4891-82a1-a3e1c3c18ee3"
    assert environment.govuk_notify_url == "http://127.0.0.1:9001"
    assert environment.event_webhook_secret_arn == graph.arn(SECRET, "event-webhook-secret")


def test_an_optional_variable_that_is_not_set_is_absent() -> None:
    variables = variables_of(declare(), "notification")

    assert not variables.keys() & {"CONSOLE_URL", "SLACK_CHANNEL", "SLACK_BOT_TOKEN_ARN", "EVENT_WEBHOOK_SECRET_ARN"}
    assert "" not in variables.values()


def test_no_environment_contains_a_secret() -> None:
    for function in declare(*EVERYTHING).all(FUNCTION):
        assert not function.secret_inputs
        assert "hush" not in str(function.inputs)


def of_jira(graph: Graph) -> dict[str, Any]:
    """What every function of Jira gets."""
    return {
        "jira_issues_table_name": graph.one(TABLE, "JiraIssues").outputs["name"],
        "artifact_bucket_name": graph.one(BUCKET, "artifacts").outputs["bucket"],
        "history_days": 90,
        "jira_projects": ("TES", "OPS"),
    }


def access_to_jira(graph: Graph) -> dict[str, Any]:
    return {
        "jira_base_url": "https://example.atlassian.net",
        "jira_email": "switchboard@example.com",
        "jira_api_token_arn": graph.arn(SECRET, "jira-api-token"),
    }


def test_the_webhooks_function_gets_its_whole_environment() -> None:
    """Table, bucket, queue, projects and the secrets of its senders."""
    graph = declare(*WITH_JIRA)

    assert WebhooksEnvironment.read(variables_of(graph, "webhooks")) == WebhooksEnvironment(
        **of_jira(graph),
        jira_queue_url=graph.one(QUEUE, "jira-work").outputs["url"],
        jira_webhook_secret_arn=graph.arn(SECRET, "jira-webhook-secret"),
        jira_automation_token_arn=graph.arn(SECRET, "jira-automation-token"),
        commit_webhook_secret_arn=graph.arn(SECRET, "commit-webhook-secret"),
        version=archive.version(),
    )


def test_the_jira_worker_knows_table_bucket_and_how_to_ask_jira() -> None:
    graph = declare(*WITH_JIRA)

    assert JiraWorkerEnvironment.read(variables_of(graph, "jira_worker")) == JiraWorkerEnvironment(
        **of_jira(graph),
        **access_to_jira(graph),
        operations_table_name=graph.one(TABLE, "JiraOperations").outputs["name"],
        approval_queue_url=graph.one(QUEUE, "approval-work").outputs["url"],
        git_sha=archive.git_sha(),
    )


def test_the_reconciliation_function_gets_its_whole_environment() -> None:
    """Tables, bucket, projects, the limit of deletions and the access to Jira."""
    graph = declare(*WITH_JIRA)

    assert ReconciliationEnvironment.read(variables_of(graph, "reconciliation")) == ReconciliationEnvironment(
        **of_jira(graph),
        **access_to_jira(graph),
        operations_table_name=graph.one(TABLE, "JiraOperations").outputs["name"],
        jira_queue_url=graph.one(QUEUE, "jira-work").outputs["url"],
        reconcile_max_deletes="5%",
        git_sha=archive.git_sha(),
    )


def test_the_health_function_knows_all_that_it_checks_and_its_version() -> None:
    graph = declare(*WITH_JIRA)
    environment = HealthEnvironment.read(variables_of(graph, "health"))

    assert sorted(environment.secret_arns) == sorted(secret.outputs["arn"] for secret in graph.all(SECRET))
    assert environment == HealthEnvironment(
        lease_table_arn=graph.arn(TABLE, "LeaseTable"),
        jira_issues_table_name=graph.one(TABLE, "JiraIssues").outputs["name"],
        operations_table_name=graph.one(TABLE, "JiraOperations").outputs["name"],
        shuttle_table_name=graph.one(TABLE, "Shuttle").outputs["name"],
        secret_arns=environment.secret_arns,
        **access_to_jira(graph),
        version=archive.version(),
    )


def test_without_a_jira_site_every_function_has_what_it_needs_all_the_same() -> None:
    graph = declare()

    webhooks = WebhooksEnvironment.read(variables_of(graph, "webhooks"))
    assert (webhooks.jira_webhook_secret_arn, webhooks.jira_automation_token_arn) == ("", "")
    assert JiraWorkerEnvironment.read(variables_of(graph, "jira_worker")).jira_base_url == ""
    assert ReconciliationEnvironment.read(variables_of(graph, "reconciliation")).jira_projects == ()
    assert HealthEnvironment.read(variables_of(graph, "health")).secret_arns == ()


def test_a_function_exists_only_once_its_role_has_its_grants() -> None:
    graph = declare()

    for entry_point in ENTRY_POINTS:
        waits_for = graph.options[FUNCTION, entry_point].depends_on
        assert isinstance(waits_for, list)
        assert [type(resource).__name__ for resource in waits_for] == ["RolePolicy"]
