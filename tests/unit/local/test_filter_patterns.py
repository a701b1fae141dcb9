"""The local cloud's filter patterns match what AWS's documentation says that CloudWatch matches."""

import json
import time
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from stack.local import moto_patches
from stack.local.filter_patterns import FilterPatternError, compiled
from tests.support.aws.moto_clients import mocked

TRAIL = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "cluster.name": "c",
    "bandwidth": 76,
    "latency": 49.5,
    "refreshRate": 60,
    "responseTime": 5,
    "errorCode": 400,
    "number": [0.001],
    "ready": True,
    "late": False,
}
USERS = {
    "user": {"id": 1, "email": "John.Stiles@example.com"},
    "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
    "actions": ["GET", "PUT", "DELETE"],
    "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
}
STILES, OTHER = '$.user.email = "John.Stiles@example.com"', '$.coordinates[0][1] = "nonmatch"'


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.eventType = "UpdateTrail" }',
        "{$.eventType=UpdateTrail}",
        "{ $.eventType = Update* }",
        '{ $.eventType = "*Trail" }',
        '{ $.eventType = "*" }',
        "{ $.eventType = %^Up[a-z]+Trail$% }",
        "{ $.sourceIPAddress != 123.123.* }",
        '{ $.arrayKey[0] = "value" }',
        "{ $.objectList[1].id = 2 }",
        "{ $.SomeObject IS NULL }",
        "{ $.SomeOtherObject NOT EXISTS }",
        "{ $.objectList[2] NOT EXISTS }",
        "{ $.['cluster.name'] = \"c\" }",
        "{ $.bandwidth > 75 }",
        "{ $.latency < 50 }",
        "{ $.refreshRate >= 60 }",
        "{ $.responseTime <= 5 }",
        "{ $.errorCode = 400 }",
        "{ $.errorCode != 500 }",
        "{ $.errorCode = 4* }",
        '{ $.errorCode = "*" }',
        "{ $.number[0] = 1e-3 }",
        "{ $.number[0] != 1e+3 }",
        "{ $.ready IS TRUE }",
        "{ $.late IS FALSE }",
    ],
)
def test_a_json_pattern_matches(pattern: str) -> None:
    assert compiled(pattern)(json.dumps(TRAIL))


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.eventType = "updatetrail" }',
        '{ $.eventType != "UpdateTrail" }',
        '{ $.eventType = "Update" }',
        "{ $.sourceIPAddress != 111.111.* }",
        '{ $.arrayKey = "value" }',
        "{ $.SomeOtherObject IS NULL }",
        "{ $.SomeObject NOT EXISTS }",
        "{ $.SomeOtherObject != 1 }",
        "{ $.bandwidth > 76 }",
        "{ $.eventType > 1 }",
        "{ $.ready = 1 }",
        "{ $.late IS TRUE }",
        "{ $.ready IS FALSE }",
    ],
)
def test_a_json_pattern_does_not_match(pattern: str) -> None:
    assert not compiled(pattern)(json.dumps(TRAIL))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', True),
        ('{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }', False),
        (f'{{ {STILES} || {OTHER} && $.actions[2] = "nonmatch" }}', True),
        (f'{{ ({STILES} || {OTHER}) && $.actions[2] = "nonmatch" }}', False),
        ("{ $.coordinates[1][2] = 6 }", True),
    ],
)
def test_and_binds_closer_than_or(pattern: str, expected: bool) -> None:
    assert compiled(pattern)(json.dumps(USERS)) is expected


@pytest.mark.parametrize("message", ["START RequestId: 1", "[]", '"ERROR"', "{", "[" * 100_000])
def test_a_json_pattern_passes_over_other_lines(message: str) -> None:
    assert not compiled("{ $.level NOT EXISTS }")(message)


BAD, UNAUTHORIZED = "[ERROR 400] BAD REQUEST", "[ERROR 401] UNAUTHORIZED REQUEST"
MISSING, INVALID = "[ERROR 419] MISSING ARGUMENTS", "[ERROR 420] INVALID ARGUMENTS"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", [BAD, UNAUTHORIZED, MISSING, INVALID]),
        ("ERROR", [BAD, UNAUTHORIZED, MISSING, INVALID]),
        ("error", []),
        ("ERROR ARGUMENTS", [MISSING, INVALID]),
        ("?MISSING ?BAD", [BAD, MISSING]),
        ("ERROR -ARGUMENTS", [BAD, UNAUTHORIZED]),
        ('ERROR -"INVALID ARGUMENTS"', [BAD, UNAUTHORIZED, MISSING]),
        ('"BAD REQUEST"', [BAD]),
        ('"[ERROR 4" -BAD -"419"', [UNAUTHORIZED, INVALID]),
        ("ERROR ?MISSING", [BAD, UNAUTHORIZED, MISSING, INVALID]),
        ("%4[02]0%", [BAD, INVALID]),
    ],
)
def test_terms(pattern: str, expected: list[str]) -> None:
    assert list(filter(compiled(pattern), [BAD, UNAUTHORIZED, MISSING, INVALID])) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.level = }",
        "{ $.level }",
        "{ }",
        "{ $.level = ERROR",
        '{ $.level = "ERROR }',
        "{ ($.level = ERROR }",
        "{ $.level = ERROR) }",
        "{ $.level = ERROR && }",
        "{ $.level = ERROR $.level = INFO }",
        "{ $.level & ERROR }",
        "{ level = ERROR }",
        "{ $.level > ERROR }",
        "{ $.level IS ERROR }",
        "{ $.level = %(% }",
        '"ERROR',
        "[ip, user, status = 4*]",
    ],
)
def test_a_wrong_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(FilterPatternError):
        compiled(pattern)


@pytest.fixture
def group() -> Any:
    moto_patches.fill_gaps()
    with mocked():
        client = boto3.client("logs", region_name="us-west-2")
        client.create_log_group(logGroupName="group")
        yield client


def test_filter_log_events_uses_the_patterns(group: Any) -> None:
    messages = [json.dumps({"level": level, "n": n}) for n, level in enumerate(["INFO", "ERROR", "ERROR"])]
    group.create_log_stream(logGroupName="group", logStreamName="stream")
    now = 1000 * int(time.time())
    events = [{"timestamp": now + n, "message": message} for n, message in enumerate(messages)]
    group.put_log_events(logGroupName="group", logStreamName="stream", logEvents=events)

    answer = group.filter_log_events(logGroupName="group", filterPattern='{ $.level = "ERROR" && $.n > 1 }')

    assert [event["message"] for event in answer["events"]] == messages[2:]


def test_filter_log_events_refuses_a_wrong_pattern(group: Any) -> None:
    with pytest.raises(ClientError) as raised:
        group.filter_log_events(logGroupName="group", filterPattern="{ $.level = }")
    assert raised.value.response["Error"]["Code"] == "InvalidParameterException"
