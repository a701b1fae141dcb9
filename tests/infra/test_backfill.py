"""The function that copies a legacy table exists only if the configuration names one, and has only the grants it needs."""

import json

import pytest

from lib.platform.contract import BACKFILL_MAX_SEGMENTS
from stack.config_values import SettingsError
from tests.support.project.pulumi_graph import ALIAS, EVERYTHING, declare, statements

ARN = "arn:aws:dynamodb:us-west-2:123456789012:table/legacy-issues"


def test_without_a_legacy_table_no_resource_of_the_backfill_is_deployed() -> None:
    graph = declare()

    assert [each.name for each in graph.resources if each.name.startswith("backfill")] == []
    assert "backfill" not in graph.outputs["functions"].keys() | graph.outputs["dead_letter_queues"].keys()


def test_its_queue_feeds_one_segment_to_each_of_32_workers() -> None:
    graph = declare(*EVERYTHING)
    queue = graph.one("aws:sqs/queue:Queue", "backfill-work")
    mapping = graph.one("aws:lambda/eventSourceMapping:EventSourceMapping", "backfill-work").inputs

    assert mapping["functionName"] == graph.arn(ALIAS, "backfill")
    assert (mapping["batchSize"], mapping["scalingConfig"]) == (1, {"maximumConcurrency": BACKFILL_MAX_SEGMENTS})
    assert mapping["eventSourceArn"] == queue.outputs["arn"]
    assert queue.inputs["visibilityTimeoutSeconds"] == 960
    letters = graph.one("aws:sqs/queue:Queue", "backfill-work-dead-letters").outputs["name"]
    assert graph.outputs["dead_letter_queues"]["backfill"] == [letters]
    assert json.loads(queue.inputs["redrivePolicy"])["maxReceiveCount"] == 5


def test_it_reads_the_legacy_table_and_writes_its_own_partitions() -> None:
    graph = declare(*EVERYTHING)
    [policy] = [each for each in graph.all("aws:iam/rolePolicy:RolePolicy") if each.name == "backfill"]
    granted = {tuple(each["Action"]): each for each in statements(policy.inputs["policy"])}

    assert granted["dynamodb:Scan",]["Resource"] == [ARN]
    of_operations = granted["dynamodb:Query", "dynamodb:UpdateItem"]
    assert of_operations["Resource"] == [graph.arn("aws:dynamodb/table:Table", "JiraOperations")]
    assert of_operations["Condition"]["ForAllValues:StringLike"] == {"dynamodb:LeadingKeys": ["backfill#*"]}


def test_a_legacy_table_of_another_region_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")

    with pytest.raises(SettingsError, match=r"^switchboard:backfillSourceTableArn names a table in eu-west-2"):
        declare({"backfillSourceTableArn": ARN.replace("us-west-2", "eu-west-2")})
