"""Who may do what: exact grants and the policy documents made of them. Which grants a function gets stands where the
function is described (``entry_points.py``).
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pulumi

POLICY_VERSION = "2012-10-17"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Some actions on some resources.

    Attributes:
        actions: exact IAM actions.
        resources: ARNs, plain or outputs of the resources they name.
        wildcard_reason: why a ``*`` in a resource can't be avoided; needed where there is one. It goes into the policy as
            the statement's Sid, so that whoever reads the policy reads the reason.
    """

    actions: tuple[str, ...]
    resources: tuple[pulumi.Input[str], ...]
    wildcard_reason: str = ""


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


def trust_policy(service: str) -> str:
    """The JSON text of the policy that lets an AWS service (``lambda.amazonaws.com``) take on a role."""
    return json.dumps(
        {
            "Version": POLICY_VERSION,
            "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
        }
    )


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
    }


def _refuse_wildcards(names: Iterable[pulumi.Input[str]], rule: str) -> None:
    for name in names:
        if "*" in str(name):
            raise ValueError(f"{name!r} has a wildcard: {rule}")
