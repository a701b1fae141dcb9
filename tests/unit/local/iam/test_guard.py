"""The guard: the caller of a request, and the decision on it. Roles and sessions are moto's, in this process."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lib.platform import aws
from lib.platform.contract import JIRA_ISSUES
from stack.local.iam import Guard, Ledger, PolicyError
from stack.local.iam.tables import hash_key_of
from stack.local.resources import Blueprint, creator_of
from tests.support.aws.moto_inside import moto_inside
from tests.support.dynamodb.tables import create_table

ACCOUNT = "123456789012"
TABLE = f"arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/Leases"
BUCKET = "arn:aws:s3:::artifacts"


def document(*grants: tuple[str, str], **more: Any) -> str:
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource, **more} for action, resource in grants]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Account:
    """A role with a session, and the guard."""

    def __init__(self) -> None:
        self.iam = aws.make_client("iam")
        self.sts = aws.make_client("sts")
        self.role = self.iam.create_role(RoleName="webhooks", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        self.ledger = Ledger(lambda sid: sid)
        self.guard = Guard(ACCOUNT, self.ledger)

    def grant(self, *grants: tuple[str, str], **more: Any) -> None:
        self.iam.put_role_policy(RoleName="webhooks", PolicyName="own", PolicyDocument=document(*grants, **more))

    def key(self, **more: str) -> str:
        answer = self.sts.assume_role(RoleArn=self.role, RoleSessionName="webhooks-1", **more)
        return str(answer["Credentials"]["AccessKeyId"])


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with moto_inside(monkeypatch):
        yield Account()


def request(key: str, service: str = "dynamodb", **more: Any) -> dict[str, Any]:
    body = json.dumps({"TableName": "Leases"}).encode()
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={key}/20261121/us-west-2/{service}/aws4_request, Signature=ab",
        "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.GetItem",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **more,
    }


def an_object(key: str, method: str = "GET") -> dict[str, Any]:
    environ = request(key, "s3", REQUEST_METHOD=method, PATH_INFO="/artifacts/run.json")
    del environ["HTTP_X_AMZ_TARGET"]
    return environ


def test_a_granted_call_keeps_its_body_and_is_in_the_ledger(account: Account) -> None:
    account.grant(("dynamodb:GetItem", TABLE))
    account.guard.register_roles()
    environ = request(account.key())

    assert account.guard.admit(environ).refusal is None

    assert environ["wsgi.input"].read() == b'{"TableName": "Leases"}'
    assert account.ledger.as_json() == {
        "grants": [{"principal": "role/webhooks", "action": "dynamodb:GetItem", "resource": TABLE, "reason": "", "uses": 1}],
        "refusals": [],
    }


def test_a_call_without_a_grant_is_refused_and_in_the_ledger(account: Account) -> None:
    account.grant(("dynamodb:PutItem", TABLE))
    account.guard.register_roles()

    refusal = account.guard.admit(request(account.key())).refusal

    assert refusal is not None
    assert json.loads(refusal.get_data()) == {
        "__type": "com.amazon.coral.service#AccessDeniedException",
        "Message": f"User: arn:aws:sts::{ACCOUNT}:assumed-role/webhooks/webhooks-1 is not authorized to perform: "
        f"dynamodb:GetItem on resource: {TABLE} because no identity-based policy allows the dynamodb:GetItem action",
    }
    book = account.ledger.as_json()
    assert [grant["uses"] for grant in book["grants"]] == [0]
    assert book["refusals"] == [{"principal": "role/webhooks", "action": "dynamodb:GetItem", "resource": TABLE, "times": 1}]


def test_a_role_without_any_policy_may_do_nothing(account: Account) -> None:
    assert account.guard.admit(request(account.key())).refusal is not None


def test_a_transaction_is_refused_if_one_of_its_items_is(account: Account) -> None:
    account.grant(("dynamodb:PutItem", TABLE))
    body = json.dumps({"TransactItems": [{"Put": {"TableName": "Leases"}}, {"Update": {"TableName": "Leases"}}]}).encode()
    environ = request(account.key(), HTTP_X_AMZ_TARGET="DynamoDB_20120810.TransactWriteItems")
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}

    refusal = account.guard.admit(environ).refusal

    assert refusal is not None
    assert b"dynamodb:UpdateItem on" in refusal.get_data()


def test_a_changed_policy_counts_from_the_next_call_on(account: Account) -> None:
    account.grant(("dynamodb:GetItem", TABLE))
    key = account.key()
    assert account.guard.admit(request(key)).refusal is None

    account.grant(("dynamodb:PutItem", TABLE))

    assert account.guard.admit(request(key)).refusal is not None


def test_an_attached_managed_policy_counts_too(account: Account) -> None:
    policy = account.iam.create_policy(PolicyName="more", PolicyDocument=document(("dynamodb:GetItem", TABLE)))["Policy"]["Arn"]
    account.iam.attach_role_policy(RoleName="webhooks", PolicyArn=policy)

    assert account.guard.admit(request(account.key())).refusal is None


def test_a_key_without_a_role_belongs_to_an_operator(account: Account) -> None:
    assert account.guard.admit(request("test")).refusal is None


@pytest.mark.parametrize(
    "credential",
    [
        {"HTTP_AUTHORIZATION": ""},
        {"HTTP_AUTHORIZATION": "Bearer x"},
        {"HTTP_AUTHORIZATION": "AWS test:abc"},
        {"QUERY_STRING": "X-Amz-Credential=test%2F20261121%2Fus-west-2%2Fs3%2Faws4_request"},
    ],
    ids=["none", "bearer", "version 2", "two at once"],
)
def test_a_request_without_one_good_credential_is_refused(account: Account, credential: dict[str, str]) -> None:
    refusal = account.guard.admit(request("test", **credential)).refusal

    assert refusal is not None
    assert refusal.status_code in {400, 403}


def test_a_link_is_judged_by_the_role_that_signed_it(account: Account) -> None:
    account.grant(("s3:GetObject", f"{BUCKET}/reports/*"))
    scope = f"X-Amz-Credential={account.key()}%2F20261121%2Fus-west-2%2Fs3%2Faws4_request&X-Amz-Signature=ab"

    def follow(path: str) -> Any:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": scope, "HTTP_HOST": "127.0.0.1"}
        return account.guard.admit(environ).refusal

    assert follow("/artifacts/reports/a.csv") is None
    assert follow("/artifacts/runs/a.json").status_code == 403


def test_a_cors_preflight_request_needs_no_credentials(account: Account) -> None:
    assert account.guard.admit({"REQUEST_METHOD": "OPTIONS", "PATH_INFO": "/artifacts/a"}).refusal is None


def test_without_permission_to_list_a_missing_object_is_refused(account: Account) -> None:
    account.grant(("s3:GetObject", f"{BUCKET}/*"))
    admission = account.guard.admit(an_object(account.key()))

    assert admission.refusal is None
    assert admission.on_absence is not None
    hidden = admission.on_absence()
    assert hidden is not None
    assert hidden.status_code == 403
    assert b"s3:ListBucket" in hidden.get_data()


def test_with_permission_to_list_a_missing_object_is_404_and_a_use(account: Account) -> None:
    account.grant(("s3:GetObject", f"{BUCKET}/*"), ("s3:ListBucket", BUCKET))
    account.guard.register_roles()
    admission = account.guard.admit(an_object(account.key(), "HEAD"))

    assert admission.on_absence is not None
    uses = lambda: [each["uses"] for each in account.ledger.as_json()["grants"] if each["action"] == "s3:ListBucket"]  # noqa: E731
    assert uses() == [0]
    assert admission.on_absence() is None
    assert uses() == [1]


def test_a_grant_on_partitions_holds_for_their_rows_only(account: Account) -> None:
    keys = {"AttributeDefinitions": [{"AttributeName": "userEmail", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST"}
    schema = [{"AttributeName": "userEmail", "KeyType": "HASH"}]
    aws.make_client("dynamodb").create_table(TableName="Leases", KeySchema=schema, **keys)
    account.grant(
        ("dynamodb:GetItem", TABLE),
        Condition={
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": "health#*"},
            "Null": {"dynamodb:LeadingKeys": "false"},
        },
    )

    def is_refused(table: str, user_email: str) -> bool:
        body = json.dumps({"TableName": table, "Key": {"userEmail": {"S": user_email}}}).encode()
        environ = request(account.key()) | {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        return account.guard.admit(environ).refusal is not None

    assert [is_refused(table, "health#1") for table in ("Leases", TABLE)] == [False, False]
    assert [is_refused(table, "ada@sandbox.example") for table in ("Leases", TABLE)] == [True, True]


def test_an_index_has_its_own_partition_key(account: Account) -> None:
    create_table(aws.make_client("dynamodb"), "Issues", JIRA_ISSUES)
    issues = f"arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/Issues"

    assert hash_key_of(issues, ACCOUNT) == "issue_key"
    assert hash_key_of(f"{issues}/index/ProjectIndex", ACCOUNT) == "project_key"
    assert hash_key_of(f"{issues}/index/Gone", ACCOUNT) is None
    assert hash_key_of(issues.replace(ACCOUNT, "210987654321"), ACCOUNT) is None


def test_an_unknown_operation_is_refused_even_with_every_permission(account: Account, capsys: Any) -> None:
    account.grant(("*", "*"))

    refusal = account.guard.admit(request(account.key(), HTTP_X_AMZ_TARGET="DynamoDB_20120810.ExecuteStatement")).refusal

    assert refusal is not None
    assert b"ExecuteStatement" in refusal.get_data()
    assert "ExecuteStatement" in capsys.readouterr().err


@pytest.mark.parametrize("service", ["kms", "iam", "unheard-of"])
def test_an_unknown_service_is_refused(account: Account, service: str) -> None:
    account.grant(("*", "*"))

    assert account.guard.admit(request(account.key(), service)).refusal is not None


def test_an_unsupported_policy_grants_nothing_and_stops_the_start(account: Account) -> None:
    account.grant(("dynamodb:GetItem", TABLE), Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})

    assert account.guard.admit(request(account.key())).refusal is not None
    with pytest.raises(PolicyError, match="IpAddress"):
        account.guard.register_roles()


def test_a_role_with_a_permissions_boundary_is_refused_and_stops_the_start(account: Account) -> None:
    account.grant(("dynamodb:GetItem", TABLE))
    account.iam.put_role_permissions_boundary(
        RoleName="webhooks", PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/boundary"
    )

    assert account.guard.admit(request(account.key())).refusal is not None
    with pytest.raises(PolicyError, match="permissions boundaries"):
        account.guard.register_roles()


def test_a_boundary_that_the_program_declares_reaches_the_role(account: Account) -> None:
    blueprint = Blueprint(lambda _: account.iam, "us-west-2", ACCOUNT, "http://127.0.0.1:1")
    inputs = {"assumeRolePolicy": "{}", "permissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary"}

    creator_of("aws:iam/role:Role")(blueprint, "bounded", inputs)

    with pytest.raises(PolicyError, match="permissions boundaries"):
        account.guard.register_roles()


def test_a_session_with_a_session_policy_is_refused(account: Account) -> None:
    account.grant(("dynamodb:GetItem", TABLE))

    key = account.key(Policy=document(("dynamodb:PutItem", TABLE)))

    assert account.guard.admit(request(key)).refusal is not None
