"""The resources of approvals: two routes, a function, a queue of their own, exact grants, and the config they need."""

import json
from typing import Any, cast

import pulumi
import pytest

from lib.platform.environment.approvals import ApprovalsEnvironment
from lib.platform.environment.jira_worker import JiraWorkerEnvironment
from stack.components.http_api import ROUTES
from stack.config_values import SettingsError
from stack.functions import jira_worker
from stack.settings import Settings
from tests.support.project.pulumi_graph import ALIAS, Graph, declare, statements

FUNCTION, TABLE, QUEUE = "aws:lambda/function:Function", "aws:dynamodb/table:Table", "aws:sqs/queue:Queue"
SECRET, MAPPING = "aws:secretsmanager/secret:Secret", "aws:lambda/eventSourceMapping:EventSourceMapping"
CONFIG = {
    "jiraBaseUrl": "https://example.atlassian.net",
    "jiraEmail": "switchboard@example.com",
    "jiraProjects": "OPS,WEB",
    "approvers": "U0ADA,U0GRACE",
    "approvalsChannel": "#approvals",
    "requireOtherApprover": "false",
    "approvalReminderHours": "4",
    "approvalExpiryDays": "3",
    "jiraDryRun": "true",
}
SECRETS = {"jiraApiToken": "hush", "slackBotToken": "hush", "slackSigningSecret": "hush"}
# Never opened here.
A_SECRET = cast("pulumi.Output[str]", object())


def variables_of(graph: Graph, entry_point: str) -> dict[str, str]:
    return dict(graph.one(FUNCTION, entry_point).inputs["environment"]["variables"])


def grants_of(graph: Graph, entry_point: str) -> list[tuple[tuple[str, ...], list[str]]]:
    policy = graph.one("aws:iam/rolePolicy:RolePolicy", entry_point)
    return [(tuple(each["Action"]), each["Resource"]) for each in statements(policy.inputs["policy"])]


def test_drafts_require_an_aws_signature_and_the_function_checks_clicks() -> None:
    ours = {route.key: route.authorization.value for route in ROUTES if route.entry_point == "approvals"}

    assert ours == {"POST /drafts": "AWS_IAM", "POST /slack/interactions": "NONE"}
    declared = {route.inputs["routeKey"]: route.inputs for route in declare().all("aws:apigatewayv2/route:Route")}
    assert {key: declared[key]["authorizationType"] for key in ours} == ours


def test_the_approvals_function_knows_the_rules_of_the_config() -> None:
    graph = declare(CONFIG, SECRETS)

    assert ApprovalsEnvironment.read(variables_of(graph, "approvals")) == ApprovalsEnvironment(
        operations_table_name=graph.one(TABLE, "JiraOperations").outputs["name"],
        approval_queue_url=url_of(graph, "approval-work"),
        slack_signing_secret_arn=graph.arn(SECRET, "slack-signing-secret"),
        has_channel=True,
        jira_base_url=CONFIG["jiraBaseUrl"],
        jira_projects=("OPS", "WEB"),
        approvers=("U0ADA", "U0GRACE"),
        require_other_approver=False,
        approval_reminder_hours=4,
        approval_expiry_days=3,
    )


def test_the_worker_knows_what_approvals_need() -> None:
    graph = declare(CONFIG, SECRETS)
    environment = JiraWorkerEnvironment.read(variables_of(graph, "jira_worker"))

    assert environment.operations_table_name == graph.one(TABLE, "JiraOperations").outputs["name"]
    assert environment.approval_queue_url == url_of(graph, "approval-work")
    assert environment.slack_bot_token_arn == graph.arn(SECRET, "slack-bot-token")
    assert (environment.approvals_channel, environment.jira_dry_run) == ("#approvals", True)
    assert (environment.approvers, environment.require_other_approver) == (("U0ADA", "U0GRACE"), False)


def test_previews_default_to_the_notification_channel() -> None:
    graph = declare({"slackChannel": "#leases"})

    assert variables_of(graph, "jira_worker")["APPROVALS_CHANNEL"] == "#leases"
    assert variables_of(graph, "approvals")["HAS_CHANNEL"] == "true"
    assert variables_of(declare(), "approvals")["HAS_CHANNEL"] == "false"


def test_the_approvals_function_knows_what_is_missing() -> None:
    assert variables_of(declare(), "approvals")["MISSING_SETTINGS"] == "slackBotToken,slackSigningSecret,jiraBaseUrl"
    assert "MISSING_SETTINGS" not in variables_of(declare(CONFIG, SECRETS), "approvals")


def test_the_approvals_role_has_exactly_these_grants() -> None:
    graph = declare(CONFIG, SECRETS)

    assert grants_of(graph, "approvals") == [
        (("dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"), [graph.arn(TABLE, "JiraOperations")]),
        (("dynamodb:Query",), [f"{graph.arn(TABLE, 'JiraOperations')}/index/StateIndex"]),
        (("sqs:SendMessage",), [graph.arn(QUEUE, "approval-work")]),
        (("secretsmanager:GetSecretValue",), [graph.arn(SECRET, "slack-signing-secret")]),
    ]


def test_the_workers_role_has_these_grants_for_approvals_and_no_others() -> None:
    graph = declare(CONFIG, SECRETS)
    grants = grants_of(graph, "jira_worker")
    ours = [each for each in grants if "JiraIssues" not in str(each) and not each[0][0].startswith("s3:")]

    assert ours == [
        (("dynamodb:BatchGetItem", "dynamodb:UpdateItem"), [graph.arn(TABLE, "JiraOperations")]),
        (("sqs:SendMessage", "sqs:ChangeMessageVisibility"), [graph.arn(QUEUE, "approval-work")]),
        (
            ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
            [graph.arn(QUEUE, "jira-work"), graph.arn(QUEUE, "approval-work")],
        ),
        (
            ("secretsmanager:GetSecretValue",),
            [graph.arn(SECRET, "jira-api-token"), graph.arn(SECRET, "slack-bot-token")],
        ),
    ]


def test_only_approvals_and_health_may_read_the_signing_secret() -> None:
    graph = declare(CONFIG, SECRETS)
    secret = graph.arn(SECRET, "slack-signing-secret")
    functions = [function.name for function in graph.all(FUNCTION)]

    assert {name for name in functions if secret in str(grants_of(graph, name))} == {"approvals", "health"}


def test_approvals_have_their_own_queue_with_a_batch_size_of_one() -> None:
    graph = declare()
    queue = graph.one(QUEUE, "approval-work")
    mapping = graph.one(MAPPING, "approval-work").inputs

    assert mapping["eventSourceArn"] == queue.outputs["arn"]
    assert mapping["functionName"] == graph.arn(ALIAS, "jira_worker")
    assert mapping["batchSize"] == 1
    assert not mapping.get("maximumBatchingWindowInSeconds")
    assert mapping["functionResponseTypes"] == ["ReportBatchItemFailures"]
    assert queue.inputs["visibilityTimeoutSeconds"] == 6 * jira_worker.TIMEOUT_SECONDS
    redrive: dict[str, Any] = json.loads(queue.inputs["redrivePolicy"])
    assert redrive == {"deadLetterTargetArn": graph.arn(QUEUE, "approval-work-dead-letters"), "maxReceiveCount": 5}


@pytest.mark.parametrize("name", ["approval-work-dead-letters-depth", "approval-work-age", "issue-creation-failed"])
def test_late_work_raises_an_alarm(name: str) -> None:
    assert declare().one("aws:cloudwatch/metricAlarm:MetricAlarm", name)


def test_a_signing_secret_without_a_bot_token_is_refused_in_one_sentence() -> None:
    with pytest.raises(SettingsError, match=r"^switchboard:slackBotToken is not set, but switchboard:slackSigningSecret "):
        Settings.from_mapping({}, {"slackSigningSecret": A_SECRET})


@pytest.mark.parametrize(
    ("key", "value"), [("approvers", "@ada"), ("approvers", "ada"), ("approvers", "Ada L"), ("approvalsChannel", "the one")]
)
def test_people_are_ids_and_a_channel_is_a_name_or_an_id(key: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^switchboard:{key} must be "):
        Settings.from_mapping({key: value}, {})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("approvalReminderHours", "-1"),
        ("approvalReminderHours", "721"),
        ("approvalExpiryDays", "366"),
        ("approvalExpiryDays", "x"),
    ],
)
def test_waiting_times_are_zero_or_a_number_within_limits(key: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^switchboard:{key} must be "):
        Settings.from_mapping({key: value}, {})


def url_of(graph: Graph, queue: str) -> str:
    return f"https://sqs.us-west-2.amazonaws.com/123456789012/{graph.one(QUEUE, queue).outputs['name']}"
