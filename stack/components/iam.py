"""Makes IAM policy documents from exact grants. The grants of each function are in stack/functions/."""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi

POLICY_VERSION = "2012-10-17"
_LEADING_KEYS = "dynamodb:LeadingKeys"

Conditions = Mapping[str, Mapping[str, str | Sequence[str]]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Some actions on some resources.

    Attributes:
        actions: exact IAM actions.
        resources: ARNs, plain or outputs of the resources they name.
        wildcard_reason: why a ``*`` in a resource can't be avoided; required if there is one. It becomes the statement's Sid,
            so that the policy itself shows the reason.
        conditions: when the grant holds, as IAM writes it: values by context key by operator.
    """

    actions: tuple[str, ...]
    resources: tuple[pulumi.Input[str], ...]
    wildcard_reason: str = ""
    conditions: Conditions = dataclasses.field(default_factory=dict)


def logging(log_group_arn: pulumi.Output[str]) -> Grant:
    """Grants writing to a log group."""
    return Grant(
        actions=("logs:CreateLogStream", "logs:PutLogEvents"),
        resources=(log_group_arn.apply(lambda arn: f"{arn}:*"),),
        wildcard_reason="Lambda names the streams itself; the group is exact",
    )


def sending(*queue_arns: pulumi.Input[str]) -> Grant:
    """Grants sending messages to queues."""
    return Grant(actions=("sqs:SendMessage",), resources=queue_arns)


def putting_events(*bus_arns: pulumi.Input[str]) -> Grant:
    """Grants putting events on event buses."""
    return Grant(actions=("events:PutEvents",), resources=bus_arns)


def receiving(*queue_arns: pulumi.Input[str]) -> Grant:
    """Grants receiving from queues: Lambda does it with the function's role."""
    return Grant(actions=("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"), resources=queue_arns)


def reading_secrets(*secret_arns: pulumi.Input[str]) -> Grant:
    """Grants reading the values of secrets."""
    return Grant(actions=("secretsmanager:GetSecretValue",), resources=secret_arns)


def in_partitions(*patterns: str) -> Conditions:
    """The conditions of a grant on the rows of a DynamoDB table whose partition keys match one of ``patterns``.

    ``ForAllValues`` is true for a request that names no partition key, so the second condition requires one.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    return {"ForAllValues:StringLike": {_LEADING_KEYS: list(patterns)}, "Null": {_LEADING_KEYS: "false"}}


def outside_partitions(*patterns: str) -> Conditions:
    """The conditions of a grant on the rows of a DynamoDB table whose partition keys match none of ``patterns``."""
    return {"ForAllValues:StringNotLike": {_LEADING_KEYS: list(patterns)}, "Null": {_LEADING_KEYS: "false"}}


def via_dynamodb(key_arn: str) -> Conditions:
    """The conditions of a grant on a KMS key that DynamoDB uses, in the key's region, on behalf of the caller.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    _, partition, _, region, *_ = key_arn.split(":")
    domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    return {"StringEquals": {"kms:ViaService": f"dynamodb.{region}.{domain}"}}


def policy_document(grants: Sequence[Grant]) -> dict[str, Any]:
    """The IAM policy that grants exactly ``grants``. Their resources are plain ARNs.

    Raises:
        ValueError: a grant is empty, an action has a ``*``, or a resource is not an ARN or has a ``*`` without a reason.
    """
    statements = [_statement(grant) for grant in grants]
    for number, statement in enumerate(statements):
        same = [
            each
            for each in statements[:number]
            if "Sid" in statement and each.get("Sid", "").rstrip("0123456789") == statement["Sid"]
        ]
        if same:
            statement["Sid"] += str(len(same) + 1)  # a Sid is unique in its policy
    return {"Version": POLICY_VERSION, "Statement": statements}


def reason_in(sid: str) -> str:
    """The reason that :func:`policy_document` wrote into a Sid, as words; empty for an empty Sid."""
    return " ".join(re.findall(r"[A-Z][a-z]*", sid)).capitalize()


def policy(grants: Sequence[Grant]) -> pulumi.Output[str]:
    """The JSON text of :func:`policy_document`, once the ARNs of ``grants`` are known."""
    resolved = pulumi.Output.all(*(pulumi.Output.all(*grant.resources) for grant in grants))
    return resolved.apply(
        lambda arns: json.dumps(
            policy_document([dataclasses.replace(grant, resources=tuple(own)) for grant, own in zip(grants, arns, strict=True)])
        )
    )


def trust_policy(service: str, source_arn: str = "") -> str:
    """The JSON text of the policy that lets an AWS service (``lambda.amazonaws.com``) assume a role.

    With ``source_arn``, only on behalf of that resource, in its account.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if source_arn:
        account = source_arn.split(":")[4]
        statement["Condition"] = {
            "ArnEquals": {"aws:SourceArn": source_arn},
            "StringEquals": {"aws:SourceAccount": account},
        }
    return json.dumps({"Version": POLICY_VERSION, "Statement": [statement]})


def refuse_plain_http(resource_arn: str, actions: str) -> dict[str, Any]:
    """The statement of a resource's policy that refuses every request without TLS."""
    return {
        "Sid": "RefusePlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": resource_arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _statement(grant: Grant) -> dict[str, Any]:
    if not grant.actions or not grant.resources:
        raise ValueError(f"{grant} grants nothing")
    _refuse_wildcards(grant.actions, "actions are exact")
    for resource in grant.resources:
        if resource != "*" and not str(resource).startswith("arn:"):
            raise ValueError(f"{resource!r} is not an ARN")
    if not grant.wildcard_reason:
        _refuse_wildcards(grant.resources, "resources are exact, unless wildcard_reason says why not")
    sid = "".join(word.capitalize() for word in re.findall(r"[A-Za-z]+", grant.wildcard_reason))
    return {
        **({"Sid": sid} if sid else {}),
        "Effect": "Allow",
        "Action": list(grant.actions),
        "Resource": list(grant.resources),
        **({"Condition": grant.conditions} if grant.conditions else {}),
    }


def _refuse_wildcards(names: Iterable[pulumi.Input[str]], rule: str) -> None:
    for name in names:
        if "*" in str(name):
            raise ValueError(f"{name!r} has a wildcard: {rule}")
