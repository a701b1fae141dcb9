"""Any JSON as the event of any function, as whoever may invoke it could send: it is answered, or refused by an error of ours
that shows nothing of it. Never a KeyError, never a half-read batch.
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st

from lib.platform import errors
from lib.platform.contract import ENTRY_POINTS
from tests.integration.bad_input.conftest import bounded
from tests.integration.bad_input.test_any_bytes import named
from tests.property.test_any_jira_body import anything, encode, text
from tests.support.aws.sqs_events import sqs_event, sqs_record
from tests.support.cloud import Cloud
from tests.support.web.gateway import PERSON, leaks

OURS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.SwitchboardError)}


def odd(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly good, and now and then anything."""
    return st.one_of(good, good, good, anything, st.none())


header_names = st.sampled_from(["Content-Type", "content-type", "Host", "X-Hub-Signature", "Content-Length", PERSON]) | text
headers = odd(st.dictionaries(header_names, odd(text | st.just(PERSON)), max_size=4))
multi_headers = odd(st.dictionaries(header_names, odd(st.lists(odd(text), max_size=3)), max_size=4))
paths = st.sampled_from(
    ["/events", "/webhooks/jira", "/webhooks/commits", "/drafts", "/slack/interactions", "/health", "/shuttle/shops/a.example"]
)
context = odd(
    st.fixed_dictionaries(
        {},
        optional={
            "stage": odd(st.just("$default")),
            "path": odd(paths),
            "identity": odd(st.fixed_dictionaries({}, optional={"userArn": odd(text), "sourceIp": odd(text)})),
            "authorizer": odd(st.just({"iam": {"userArn": 7}})),
            "http": odd(st.fixed_dictionaries({"method": odd(st.sampled_from(["GET", "POST"])), "path": odd(paths)})),
            "elb": odd(st.just({})),
            "requestId": odd(text),
            "domainName": odd(text),
        },
    )
)
requests_of_the_gateway = st.fixed_dictionaries(
    {"httpMethod": odd(st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS"])), "path": odd(paths)},
    optional={
        "rawPath": odd(paths),
        "rawQueryString": odd(text),
        "cookies": odd(st.lists(odd(text), max_size=2)),
        "headers": headers,
        "multiValueHeaders": multi_headers,
        "queryStringParameters": odd(st.dictionaries(text, odd(text), max_size=3)),
        "multiValueQueryStringParameters": odd(st.dictionaries(text, odd(st.lists(odd(text), max_size=2)), max_size=3)),
        "requestContext": context,
        "body": odd(text | st.just("e30=") | anything.map(encode).map(bytes.decode)),
        "isBase64Encoded": odd(st.booleans()),
    },
)
lease_events = st.fixed_dictionaries(
    {"detail-type": odd(st.sampled_from(["LeaseExpired", "LeaseApproved", PERSON])), "detail": odd(anything)},
    optional={"id": odd(text | st.just(PERSON)), "source": odd(text | st.just("aws.scheduler")), "time": odd(text)},
)
bodies = anything.map(encode).map(bytes.decode) | text | st.just(f'{{"kind": "{PERSON}", "version": 1}}')
batches = st.lists(bodies, max_size=3).map(lambda some: sqs_event(*some)) | st.fixed_dictionaries(
    {"Records": odd(st.lists(odd(bodies.map(lambda body: sqs_record("m-1", body) | {PERSON: PERSON})), max_size=3))}
)
asked = st.dictionaries(
    st.sampled_from(["mode", "project", "full", "dry_run", "key_range", "checkpoint", PERSON]),
    odd(st.sampled_from(["changes", "full", "deep", "OPS", True, PERSON])),
    max_size=3,
)
events = anything | requests_of_the_gateway | lease_events | batches | asked
events = events | events.map(named)


def nested(levels: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@bounded(20)
@given(event=events)
@example(event=None)
@example(event={"Records": [None]})
@example(event={"Records": nested(400)})
@example(event={"httpMethod": "POST", "path": "/drafts", "requestContext": nested(400)})
@example(event={"httpMethod": "POST", "path": "/events", "body": "x", "isBase64Encoded": True})
@example(event={"requestContext": {"http": {"method": "POST"}, "identity": "x", "authorizer": [1]}, "rawPath": "/drafts"})
@example(event={"detail-type": "LeaseExpired", "detail": {"leaseId": {"userEmail": PERSON, "uuid": float("nan")}}})
@example(event={"detail-type": "LeaseExpired", "detail": {"n": 10**4000, "text": "\ud800", "deep": nested(400)}})
@example(event={PERSON: PERSON})
def test_any_event_is_answered_or_refused_on_purpose(house: Cloud, entry_point: str, event: Any) -> None:
    answer = house.invoke(entry_point, json.loads(json.dumps(event), parse_constant=str))  # Lambda itself refuses NaN

    payload = answer["payload"]
    if answer["error"]:
        assert payload["errorType"] in OURS, payload
        assert leaks(payload["errorMessage"], set()) == []
    else:
        assert leaks(json.dumps(payload, ensure_ascii=False), set()) == []
        if isinstance(payload, dict) and "statusCode" in payload:
            assert payload["statusCode"] < 500, payload


def test_lambda_refuses_invalid_json_before_any_function_sees_it(house: Cloud) -> None:
    with pytest.raises(ClientError, match="InvalidRequestContentException"):
        house.invoke("notification", {"detail": float("nan")})
