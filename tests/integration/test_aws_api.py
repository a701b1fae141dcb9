"""The AWS API of the local cloud does what moto alone does not: it runs functions."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import LOG_LOOKS, Cloud, until


def code_of(error: ClientError) -> tuple[str, int]:
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]


def test_invoke_runs_the_function_and_gives_its_answer(cloud: Cloud) -> None:
    answer = cloud.invoke("notification", {"detail-type": "LeaseApproved", "source": "x", "detail": {}, "id": "invoke-1"})
    assert answer["status"] == 200
    assert answer["error"] is None
    assert answer["payload"]["event_id"] == "invoke-1"
    assert answer["payload"]["channels"] == {"sns": "sent"}


def test_an_alarm_on_a_total_has_a_query_per_part_and_one_for_the_sum(cloud: Cloud) -> None:
    [alarm] = cloud.client("cloudwatch").describe_alarms(AlarmNamePrefix="JiraIssues-write-throttles")["MetricAlarms"]
    *parts, total = alarm["Metrics"]

    table = {"Name": "TableName", "Value": cloud.outputs["jira_issues_table_name"]}
    assert all(table in part["MetricStat"]["Metric"]["Dimensions"] for part in parts)
    assert [part["MetricStat"]["Metric"]["MetricName"] for part in parts] == ["WriteThrottleEvents"] * 5
    assert all(part["Id"] in total["Expression"] for part in parts)
    assert [query["ReturnData"] for query in alarm["Metrics"]] == [False] * 5 + [True]


@pytest.mark.parametrize("name", ["arn", "partial_arn", "qualified"])
def test_a_function_is_found_by_its_arn_too(cloud: Cloud, name: str) -> None:
    function = cloud.outputs["functions"]["notification"]
    arn = cloud.client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    account = arn.split(":")[4]
    names = {"arn": arn, "partial_arn": f"{account}:function:{function}", "qualified": f"{arn}:$LATEST"}
    answer = cloud.client("lambda").invoke(FunctionName=names[name], InvocationType="DryRun")
    assert answer["StatusCode"] == 204


def test_an_unknown_function_is_not_found(cloud: Cloud) -> None:
    with pytest.raises(ClientError) as raised:
        cloud.client("lambda").invoke(FunctionName="nobody", Payload=b"{}")
    assert code_of(raised.value) == ("ResourceNotFoundException", 404)


def test_a_payload_that_is_not_json_is_refused(cloud: Cloud) -> None:
    with pytest.raises(ClientError) as raised:
        cloud.client("lambda").invoke(FunctionName=cloud.outputs["functions"]["notification"], Payload=b"{")
    assert code_of(raised.value) == ("InvalidRequestContentException", 400)


@pytest.mark.parametrize(("kind", "size"), [("RequestResponse", 7), ("Event", 2)])
def test_a_payload_over_the_limit_of_its_kind_is_refused(cloud: Cloud, kind: str, size: int) -> None:
    with pytest.raises(ClientError) as raised:
        cloud.client("lambda").invoke(
            FunctionName=cloud.outputs["functions"]["notification"],
            InvocationType=kind,
            Payload=json.dumps("x" * size * 1024 * 1024).encode(),
        )
    assert code_of(raised.value) == ("RequestTooLargeException", 413)


def test_a_malformed_event_is_tried_three_times_and_dead_lettered(cloud: Cloud) -> None:
    answer = cloud.invoke("notification", {"no": "detail", "marker": "dead-letter-me"}, kind="Event")
    assert answer["status"] == 202

    def find() -> dict[str, Any] | None:
        letters = cloud.take_dead_letters("notification-failures")
        return next((letter for letter in letters if letter["requestPayload"].get("marker") == "dead-letter-me"), None)

    letter = until(find, 20)
    assert letter["requestContext"]["condition"] == "RetriesExhausted"
    assert letter["requestContext"]["approximateInvokeCount"] == 3
    assert letter["responsePayload"]["errorType"] == "InvalidInputError"
    assert "no detail" in letter["responsePayload"]["errorMessage"]
    request_id = letter["requestContext"]["requestId"]

    def lines() -> list[str] | None:
        found = [record["message"] for record in cloud.log_records("notification") if record.get("run_id") == request_id]
        return found if len(found) >= 3 else None

    assert until(lines, every=LOG_LOOKS) == ["event_failed"] * 3, "one clear line for each try"
