"""What a policy may say, and what each role's policy does say, to the letter."""

import json
from typing import Any

import pytest

from lib.platform.contract import ENTRY_POINTS
from stack.components import iam
from stack.components.iam import Grant
from stack.components.queue import queue_policy
from stack.components.topic import topic_policy
from stack.functions.parts import OF_A_SHOP
from tests.support.project.pulumi_graph import ALIAS, EVERYTHING, JIRA_CONFIG, JIRA_SECRETS, Graph, declare, statements

ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
TABLE, QUEUE, GROUP = "aws:dynamodb/table:Table", "aws:sqs/queue:Queue", "aws:cloudwatch/logGroup:LogGroup"
BUCKET, FUNCTION, SECRET = "aws:s3/bucket:Bucket", "aws:lambda/function:Function", "aws:secretsmanager/secret:Secret"
LOGGING = ["logs:CreateLogStream", "logs:PutLogEvents"]
LEASES = "arn:aws:dynamodb:us-west-2:123456789012:table/SandboxLeases"
KEY = "arn:aws:kms:us-west-2:123456789012:key/1a2b3c4d-1a2b-1a2b-1a2b-1a2b3c4d5e6f"
WITH_KEY = {"leaseTableArn": LEASES, "leaseTableKeyArn": KEY}
SLACK_ONLY = (
    {"notifyChannels": "slack", "slackChannel": "#leases"},
    {"slackBotToken": "hush", "slackWebhookUrl": "hush"},
)


def grants_of(graph: Graph, entry_point: str) -> dict[tuple[str, ...], list[str]]:
    """What the function's role may do besides logging and invoking itself: resources by actions."""
    policy = graph.one(ROLE_POLICY, entry_point)
    assert policy.inputs["role"] == graph.one(ROLE, entry_point).outputs["name"]
    grants: dict[tuple[str, ...], list[str]] = {}
    for each in statements(policy.inputs["policy"]):
        grants.setdefault(tuple(each["Action"]), []).extend(each["Resource"])
    return grants


def conditions_of(graph: Graph, entry_point: str) -> dict[tuple[str, str], Any]:
    """The conditions of what the function's role may do, by action and resource."""
    return {
        (action, resource): each.get("Condition")
        for each in statements(graph.one(ROLE_POLICY, entry_point).inputs["policy"])
        for action in each["Action"]
        for resource in each["Resource"]
    }


def test_the_notification_role_has_exactly_these_grants() -> None:
    graph = declare()

    assert grants_of(graph, "notification") == {
        ("sqs:SendMessage",): [graph.arn(QUEUE, "notification-failures")],
        ("dynamodb:GetItem",): [graph.arn(TABLE, "LeaseTable")],
        ("dynamodb:UpdateItem",): [graph.arn(TABLE, "JiraOperations")],
        ("sns:Publish",): [graph.arn("aws:sns/topic:Topic", "notifications")],
    }


def test_the_notification_role_may_only_get_items_of_the_lease_table() -> None:
    graph = declare()
    lease_table = graph.arn(TABLE, "LeaseTable")

    touching = {actions for actions, resources in grants_of(graph, "notification").items() if lease_table in resources}

    assert touching == {("dynamodb:GetItem",)}


def test_the_notification_role_may_read_only_its_channels_secrets() -> None:
    graph = declare(*EVERYTHING)

    assert sorted(grants_of(graph, "notification")["secretsmanager:GetSecretValue",]) == sorted(
        graph.arn(SECRET, name)
        for name in ("event-webhook-secret", "slack-webhook-url", "teams-webhook-url", "govuk-notify-api-key")
    )


def test_the_notification_role_may_read_only_the_slack_secret_in_use() -> None:
    """With a channel, the bot's token; without one (the test above), the webhook's URL."""
    graph = declare(*SLACK_ONLY)

    assert grants_of(graph, "notification")["secretsmanager:GetSecretValue",] == [graph.arn(SECRET, "slack-bot-token")]


def test_without_the_channel_sns_the_notification_role_may_not_publish() -> None:
    graph = declare(*SLACK_ONLY)

    assert ("sns:Publish",) not in grants_of(graph, "notification")


def test_an_existing_lease_table_is_granted_by_its_own_arn() -> None:
    assert grants_of(declare({"leaseTableArn": LEASES}), "notification")["dynamodb:GetItem",] == [LEASES]


@pytest.mark.parametrize("entry_point", ["notification", "health"])
def test_readers_of_leases_may_decrypt_with_the_lease_tables_key(entry_point: str) -> None:
    with_key = grants_of(declare(WITH_KEY), entry_point)

    assert with_key.pop(("kms:Decrypt",)) == [KEY]
    assert with_key == grants_of(declare({"leaseTableArn": LEASES}), entry_point)


@pytest.mark.parametrize(
    ("partition", "region", "service"),
    [
        ("aws", "us-west-2", "dynamodb.us-west-2.amazonaws.com"),
        ("aws-cn", "cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_key_of_the_lease_table_serves_dynamodb_in_its_region_only(partition: str, region: str, service: str) -> None:
    arn = f"arn:{partition}:dynamodb:{region}:123456789012:table/SandboxLeases"
    key = f"arn:{partition}:kms:{region}:123456789012:key/1a2b3c4d-1a2b-1a2b-1a2b-1a2b3c4d5e6f"
    graph = declare({"leaseTableArn": arn, "leaseTableKeyArn": key})

    for entry_point in ("notification", "health"):
        assert conditions_of(graph, entry_point)["kms:Decrypt", key] == {"StringEquals": {"kms:ViaService": service}}


def test_nobody_else_may_decrypt_by_the_key_of_the_lease_table() -> None:
    graph = declare(WITH_KEY)

    assert {role.name for role in graph.all(ROLE_POLICY) if KEY in role.inputs["policy"]} == {"notification", "health"}


def test_the_webhooks_role_has_exactly_these_grants() -> None:
    graph = declare(JIRA_CONFIG, JIRA_SECRETS)
    issues = graph.arn(TABLE, "JiraIssues")

    assert grants_of(graph, "webhooks") == {
        ("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"): [issues],
        ("dynamodb:Query",): [f"{issues}/index/ProjectIndex"],
        ("s3:PutObject",): [graph.arn(BUCKET, "artifacts") + "/snapshots/*"],
        ("sqs:SendMessage",): [graph.arn(QUEUE, "jira-work")],
        ("secretsmanager:GetSecretValue",): [
            graph.arn(SECRET, "jira-webhook-secret"),
            graph.arn(SECRET, "jira-automation-token"),
            graph.arn(SECRET, "commit-webhook-secret"),
        ],
    }


def test_the_jira_workers_role_has_exactly_these_grants() -> None:
    graph = declare(JIRA_CONFIG, JIRA_SECRETS)
    bucket = graph.arn(BUCKET, "artifacts")

    assert grants_of(graph, "jira_worker") == {
        ("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:Query"): [
            graph.arn(TABLE, "JiraIssues")
        ],
        ("dynamodb:Query",): [graph.arn(TABLE, "JiraIssues") + "/index/ProjectIndex"],
        ("s3:PutObject",): [f"{bucket}/snapshots/*", f"{bucket}/runs/*"],
        ("dynamodb:BatchGetItem", "dynamodb:UpdateItem"): [graph.arn(TABLE, "JiraOperations")],
        ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"): [
            graph.arn(QUEUE, "jira-work"),
            graph.arn(QUEUE, "approval-work"),
        ],
        ("sqs:SendMessage", "sqs:ChangeMessageVisibility"): [graph.arn(QUEUE, "approval-work")],
        ("secretsmanager:GetSecretValue",): [graph.arn(SECRET, "jira-api-token")],
    }


def test_the_reconciliation_role_has_exactly_these_grants() -> None:
    graph = declare(JIRA_CONFIG, JIRA_SECRETS)
    issues, bucket = graph.arn(TABLE, "JiraIssues"), graph.arn(BUCKET, "artifacts")

    assert grants_of(graph, "reconciliation") == {
        ("sqs:SendMessage",): [graph.arn(QUEUE, "reconciliation-failures"), graph.arn(QUEUE, "jira-work")],
        ("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchGetItem"): [issues],
        ("dynamodb:Query",): [f"{issues}/index/ProjectIndex"],
        ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"): [graph.arn(TABLE, "JiraOperations")],
        ("s3:PutObject",): [f"{bucket}/snapshots/*", f"{bucket}/runs/*"],
        ("secretsmanager:GetSecretValue",): [graph.arn(SECRET, "jira-api-token")],
    }


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_function_may_write_to_its_own_log_group_and_no_other(entry_point: str) -> None:
    graph = declare()
    policy = graph.one(ROLE_POLICY, f"{entry_point}-logs").inputs

    assert policy["role"] == graph.one(ROLE, entry_point).outputs["name"]
    assert [(each["Action"], each["Resource"]) for each in statements(policy["policy"])] == [
        (LOGGING, [graph.arn(GROUP, entry_point) + ":*"])
    ]


def test_the_reconciliation_function_may_invoke_itself_and_no_other() -> None:
    graph = declare()
    policy = graph.one(ROLE_POLICY, "reconciliation-itself").inputs

    assert policy["role"] == graph.one(ROLE, "reconciliation").outputs["name"]
    assert [(each["Action"], each["Resource"]) for each in statements(policy["policy"])] == [
        (["lambda:InvokeFunction"], [graph.arn(ALIAS, "reconciliation")])
    ]


def test_the_health_role_may_probe_everything_and_write_only_own_tables() -> None:
    graph = declare(*EVERYTHING)
    own = [graph.arn(TABLE, name) for name in ("JiraIssues", "JiraOperations", "Shuttle")]
    grants = grants_of(graph, "health")

    secrets = grants.pop(("secretsmanager:GetSecretValue",))
    assert sorted(secrets) == sorted(secret.outputs["arn"] for secret in graph.all(SECRET))
    assert grants == {
        ("sqs:SendMessage",): [graph.arn(QUEUE, "health-failures")],
        ("dynamodb:DescribeTable",): [graph.arn(TABLE, "LeaseTable"), *own],
        ("dynamodb:GetItem",): [graph.arn(TABLE, "LeaseTable"), *own],
        ("dynamodb:PutItem", "dynamodb:DeleteItem"): own,
    }


NAMED = {"Null": {"dynamodb:LeadingKeys": "false"}}
"""``ForAllValues`` alone would hold for a request that names no partition key."""


@pytest.mark.parametrize(
    ("entry_point", "operator", "partitions"),
    [
        ("notification", "StringLike", ["event#*"]),
        ("reconciliation", "StringLike", ["reconciliation"]),
        ("health", "StringLike", ["health#*"]),
        ("approvals", "StringNotLike", ["*#*", "reconciliation"]),
        ("jira_worker", "StringNotLike", ["*#*", "reconciliation"]),
    ],
)
def test_each_role_has_its_own_partitions_of_the_operations_table(
    entry_point: str, operator: str, partitions: list[str]
) -> None:
    graph = declare(JIRA_CONFIG, JIRA_SECRETS)
    conditions = {
        action: condition
        for (action, resource), condition in conditions_of(graph, entry_point).items()
        if resource == graph.arn(TABLE, "JiraOperations") and action != "dynamodb:DescribeTable"
    }

    assert conditions
    for condition in conditions.values():
        assert condition == {f"ForAllValues:{operator}": {"dynamodb:LeadingKeys": partitions}, **NAMED}


def test_the_health_role_touches_rows_of_its_own_only_in_every_table() -> None:
    for (action, _), condition in conditions_of(declare(), "health").items():
        if action in {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"}:
            assert condition == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["health#*"]}, **NAMED}


@pytest.mark.parametrize("entry_point", ["webhooks", "jira_worker", "reconciliation", "health"])
def test_without_a_configured_secret_a_role_may_read_none(entry_point: str) -> None:
    assert ("secretsmanager:GetSecretValue",) not in grants_of(declare(), entry_point)


def test_a_role_has_only_its_own_logging_and_self_invoke_policies() -> None:
    graph = declare()
    policies: dict[str, list[str]] = {}
    for policy in graph.all(ROLE_POLICY):
        policies.setdefault(policy.inputs["role"], []).append(policy.name)

    for role in graph.all(ROLE):
        assert not role.inputs.keys() & {"managedPolicyArns", "inlinePolicies"}
        more = [f"{role.name}-logs"] if role.name in ENTRY_POINTS else []
        more += ["reconciliation-itself"] if role.name == "reconciliation" else []
        assert sorted(policies.pop(role.outputs["name"])) == sorted([role.name, *more])
    assert not policies
    assert not graph.all("aws:iam/rolePolicyAttachment:RolePolicyAttachment")


def test_only_the_intended_service_may_assume_each_role() -> None:
    """Lambda assumes the roles of functions, the scheduler its own role."""
    for role in declare().all(ROLE):
        service = "scheduler" if role.name == "scheduler" else "lambda"

        assert [each["Principal"] for each in statements(role.inputs["assumeRolePolicy"])] == [
            {"Service": f"{service}.amazonaws.com"}
        ]


def test_the_scheduler_assumes_its_role_only_for_this_stacks_schedules() -> None:
    graph = declare()
    group = graph.one("aws:scheduler/scheduleGroup:ScheduleGroup").outputs
    [statement] = statements(graph.one(ROLE, "scheduler").inputs["assumeRolePolicy"])

    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": group["arn"]},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    }
    for schedule in graph.all("aws:scheduler/schedule:Schedule"):
        assert schedule.inputs["groupName"] == group["name"]


def test_wildcards_cover_only_log_streams_and_objects_of_a_folder() -> None:
    graph = declare(*EVERYTHING)
    artifacts, imports = graph.arn(BUCKET, "artifacts"), graph.arn(BUCKET, "imports")
    files = {f"{imports}/{folder}" for folder in OF_A_SHOP}
    folders = {
        "s3:PutObject": {f"{artifacts}/runs/", f"{artifacts}/snapshots/", *files},
        "s3:GetObject": files,
        "s3:ListMultipartUploadParts": {f"{imports}/uploads/"},
        "s3:AbortMultipartUpload": files,
        "s3:DeleteObject": files,
    }
    for policy in graph.all(ROLE_POLICY):
        for each in statements(policy.inputs["policy"]):
            assert "*" not in "".join(each["Action"])
            if each["Action"][0] in folders:
                for action in each["Action"]:
                    assert {resource.removesuffix("*") for resource in each["Resource"]} <= folders[action]
            elif each["Action"] != LOGGING:
                assert "*" not in "".join(each["Resource"])


@pytest.mark.parametrize("actions", [("*",), ("dynamodb:*",), ("dynamodb:Get*",)])
def test_an_action_with_a_wildcard_is_refused_whatever_the_reason(actions: tuple[str, ...]) -> None:
    grant = Grant(actions=actions, resources=("arn:aws:s3:::bucket",), wildcard_reason="I would like to")

    with pytest.raises(ValueError, match="actions are exact"):
        iam.policy_document([grant])


@pytest.mark.parametrize("resource", ["*", "arn:aws:dynamodb:us-west-2:123456789012:table/*"])
def test_a_wildcard_resource_needs_a_reason(resource: str) -> None:
    grant = Grant(actions=("dynamodb:GetItem",), resources=(resource,))
    with pytest.raises(ValueError, match="wildcard_reason"):
        iam.policy_document([grant])

    reasoned = Grant(actions=grant.actions, resources=grant.resources, wildcard_reason="the action has no resource level")
    assert iam.policy_document([reasoned])["Statement"][0]["Resource"] == [resource]


@pytest.mark.parametrize(
    "grant",
    [
        Grant(actions=(), resources=("arn:aws:s3:::bucket",)),
        Grant(actions=("s3:GetObject",), resources=()),
        Grant(actions=("s3:GetObject",), resources=("bucket",)),
    ],
)
def test_a_grant_without_actions_or_with_a_bad_arn_is_refused(grant: Grant) -> None:
    with pytest.raises(ValueError, match=r"grants nothing|is not an ARN"):
        iam.policy_document([grant])


def refusals_of_plain_http(policy: dict[str, Any]) -> list[str]:
    return [
        each["Resource"]
        for each in policy["Statement"]
        if each["Effect"] == "Deny" and each["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    ]


def test_every_queue_and_topic_refuses_plain_http() -> None:
    graph = declare()
    policies = [*graph.all("aws:sqs/queuePolicy:QueuePolicy"), *graph.all("aws:sns/topicPolicy:TopicPolicy")]
    refused = [arn for each in policies for arn in refusals_of_plain_http(json.loads(each.inputs["policy"]))]

    assert sorted(refused) == sorted(
        resource.outputs["arn"] for resource in (*graph.all(QUEUE), *graph.all("aws:sns/topic:Topic"))
    )


def test_a_queue_accepts_only_the_one_rule_that_may_send() -> None:
    policy = queue_policy("arn:aws:sqs:us-west-2:123456789012:dead", "arn:aws:events:us-west-2:123456789012:rule/bus/lease")
    [allowed] = [each for each in policy["Statement"] if each["Effect"] == "Allow"]

    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert allowed["Action"] == "sqs:SendMessage"
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": "arn:aws:events:us-west-2:123456789012:rule/bus/lease"}}


def test_only_the_alarm_topics_let_an_aws_service_publish() -> None:
    may_publish = {
        policy.name: each["Principal"]
        for policy in declare().all("aws:sns/topicPolicy:TopicPolicy")
        for each in statements(policy.inputs["policy"])
        if each["Effect"] == "Allow"
    }

    assert may_publish == {
        "alarms-page": {"Service": "cloudwatch.amazonaws.com"},
        "alarms-ticket": {"Service": "cloudwatch.amazonaws.com"},
    }


def test_the_alarm_topic_lets_cloudwatch_publish_from_this_account_only() -> None:
    policy = topic_policy("arn:aws:sns:us-west-2:123456789012:alarms", ("cloudwatch.amazonaws.com",))
    [allowed] = [each for each in policy["Statement"] if each["Effect"] == "Allow"]

    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
