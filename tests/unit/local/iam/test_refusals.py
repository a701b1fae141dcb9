"""AccessDenied as botocore reads it from each service's protocol."""

import botocore.session
import pytest
from botocore.parsers import create_parser
from werkzeug.datastructures import Headers

from stack.local.iam.policy import Access, Verdict
from stack.local.iam.refusals import refuse, sentence

CALLER = "arn:aws:sts::123456789012:assumed-role/webhooks/webhooks-1"


def test_the_sentence_is_iams() -> None:
    access = Access("dynamodb:Query", "arn:aws:dynamodb:us-west-2:123456789012:table/Leases")

    assert sentence(CALLER, access, Verdict.NOT_GRANTED) == (
        f"User: {CALLER} is not authorized to perform: dynamodb:Query on resource: {access.resource} "
        "because no identity-based policy allows the dynamodb:Query action"
    )
    assert sentence(CALLER, access, Verdict.DENIED).endswith("with an explicit deny in an identity-based policy")


@pytest.mark.parametrize(
    ("action", "written"),
    [("sqs:SendMessage", "sqs:sendmessage"), ("sns:Publish", "SNS:Publish"), ("s3:PutObject", "s3:PutObject")],
)
def test_sqs_and_sns_write_the_action_differently(action: str, written: str) -> None:
    assert f"perform: {written} on resource" in sentence(CALLER, Access(action, "arn:aws:x:::y"), Verdict.NOT_GRANTED)


@pytest.mark.parametrize(
    ("service", "operation", "code", "status"),
    [
        ("dynamodb", "GetItem", "AccessDeniedException", 400),
        ("secretsmanager", "GetSecretValue", "AccessDeniedException", 400),
        ("logs", "PutLogEvents", "AccessDeniedException", 400),
        ("events", "PutEvents", "AccessDeniedException", 400),
        ("sqs", "SendMessage", "AccessDenied", 403),
        ("sns", "Publish", "AuthorizationError", 403),
        ("sts", "AssumeRole", "AccessDenied", 403),
        ("s3", "GetObject", "AccessDenied", 403),
        ("lambda", "Invoke", "AccessDeniedException", 403),
    ],
)
def test_a_client_reads_the_code_and_the_sentence(service: str, operation: str, code: str, status: int) -> None:
    response = refuse(service, "POST", 'User <x> is "not" & never')
    session = botocore.session.get_session()
    model = session.get_service_model(service)
    parser = create_parser(model.resolved_protocol)
    output = model.operation_model(operation).output_shape
    assert output is not None

    parsed = parser.parse(
        {"status_code": response.status_code, "headers": _lower(response.headers), "body": response.get_data()},
        output,
    )

    assert response.status_code == status
    assert parsed["Error"]["Code"] == code
    assert parsed["Error"]["Message"] == 'User <x> is "not" & never'


def test_the_answer_to_head_has_no_body() -> None:
    assert refuse("s3", "HEAD", "no").get_data() == b""


def _lower(headers: Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}
