"""docs/reference/deployer-policy-*.json: what a role needs to deploy a stack, made of the resources that the program declares.

``python -m tests.support.project.deployer_policy`` writes the files for an example account. With ``--account``, ``--region``
and ``--stack`` it writes those of an environment, into the folder ``--to``.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from tests.support.project.deployer_actions import BUCKET, BUS, FUNCTION, MAPPING, NEEDS, QUEUE, ROLE, SECRET, TABLE
from tests.support.project.documentation import ROOT
from tests.support.project.pulumi_graph import EVERYTHING, Graph, declare

FOLDER = ROOT / "docs" / "reference"
PARTS = {
    "functions": ("apigateway", "events", "lambda", "scheduler"),
    "data": ("dynamodb", "s3", "secretsmanager", "sns", "sqs"),
    "operations": ("cloudwatch", "iam", "logs"),
}
"""The services of each policy. One policy of all would exceed ``MAX_CHARACTERS``."""
MAX_CHARACTERS = 6144
"""The limit of a managed policy, without whitespace (docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""

_MOCKED_SUFFIX, _ANY_SUFFIX = "-1a2b3c4", "-???????"
"""What Pulumi appends to a name: a dash and seven characters."""
_LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"

CHECKS = {
    TABLE: ("dynamodb", ("GetItem", "PutItem", "DeleteItem", "Query")),
    SECRET: ("secretsmanager", ("GetSecretValue",)),
    BUS: ("events", ("PutEvents",)),
    FUNCTION: ("lambda", ("ListAliases",)),
    _LOG_GROUP: ("logs", ("FilterLogEvents",)),
    QUEUE: ("sqs", ("GetQueueUrl", "ListDeadLetterSourceQueues", "ReceiveMessage")),
}
"""What follows ``pulumi up``, by type of resource: ``.ci/check-deployment`` (``health``, one event on the bus, ``trace``),
``deployments`` and ``rollback``."""
EMPTYING = {"s3:DeleteObject", "s3:DeleteObjectVersion"}
"""The extra actions on the buckets of an unprotected stack, which are deleted with their objects."""


def graph_of(stack: str = "prod") -> Graph:
    """Everything that the program can declare: every channel, secret, schedule, subscription and rule."""
    return declare(*EVERYTHING, stack)


def policies(account: str = "111122223333", region: str = "us-west-2", stack: str = "prod") -> dict[str, dict[str, Any]]:
    """The policies of ``PARTS`` for one stack, in one account and region."""
    statements = _statements(graph_of(stack), {"partition": _partition(region), "account": account, "region": region})
    return {
        part: {
            "Version": "2012-10-17",
            "Statement": [each for each in statements if _part_of(each["Action"][0]) == part],
        }
        for part in PARTS
    }


def _statements(graph: Graph, place: dict[str, str]) -> list[dict[str, Any]]:
    actions: dict[str, set[str]] = {}
    anywhere: dict[str, set[str]] = {part: set() for part in PARTS}
    for type_, needs in NEEDS.items():
        actions.setdefault(needs.on or type_, set()).update(f"{needs.service}:{each}" for each in needs.actions)
        for action in needs.anywhere:
            anywhere[_part_of(action)].add(action)
    for type_, (service, names) in CHECKS.items():
        actions[type_].update(f"{service}:{each}" for each in names)
    buckets = resources_of(graph, BUCKET, place)
    deletes_objects = any(bucket.inputs["forceDestroy"] for bucket in graph.all(BUCKET))
    if deletes_objects:
        actions[BUCKET].add("s3:ListBucketVersions")
    mapping = actions.pop(MAPPING)
    tagging = {action for action in mapping if not action.endswith("EventSourceMapping")}
    linked = "arn:{partition}:iam::{account}:role/aws-service-role/ops.apigateway.amazonaws.com/*".format(**place)
    return [
        *(_statement(type_.rpartition(":")[2], needed, resources_of(graph, type_, place)) for type_, needed in actions.items()),
        _statement(
            "EventSourceMapping",
            mapping - tagging,
            ["*"],
            {"ArnLike": {"lambda:FunctionArn": resources_of(graph, FUNCTION, place)}},
        ),
        _statement("EventSourceMappingTags", tagging, resources_of(graph, MAPPING, place)),
        *_passing_roles(graph, place),
        _statement(
            "ServiceLinkedRole",
            {"iam:CreateServiceLinkedRole"},
            [linked],
            {"StringEquals": {"iam:AWSServiceName": "ops.apigateway.amazonaws.com"}},
        ),
        *(
            _statement("NotLimitedByAws", actions, ["*"], {"StringEquals": {"aws:RequestedRegion": place["region"]}})
            for actions in anywhere.values()
            if actions
        ),
        *([_statement("EmptyBuckets", EMPTYING, [f"{arn}/*" for arn in buckets])] if deletes_objects else []),
    ]


def _part_of(action: str) -> str:
    return next(part for part, services in PARTS.items() if action.partition(":")[0] in services)


def resources_of(graph: Graph, type_: str, place: dict[str, str]) -> list[str]:
    """The ARNs of the resources of a type, with ``?`` for what Pulumi and AWS append to names."""
    return sorted({arn.format(**place, name=_pattern(each.outputs)) for each in graph.all(type_) for arn in NEEDS[type_].arns})


def _pattern(outputs: dict[str, Any]) -> str:
    name = str(outputs.get("dashboardName") or outputs["name"])
    return name.removesuffix(_MOCKED_SUFFIX) + _ANY_SUFFIX if name.endswith(_MOCKED_SUFFIX) else name


def _passing_roles(graph: Graph, place: dict[str, str]) -> list[dict[str, Any]]:
    """The statements that allow passing each role to the one service that may assume it."""
    roles: dict[str, list[str]] = {}
    for role in graph.all(ROLE):
        [trust] = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        arn = NEEDS[ROLE].arns[0].format(**place, name=_pattern(role.outputs))
        roles.setdefault(trust["Principal"]["Service"], []).append(arn)
    return [
        _statement(
            f"PassRoleTo{service.partition('.')[0].capitalize()}",
            {"iam:PassRole"},
            sorted(arns),
            {"StringEquals": {"iam:PassedToService": service}},
        )
        for service, arns in sorted(roles.items())
    ]


def _statement(
    sid: str, actions: set[str], resources: list[str], condition: dict[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement


def _partition(region: str) -> str:
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rpartition("-")[0].rpartition("-")[0], "aws")


def text(document: dict[str, Any]) -> str:
    """A policy as it is in the file."""
    return json.dumps(document, indent=2) + "\n"


def size(document: dict[str, Any]) -> int:
    """The characters that count for the quota."""
    return len("".join(json.dumps(document, separators=(",", ":")).split()))


def file_name(part: str) -> str:
    """The file of a part, in docs/reference/ or the folder ``--to``."""
    return f"deployer-policy-{part}.json"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--account", default="111122223333", help="AWS account ID")
    parser.add_argument("--region", default="us-west-2")
    parser.add_argument("--stack", default="prod")
    parser.add_argument("--to", type=Path, default=FOLDER, metavar="FOLDER")
    given = parser.parse_args()
    for name, document in policies(given.account, given.region, given.stack).items():
        (given.to / file_name(name)).write_text(text(document), encoding="utf-8")
