"""The policy itself gives the reason for a wildcard, as the Sid of its statement."""

import json
import re

from stack.components.iam import Grant, policy_document, reason_in
from tests.support.project.pulumi_graph import declare, statements

ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
FOLDER = Grant(actions=("s3:GetObject",), resources=("arn:aws:s3:::b/a/*",), wildcard_reason="objects are named as they come")


def test_the_reason_is_the_sid_and_can_be_read_again() -> None:
    [statement] = policy_document([FOLDER])["Statement"]

    assert statement["Sid"] == "ObjectsAreNamedAsTheyCome"
    assert reason_in(statement["Sid"]) == "Objects are named as they come"


def test_an_exact_grant_has_no_sid() -> None:
    [statement] = policy_document([Grant(actions=("s3:GetObject",), resources=("arn:aws:s3:::b/a",))])["Statement"]

    assert "Sid" not in statement
    assert reason_in("") == ""


def test_the_same_reason_twice_in_a_policy_makes_two_sids() -> None:
    sids = [statement["Sid"] for statement in policy_document([FOLDER, FOLDER, FOLDER])["Statement"]]

    assert len(set(sids)) == 3
    assert {reason_in(sid) for sid in sids} == {"Objects are named as they come"}


def test_every_wildcard_has_a_reason_that_is_a_valid_sid() -> None:
    policies = [each.inputs["policy"] for each in declare().all(ROLE_POLICY)]
    wild = [each for policy in policies for each in statements(policy) if "*" in json.dumps(each["Resource"])]

    assert wild
    for statement in wild:
        assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"])
        assert len(reason_in(statement["Sid"]).split()) > 3
    for policy in policies:
        sids = [each["Sid"] for each in statements(policy) if "Sid" in each]
        assert len(sids) == len(set(sids))
