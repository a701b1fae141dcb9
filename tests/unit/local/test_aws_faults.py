"""Faults of the AWS API: which calls get them, for how long, and what their controls accept."""

import io
import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.parsers import create_parser
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from lib.platform import aws
from stack.local.aws_faults import _OF_LAMBDA, MOST_FAULTS, OPERATIONS, AwsFaults
from stack.local.iam.refusals import fail
from tests.support.aws.moto_inside import moto_inside
from tests.support.project.pulumi_graph import EVERYTHING, declare, statements

ACCOUNT = "123456789012"
THROTTLE = {"service": "dynamodb", "error": "ThrottlingException"}


class Account:
    """A role with a session of a function and one of schedules, and the faults."""

    def __init__(self) -> None:
        iam = aws.make_client("iam")
        self._sts = aws.make_client("sts")
        self._role = iam.create_role(RoleName="notification", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        self.faults = AwsFaults(ACCOUNT, lambda name: {"notification-1": "notification"}.get(name, ""))
        self.function, self.schedules = self.key("notification-1"), self.key("schedules")

    def key(self, session: str) -> str:
        answer = self._sts.assume_role(RoleArn=self._role, RoleSessionName=session)
        return str(answer["Credentials"]["AccessKeyId"])

    def control(self, method: str, body: Any = None) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.faults.control(Request(EnvironBuilder("/_local/faults", method=method, data=data).get_environ()))

    def calls(
        self,
        target: str = "DynamoDB_20120810.GetItem",
        key: str = "",
        service: str = "dynamodb",
        *,
        line: str = "POST /",
        body: bytes = b'{"TableName": "Leases"}',
    ) -> int:
        """The status that a call gets; 0 if it goes on to AWS."""
        method, _, path = line.partition(" ")
        credential = f"{key or self.function}/20261121/us-west-2/{service}/aws4_request"
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "HTTP_HOST": "127.0.0.1:4566",
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={credential}",
            **({"HTTP_X_AMZ_TARGET": target} if target else {}),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        answer = self.faults.failure(environ)
        assert environ["wsgi.input"].read() == body  # type: ignore[attr-defined]
        return answer.status_code if answer else 0


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with moto_inside(monkeypatch):
        yield Account()


def test_a_fault_applies_to_functions_until_it_is_removed(account: Account) -> None:
    assert account.calls() == 0

    assert account.control("POST", THROTTLE).status_code == 200

    assert [account.calls() for _ in range(3)] == [400, 400, 400]
    assert account.control("GET").get_json() == {
        "faults": [{**THROTTLE, "operation": "", "function": "", "times": 0, "used": 3}]
    }
    assert account.control("DELETE").get_json() == {"faults": []}
    assert account.calls() == 0


def test_a_fault_with_times_ends_by_itself(account: Account) -> None:
    account.control("POST", {**THROTTLE, "times": 2})

    assert [account.calls() for _ in range(3)] == [400, 400, 0]
    assert account.faults.as_json() == []


def test_a_fault_never_applies_to_an_operator_or_to_schedules(account: Account) -> None:
    account.control("POST", THROTTLE)

    assert account.calls(key="test") == 0
    assert account.calls(key=account.schedules) == 0


def test_a_fault_applies_to_its_operation_and_function_only(account: Account) -> None:
    account.control("POST", [{**THROTTLE, "operation": "PutItem"}, {**THROTTLE, "function": "webhooks"}])

    assert account.calls() == 0
    assert account.calls("DynamoDB_20120810.PutItem") == 400
    assert account.calls("secretsmanager.GetSecretValue", service="secretsmanager") == 0


@pytest.mark.parametrize(
    ("service", "operation", "line", "body"),
    [
        ("sns", "Publish", "POST /", b"Action=Publish&TopicArn=arn"),
        ("s3", "GetObject", "GET /artifacts/one", b""),
        ("s3", "PutObject", "PUT /artifacts/one", b"content"),
        ("lambda", "Invoke", "POST /2015-03-31/functions/imports/invocations", b"{}"),
    ],
)
def test_the_operation_of_other_protocols_is_known(
    account: Account, service: str, operation: str, line: str, body: bytes
) -> None:
    others = [{"service": service, "error": "AccessDenied", "operation": other} for other in OPERATIONS[service]]
    account.control("POST", [fault for fault in others if fault["operation"] != operation])
    assert account.calls("", service=service, line=line, body=body) == 0

    account.control("POST", {"service": service, "error": "AccessDenied", "operation": operation})
    assert account.calls("", service=service, line=line, body=body) == 403


def test_every_operation_that_a_function_may_call_can_have_a_fault() -> None:
    policies = declare(*EVERYTHING).all("aws:iam/rolePolicy:RolePolicy")
    granted = {action for policy in policies for each in statements(policy.inputs["policy"]) for action in each["Action"]}
    possible = {f"{service}:{operation}" for service, operations in OPERATIONS.items() for operation in operations}

    assert {action for action in granted - possible if action.partition(":")[0] in OPERATIONS} == {
        "dynamodb:ConditionCheckItem",  # a part of TransactWriteItems
        "lambda:InvokeFunction",  # Invoke
        *(f"sqs:{operation}" for operation in _OF_LAMBDA),
    }


def test_a_fault_of_every_operation_applies_to_an_unknown_one(account: Account) -> None:
    account.control("POST", {"service": "s3", "error": "ServiceUnavailable"})

    assert account.calls("", service="s3", line="GET /?unknown", body=b"") == 503


def test_what_lambda_does_with_a_functions_role_gets_no_fault(account: Account) -> None:
    account.control("POST", {"service": "sqs", "error": "InternalServerError"})

    assert account.calls("AmazonSQS.ReceiveMessage", service="sqs") == 0
    assert account.calls("AmazonSQS.SendMessage", service="sqs") == 500


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        pytest.param(b"[" * 5000, "the body is nested too deeply", id="deep"),
        ([], ""),
        ({"service": "dynamodb"}, "with service and error"),
        ({**THROTTLE, "more": 1}, "with service and error"),
        ({**THROTTLE, "service": "logs"}, "service must be one of dynamodb, events"),
        ({**THROTTLE, "service": []}, "service must be one of dynamodb, events"),
        ({**THROTTLE, "error": "<x>"}, "error must be a name"),
        ({**THROTTLE, "operation": 1}, "operation must be one of BatchGetItem, BatchWriteItem"),
        ({**THROTTLE, "operation": "SendMessage"}, "operation must be one of BatchGetItem, BatchWriteItem"),
        ({**THROTTLE, "function": "mailer"}, "function must be one of notification, webhooks"),
        ({**THROTTLE, "times": -1}, "times must be a whole number"),
        ({**THROTTLE, "times": True}, "times must be a whole number"),
        ([THROTTLE] * (MOST_FAULTS + 1), "100 faults at once"),
        (b" " * 70_000, "over 64 KiB"),
    ],
)
def test_a_wrong_fault_is_refused_with_the_reason(account: Account, body: Any, reason: str) -> None:
    answer = account.control("POST", body)

    assert (answer.status_code, account.faults.as_json()) == (400 if reason else 200, [])
    assert reason in answer.get_data(as_text=True)


def test_another_method_is_refused(account: Account) -> None:
    assert account.control("PUT", THROTTLE).status_code == 405


@pytest.mark.parametrize(
    ("service", "operation", "error", "code", "status"),
    [
        ("dynamodb", "PutItem", "ThrottlingException", "ThrottlingException", 400),
        ("dynamodb", "PutItem", "InternalServerError", "InternalServerError", 500),
        ("dynamodb", "PutItem", "AccessDenied", "AccessDeniedException", 400),
        ("dynamodb", "PutItem", "ProvisionedThroughputExceededException", "ProvisionedThroughputExceededException", 400),
        ("events", "PutEvents", "InternalServerError", "InternalException", 500),
        ("secretsmanager", "GetSecretValue", "InternalServerError", "InternalServiceError", 500),
        ("secretsmanager", "GetSecretValue", "ServiceUnavailable", "ServiceUnavailable", 503),
        ("sns", "Publish", "ThrottlingException", "Throttling", 400),
        ("sns", "Publish", "InternalServerError", "InternalError", 500),
        ("sqs", "SendMessage", "ThrottlingException", "ThrottlingException", 400),
        ("sqs", "SendMessage", "InternalServerError", "InternalError", 500),
        ("s3", "PutObject", "ThrottlingException", "SlowDown", 503),
        ("s3", "PutObject", "InternalServerError", "InternalError", 500),
        ("s3", "PutObject", "NoSuchBucket", "NoSuchBucket", 400),
        ("lambda", "Invoke", "ThrottlingException", "TooManyRequestsException", 429),
        ("lambda", "Invoke", "InternalServerError", "ServiceException", 500),
    ],
)
def test_a_client_reads_the_error_as_the_service_calls_it(
    service: str, operation: str, error: str, code: str, status: int
) -> None:
    response = fail(service, "POST", error, "by a fault")
    model = botocore.session.get_session().get_service_model(service)
    headers = {name.lower(): value for name, value in response.headers}
    shape = model.operation_model(operation).output_shape
    assert shape is not None
    parsed = create_parser(model.resolved_protocol).parse(
        {"status_code": response.status_code, "headers": headers, "body": response.get_data()}, shape
    )

    assert (response.status_code, parsed["Error"]["Code"], parsed["Error"]["Message"]) == (status, code, "by a fault")
