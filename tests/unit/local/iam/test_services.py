"""AWS services that act without a role may do what the policy of the resource allows for a source."""

import json

import pytest

from stack.components.http_api import Authorization, Route, invocation_source
from stack.components.queue import queue_policy
from stack.local.iam import Ledger, Services
from stack.local.iam.services import InvokePermission

FUNCTION = "arn:aws:lambda:us-west-2:123456789012:function:shuttle"
QUEUE = "arn:aws:sqs:us-west-2:123456789012:jobs"
RULE = "arn:aws:events:us-west-2:123456789012:rule/bus/lease"
BUCKET = "arn:aws:s3:::imports"
API = "arn:aws:execute-api:us-west-2:123456789012:api"


@pytest.fixture
def services() -> Services:
    services = Services("123456789012", Ledger(lambda sid: sid))
    route = Route("ANY", "/shuttle/{proxy+}", "shuttle", Authorization.AWS_IAM)
    for principal, source in (("events.amazonaws.com", RULE), ("apigateway.amazonaws.com", invocation_source(API, route))):
        permission = InvokePermission(
            function_arn=FUNCTION, principal=principal, action="lambda:InvokeFunction", source_arn=source
        )
        services.add_policy(FUNCTION, permission.document())
    services.add_policy(QUEUE, json.dumps(queue_policy(QUEUE, RULE, BUCKET)))
    return services


@pytest.mark.parametrize(
    ("service", "action", "resource", "source", "expected"),
    [
        ("events.amazonaws.com", "lambda:InvokeFunction", FUNCTION, RULE, True),
        ("events.amazonaws.com", "lambda:InvokeFunction", FUNCTION, RULE + "2", False),
        ("s3.amazonaws.com", "lambda:InvokeFunction", FUNCTION, RULE, False),
        ("events.amazonaws.com", "lambda:InvokeFunction", FUNCTION + "2", RULE, False),
        ("apigateway.amazonaws.com", "lambda:InvokeFunction", FUNCTION, f"{API}/$default/GET/shuttle/{{proxy+}}", True),
        ("apigateway.amazonaws.com", "lambda:InvokeFunction", FUNCTION, f"{API}/$default/GET/drafts", False),
        ("apigateway.amazonaws.com", "lambda:InvokeFunction", FUNCTION, f"{API}2/$default/GET/shuttle/{{proxy+}}", False),
        ("s3.amazonaws.com", "sqs:SendMessage", QUEUE, BUCKET, True),
        ("s3.amazonaws.com", "sqs:SendMessage", QUEUE, BUCKET + "2", False),
        ("events.amazonaws.com", "sqs:SendMessage", QUEUE, RULE, True),
        ("events.amazonaws.com", "sqs:ReceiveMessage", QUEUE, RULE, False),
    ],
)
def test_a_service_may_do_what_the_resource_allows_it(
    services: Services, service: str, action: str, resource: str, source: str, expected: bool
) -> None:
    assert services.may(service, action, resource, source) is expected


def test_a_queue_of_another_account_refuses_the_bucket_of_ours() -> None:
    services = Services("210987654321", Ledger(lambda sid: sid))
    services.add_policy(QUEUE, json.dumps(queue_policy(QUEUE, BUCKET)))

    assert not services.may("s3.amazonaws.com", "sqs:SendMessage", QUEUE, BUCKET)


def test_uses_and_refusals_are_in_the_ledger() -> None:
    ledger = Ledger(lambda sid: sid)
    services = Services("123456789012", ledger)
    services.add_policy(QUEUE, json.dumps(queue_policy(QUEUE, RULE)))

    services.may("events.amazonaws.com", "sqs:SendMessage", QUEUE, RULE)
    services.may("events.amazonaws.com", "sqs:SendMessage", QUEUE, RULE + "2")

    book = ledger.as_json()
    assert [(grant["principal"], grant["uses"]) for grant in book["grants"]] == [(f"events.amazonaws.com for {RULE}", 1)]
    assert [(refusal["action"], refusal["times"]) for refusal in book["refusals"]] == [("sqs:SendMessage", 1)]
