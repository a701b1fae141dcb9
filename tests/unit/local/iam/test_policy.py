"""The decision of policies on one action on one resource: AWS's rules within one account."""

import json
from typing import Any

import pytest

from stack.local.iam.conditions import PolicyError
from stack.local.iam.policy import Access, GrantKey, Verdict, decide, read_resource_policy, read_role_policy

TABLE = "arn:aws:dynamodb:us-west-2:123456789012:table/Leases"
READ = Access("dynamodb:GetItem", TABLE)


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any = "dynamodb:GetItem", resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "dynamodb:GetItem", resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def verdict(*statements: dict[str, Any], access: Access = READ) -> Verdict:
    return decide(read_role_policy(policy(*statements)), access).verdict


def test_a_granted_call_is_allowed() -> None:
    assert verdict(allow()) is Verdict.ALLOWED


def test_a_call_without_a_grant_is_refused() -> None:
    assert decide((), READ).verdict is Verdict.NOT_GRANTED


@pytest.mark.parametrize(
    "access",
    [
        Access("dynamodb:PutItem", TABLE),
        Access("dynamodb:GetItem", TABLE + "2"),
        Access("dynamodb:GetItem", f"{TABLE}/index/ByName"),
        Access("dynamodb:GetItem", TABLE.replace("us-west-2", "us-east-1")),
        Access("dynamodb:GetItem", TABLE.replace("123456789012", "210987654321")),
        Access("dynamodb:GetItem", TABLE.lower()),
        Access("dynamodb:GetItem", "*"),
        Access("dynamodb:GetItems", TABLE),
    ],
    ids=lambda access: f"{access.action} {access.resource}",
)
def test_a_grant_is_of_one_action_on_one_resource(access: Access) -> None:
    assert verdict(allow(), access=access) is Verdict.NOT_GRANTED


def test_an_explicit_deny_wins_over_any_allow_before_or_after_it() -> None:
    assert verdict(allow(), deny()) is Verdict.DENIED
    assert verdict(deny(), allow()) is Verdict.DENIED
    assert verdict(allow(), deny("*", "*")) is Verdict.DENIED


def test_a_deny_of_another_access_changes_nothing() -> None:
    assert verdict(allow(), deny("dynamodb:PutItem")) is Verdict.ALLOWED


def test_a_deny_applies_wherever_it_is_among_the_policies() -> None:
    statements = (*read_role_policy(policy(allow())), *read_role_policy(policy(deny())))

    assert decide(statements, READ).verdict is Verdict.DENIED


def test_the_case_of_an_action_does_not_matter() -> None:
    assert verdict(allow("DynamoDB:getitem")) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("action", "granted"),
    [
        ("dynamodb:*", True),
        ("dynamodb:Get*", True),
        ("dynamodb:?etItem", True),
        ("*", True),
        ("dynamodb:Put*", False),
        ("dynamodb:Get", False),
        ("dynamodb:?GetItem", False),
        ("dynamodb:GetIte.", False),
    ],
)
def test_wildcards_in_an_action(action: str, granted: bool) -> None:
    assert (verdict(allow(action)) is Verdict.ALLOWED) is granted


@pytest.mark.parametrize(
    ("resource", "granted"),
    [
        ("*", True),
        ("arn:aws:dynamodb:us-west-2:123456789012:table/*", True),
        ("arn:aws:dynamodb:*:123456789012:table/Lease?", True),
        ("arn:*:*:*:*:*", True),
        ("arn:aws:dynamodb:us-west-2:123456789012:table/L", False),
        ("arn:aws:dynamodb:*", False),  # a wildcard stays within its part
        ("arn:*Leases", False),
        ("arn:aws:dynamodb:us-west-2:123456789012:table/.*", False),
    ],
)
def test_wildcards_in_a_resource(resource: str, granted: bool) -> None:
    assert (verdict(allow(resource=resource)) is Verdict.ALLOWED) is granted


def test_a_wildcard_at_the_end_crosses_slashes_and_colons() -> None:
    stream = Access("logs:PutLogEvents", "arn:aws:logs:us-west-2:1:log-group:web:log-stream:2026/11/21/[$LATEST]ab")

    assert verdict(allow(stream.action, "arn:aws:logs:us-west-2:1:log-group:web:*"), access=stream) is Verdict.ALLOWED
    assert verdict(allow(stream.action, "arn:aws:logs:us-west-2:1:log-group:we:*"), access=stream) is Verdict.NOT_GRANTED


def test_not_action_and_not_resource_grant_all_others() -> None:
    other = {"Effect": "Allow", "NotAction": "dynamodb:Delete*", "NotResource": "arn:aws:s3:::*"}

    assert verdict(other) is Verdict.ALLOWED
    assert verdict(other, access=Access("dynamodb:DeleteItem", TABLE)) is Verdict.NOT_GRANTED
    assert verdict(other, access=Access("s3:GetObject", "arn:aws:s3:::bucket/key")) is Verdict.NOT_GRANTED


def test_a_statement_whose_condition_does_not_hold_does_not_apply() -> None:
    listing = Access("s3:ListBucket", "arn:aws:s3:::b", {"s3:prefix": "uploads/"})
    statement = allow("s3:ListBucket", "arn:aws:s3:::b", Condition={"StringEquals": {"s3:prefix": "uploads/"}})

    assert verdict(statement, access=listing) is Verdict.ALLOWED
    assert verdict(statement, access=Access("s3:ListBucket", "arn:aws:s3:::b", {"s3:prefix": "x"})) is Verdict.NOT_GRANTED
    assert verdict(statement, access=Access("s3:ListBucket", "arn:aws:s3:::b")) is Verdict.NOT_GRANTED


def test_a_deny_whose_condition_does_not_hold_denies_nothing() -> None:
    plain_http = deny("*", "*", Condition={"Bool": {"aws:SecureTransport": "false"}})

    assert verdict(allow(), plain_http, access=Access(READ.action, TABLE, {"aws:securetransport": "true"})) is Verdict.ALLOWED
    assert verdict(allow(), plain_http, access=Access(READ.action, TABLE, {"aws:securetransport": "false"})) is Verdict.DENIED


def test_a_decision_names_the_grants_that_were_used_and_no_others() -> None:
    statements = read_role_policy(
        policy(allow(["dynamodb:GetItem", "dynamodb:PutItem"], [TABLE, TABLE + "2"]), allow("dynamodb:Get*"))
    )

    assert decide(statements, READ).used == (GrantKey("dynamodb:GetItem", TABLE), GrantKey("dynamodb:Get*", TABLE))


def test_every_grant_of_a_policy_can_be_listed_and_a_deny_is_not_one() -> None:
    [allowing, denying] = read_role_policy(policy(allow(["dynamodb:GetItem", "dynamodb:PutItem"]), deny()))

    assert allowing.grants() == (GrantKey("dynamodb:GetItem", TABLE), GrantKey("dynamodb:PutItem", TABLE))
    assert denying.grants() == ()


def test_a_single_statement_need_not_be_in_a_list() -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": allow()})

    assert decide(read_role_policy(document), READ).is_allowed


def test_a_resource_policy_allows_the_principals_that_it_names() -> None:
    queue = "arn:aws:sqs:us-west-2:123456789012:work"
    document = policy(allow("sqs:SendMessage", queue, Principal={"Service": "events.amazonaws.com"}))
    statements = read_resource_policy(document)

    assert decide(statements, Access("sqs:SendMessage", queue), "events.amazonaws.com").is_allowed
    assert not decide(statements, Access("sqs:SendMessage", queue), "s3.amazonaws.com").is_allowed


def test_a_star_as_principal_is_everybody() -> None:
    queue = "arn:aws:sqs:us-west-2:123456789012:work"
    statements = read_resource_policy(policy(deny("sqs:*", queue, Principal="*")))

    assert decide(statements, Access("sqs:SendMessage", queue), "anybody").verdict is Verdict.DENIED


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{}",
        json.dumps({"Version": "2008-10-17", "Statement": allow()}),
        json.dumps({"Statement": allow()}),
        policy({"Effect": "Allow", "Action": "s3:GetObject"}),
        policy({"Effect": "Allow", "Resource": "*"}),
        policy(allow(NotAction="s3:GetObject")),
        policy({**allow(), "Effect": "allow"}),
        policy(allow(action=[])),
        policy(allow(action=7 * [None])),
        policy(allow(Principal="*")),
        policy(allow(Resources="*")),
        policy(allow(resource="arn:aws:s3:::b/${aws:username}/*")),
        policy(allow(Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}})),
        policy(allow(Condition={"StringEquals": {"dynamodb:LeadingKeys": "a"}})),
        policy(allow(Condition={"ForAllValues:StringEquals": {"s3:prefix": "a"}})),
        policy(allow(Condition=["StringEquals"])),
        policy(allow(Condition={"StringEquals": "s3:prefix"})),
    ],
)
def test_a_wrong_or_unsupported_policy_is_an_error(document: str) -> None:
    with pytest.raises(PolicyError):
        read_role_policy(document)


def test_a_resources_policy_without_a_principal_is_an_error() -> None:
    with pytest.raises(PolicyError, match="Principal"):
        read_resource_policy(policy(allow()))
