"""Who may do what: exact grants and the policy documents made of them. Which grants a function gets stands where the
function is described (``entry_points.py``).
"""

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
        wildcard_reason: why a ``*`` in a resource can't be avoided; needed where there is one. It goes into the policy as
            the statement's Sid, so that whoever reads the policy reads the reason.
        conditions: when the grant holds, as IAM writes it: values by context key by operator.
    """

    actions: tuple[str, ...]
    resources: tuple[pulumi.Input[str], ...]
    wildcard_reason: str = ""
    conditions: Conditions = dataclasses.field(default_factory=dict)


def in_partitions(*patterns: str) -> Conditions:
    """The conditions of a grant on the rows of a DynamoDB table whose partition keys all fit one of ``patterns``.

    ``ForAllValues`` holds where a request names no partition key, so the second condition asks for one.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    return {"ForAllValues:StringLike": {_LEADING_KEYS: list(patterns)}, "Null": {_LEADING_KEYS: "false"}}


def outside_partitions(*patterns: str) -> Conditions:
    """The conditions of a grant on the rows of a DynamoDB table whose partition keys fit none of ``patterns``."""
    return {"ForAllValues:StringNotLike": {_LEADING_KEYS: list(patterns)}, "Null": {_LEADING_KEYS: "false"}}


def via_dynamodb(key_arn: str) -> Conditions:
    """The conditions of a grant on a KMS key that DynamoDB uses, in the key's region, on behalf of the caller.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    _, partition, _, region, *_ = key_arn.split(":")
    domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    return {"StringEquals": {"kms:ViaService": f"dynamodb.{region}.{domain}"}}


def policy_document(grants: Sequence[Grant]) -> dict[str, Any]:
    """The IAM policy that grants exactly ``grants``, whose resources are plain ARNs.

    Raises:
        ValueError: a grant is empty, an action has a ``*``, a resource has one without a reason, or no ARN.
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
    """The reason that :func:`policy_document` put into a Sid, in words again; empty for an empty Sid."""
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

    ``source_arn`` is the resource that the service must act for: in its name alone, and in its account, may it do so.
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
    """The statement of a resource's policy that refuses everybody who does not come by TLS."""
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
            raise ValueError(f"{resource!r} is no ARN")
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
