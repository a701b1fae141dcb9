"""docs/reference/deployer-policy-*.json grant what Pulumi needs for the declared resources, and little else."""

import functools
import json
import re
from typing import Any

import botocore.session
import pytest
import yaml

from lib.platform.contract import ALL_ENTRY_POINTS
from stack.local.iam.conditions import arn_like
from tests.support.project import deployer_policy
from tests.support.project.deployer_actions import NEEDS, ROLE
from tests.support.project.documentation import ROOT
from tests.support.project.pulumi_graph import ACCOUNT, REGION, statements

READ_BACK = yaml.safe_load((ROOT / "tests" / "integration" / "provider_read_back.yaml").read_text(encoding="utf-8"))

# Actions whose name is not that of the operation: https://docs.aws.amazon.com/service-authorization/latest/reference/
OPERATIONS = {
    "s3:ListBucket": "HeadBucket",
    "s3:ListBucketVersions": "ListObjectVersions",
    "s3:DeleteObjectVersion": "DeleteObject",
    "s3:GetAccelerateConfiguration": "GetBucketAccelerateConfiguration",
    "s3:GetBucketCORS": "GetBucketCors",
    "s3:PutBucketCORS": "PutBucketCors",
    "s3:GetBucketNotification": "GetBucketNotificationConfiguration",
    "s3:PutBucketNotification": "PutBucketNotificationConfiguration",
    "s3:GetBucketObjectLockConfiguration": "GetObjectLockConfiguration",
    "s3:GetBucketPublicAccessBlock": "GetPublicAccessBlock",
    "s3:PutBucketPublicAccessBlock": "PutPublicAccessBlock",
    "s3:GetEncryptionConfiguration": "GetBucketEncryption",
    "s3:PutEncryptionConfiguration": "PutBucketEncryption",
    "s3:GetLifecycleConfiguration": "GetBucketLifecycleConfiguration",
    "s3:PutLifecycleConfiguration": "PutBucketLifecycleConfiguration",
    "s3:GetReplicationConfiguration": "GetBucketReplication",
}
# Actions without an operation: a permission that other operations need, or of an API that has no SDK.
WITHOUT_OPERATION = {
    "iam:PassRole",
    *(f"logs:{verb}LogDelivery" for verb in ("Create", "Delete", "Get", "Update")),
    "logs:ListLogDeliveries",
}
CLIENTS = {"s3": ("s3", "s3control")}


graph = functools.cache(deployer_policy.graph_of)


@functools.cache
def granted() -> list[dict[str, Any]]:
    """The statements of all policies."""
    return [each for policy in deployer_policy.policies(ACCOUNT, REGION).values() for each in policy["Statement"]]


def actions() -> set[str]:
    return {action for statement in granted() for action in statement["Action"]}


def allows(action: str, arn: str) -> bool:
    """Whether a statement allows ``action`` on ``arn``, whatever its conditions are."""
    return any(
        action in statement["Action"] and any(arn_like(pattern, arn) for pattern in statement["Resource"])
        for statement in granted()
    )


def arns(type_: str) -> list[str]:
    """The ARNs of the declared resources of a type, as AWS has them."""
    place = {"partition": "aws", "account": ACCOUNT, "region": REGION}
    found = deployer_policy.resources_of(graph(), type_, place)
    return [arn.replace("*", "x").replace("-???????", "-1a2b3c4").replace("-??????", "-AbCdEf") for arn in found]


@functools.cache
def operation_names(service: str) -> set[str]:
    session = botocore.session.get_session()
    return {name for client in CLIENTS.get(service, (service,)) for name in session.get_service_model(client).operation_names}


@pytest.mark.parametrize("part", deployer_policy.PARTS)
def test_the_file_is_current(part: str) -> None:
    """``python -m tests.support.project.deployer_policy`` writes it."""
    file = deployer_policy.FOLDER / deployer_policy.file_name(part)

    assert file.read_text(encoding="utf-8") == deployer_policy.text(deployer_policy.policies()[part])


def test_every_declared_type_of_resource_has_actions_and_no_other_has() -> None:
    assert set(NEEDS) == {resource.type for resource in graph().resources}


@pytest.mark.parametrize("type_", NEEDS)
def test_the_policies_allow_what_a_type_needs_on_each_of_its_resources(type_: str) -> None:
    needs = NEEDS[type_]

    for arn in arns(needs.on or type_):
        assert [each for each in needs.actions if not allows(f"{needs.service}:{each}", arn)] == [], arn
    assert [each for each in needs.anywhere if not allows(each, "*")] == []


@pytest.mark.parametrize("entry", READ_BACK, ids=lambda entry: entry["type"])
def test_the_calls_that_were_seen_of_the_provider_are_granted(entry: dict[str, Any]) -> None:
    """tests/integration/provider_read_back.yaml has how the provider sets and reads each type."""
    client, _, write = next(iter(entry["write"])).partition(".")
    needs = NEEDS[entry["type"]]
    granted = {f"{needs.service}:{each}" for each in needs.actions} | set(needs.anywhere)
    granted |= {f"{needs.service}:{each}" for each in NEEDS[needs.on or entry["type"]].actions}
    model = botocore.session.get_session().get_service_model(client)
    operations = {name.lower(): name for name in model.operation_names}

    for called in (write, next(iter(entry["read"]))):
        operation = operations[called.replace("_", "")]
        if client == "apigatewayv2":
            wanted = f"apigateway:{model.operation_model(operation).http['method']}"
        else:
            wanted = next((action for action, name in OPERATIONS.items() if name == operation), f"{client}:{operation}")
        # A mapping is read by its ID: the local test finds it in the list.
        assert wanted in granted or operation == "ListEventSourceMappings", operation


def test_each_action_is_an_operation_that_botocore_knows() -> None:
    unknown = set()
    for action in actions():
        service, _, name = action.partition(":")
        if service != "apigateway" and OPERATIONS.get(action, name) not in operation_names(service):
            unknown.add(action)

    assert unknown == WITHOUT_OPERATION


def test_every_renamed_action_is_used() -> None:
    dev = deployer_policy.policies(ACCOUNT, REGION, "dev")["data"]["Statement"]
    used = {*actions(), *(action for statement in dev for action in statement["Action"])}

    assert OPERATIONS.keys() | WITHOUT_OPERATION <= used


def test_no_action_has_a_wildcard() -> None:
    assert [action for action in actions() if "*" in action or "?" in action] == []


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:us-west-2:123456789012:function:payroll-1a2b3c4"),
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:us-west-2:123456789012:function:notification"),
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:eu-west-1:123456789012:function:notification-1a2b3c4"),
        ("dynamodb:DeleteTable", "arn:aws:dynamodb:us-west-2:123456789012:table/Payroll-1a2b3c4"),
        ("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/admin"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/admin"),
        ("s3:DeleteBucket", "arn:aws:s3:::payroll"),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-west-2:123456789012:secret:payroll-AbCdEf"),
        ("sqs:DeleteQueue", "arn:aws:sqs:us-west-2:123456789012:payroll"),
    ],
)
def test_the_policies_do_not_allow_anything_on_what_is_not_of_the_stack(action: str, arn: str) -> None:
    assert not allows(action, arn)


def test_every_resource_names_what_the_stack_declares_unless_aws_cannot() -> None:
    broad = {statement["Sid"] for statement in granted() if "*" in statement["Resource"]}

    assert broad == {"EventSourceMapping", "NotLimitedByAws"}
    assert all(statement.get("Condition") for statement in granted() if statement["Sid"] in broad)


def test_an_event_source_mapping_is_limited_to_the_functions_of_the_stack() -> None:
    [statement] = [each for each in granted() if each["Sid"] == "EventSourceMapping"]

    patterns = statement["Condition"]["ArnLike"]["lambda:FunctionArn"]
    assert {pattern.partition(":function:")[2] for pattern in patterns} == {
        f"{name}-???????{ending}" for name in ALL_ENTRY_POINTS for ending in ("", ":*")
    }


def test_each_role_can_be_passed_only_to_the_service_that_assumes_it() -> None:
    passing = [each for each in granted() if each["Action"] == ["iam:PassRole"]]
    passed = {
        (resource.rpartition("/")[2].removesuffix("-???????"), each["Condition"]["StringEquals"]["iam:PassedToService"])
        for each in passing
        for resource in each["Resource"]
    }

    assert passed == {
        (role.name, statements(role.inputs["assumeRolePolicy"])[0]["Principal"]["Service"]) for role in graph().all(ROLE)
    }


@pytest.mark.parametrize("region", ["us-west-2", "ap-southeast-2", "us-gov-west-1"])
@pytest.mark.parametrize("stack", ["prod", "a-rather-long-name-of-a-stack-dev"])
def test_each_policy_fits_into_a_managed_policy(region: str, stack: str) -> None:
    sizes = {part: deployer_policy.size(each) for part, each in deployer_policy.policies(ACCOUNT, region, stack).items()}

    assert max(sizes.values()) <= deployer_policy.MAX_CHARACTERS, sizes


def test_a_policy_names_the_partition_of_its_region() -> None:
    text = json.dumps(deployer_policy.policies(ACCOUNT, "us-gov-west-1"))

    assert set(re.findall(r"arn:([\w-]+):", text)) == {"aws-us-gov"}


@pytest.mark.parametrize(("stack", "may"), [("prod", False), ("ada-dev", True)])
def test_only_the_role_of_an_unprotected_stack_may_delete_objects(stack: str, may: bool) -> None:
    [data] = [deployer_policy.policies(ACCOUNT, REGION, stack)["data"]]

    assert any("s3:DeleteObject" in statement["Action"] for statement in data["Statement"]) == may


def test_a_dashboard_is_limited_to_that_of_the_stack() -> None:
    assert allows("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/switchboard-prod")
    assert not allows("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/switchboard-staging")
