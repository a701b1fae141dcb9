"""The work queue of the Jira sync: how its messages reach the worker, and what becomes of one that the worker fails on."""

import json

from tests.support.project.pulumi_graph import ALIAS, declare

QUEUE, FUNCTION = "aws:sqs/queue:Queue", "aws:lambda/function:Function"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"


def test_the_visibility_timeout_is_six_times_the_workers_timeout() -> None:
    graph = declare()

    visibility = graph.one(QUEUE, "jira-work").inputs["visibilityTimeoutSeconds"]

    assert visibility == 6 * graph.one(FUNCTION, "jira_worker").inputs["timeout"]
    assert visibility <= 12 * 3600  # what SQS allows


def test_a_message_that_failed_five_times_is_a_dead_letter() -> None:
    graph = declare()

    assert json.loads(graph.one(QUEUE, "jira-work").inputs["redrivePolicy"]) == {
        "deadLetterTargetArn": graph.arn(QUEUE, "jira-work-dead-letters"),
        "maxReceiveCount": 5,
    }


def test_no_queues_but_the_work_queues_give_up_on_their_messages() -> None:
    giving_up = {queue.name for queue in declare().all(QUEUE) if "redrivePolicy" in queue.inputs}

    assert giving_up == {"jira-work", "approval-work", "shuttle-jobs"}


def test_the_worker_batches_for_a_second_and_reports_failed_messages() -> None:
    graph = declare()

    inputs = graph.one(MAPPING, "jira-work").inputs
    assert {name: value for name, value in inputs.items() if name != "tags"} == {
        "eventSourceArn": graph.arn(QUEUE, "jira-work"),
        "functionName": graph.arn(ALIAS, "jira_worker"),
        "batchSize": 10,
        "maximumBatchingWindowInSeconds": 1,
        "functionResponseTypes": ["ReportBatchItemFailures"],
        "scalingConfig": {"maximumConcurrency": 5},
    }


def test_no_queue_is_polled_before_the_role_may_receive_and_log() -> None:
    """Messages may be in the queue already, so that the first batch arrives at once."""
    graph = declare()

    for queue, function in (("jira-work", "jira_worker"), ("approval-work", "jira_worker"), ("shuttle-jobs", "imports")):
        waits_for = graph.options[MAPPING, queue].depends_on
        assert isinstance(waits_for, list)
        assert [resource._name for resource in waits_for] == [function, f"{function}-logs"]


def test_no_queue_may_take_the_whole_concurrency_of_the_account() -> None:
    bounds = {each.name: each.inputs["scalingConfig"]["maximumConcurrency"] for each in declare().all(MAPPING)}

    assert bounds == {"jira-work": 5, "approval-work": 5, "shuttle-jobs": 20}
    assert all(2 <= bound <= 1000 for bound in bounds.values())  # what Lambda allows


def test_no_other_aws_service_may_send_to_the_queue() -> None:
    [statement] = json.loads(declare().one("aws:sqs/queuePolicy:QueuePolicy", "jira-work").inputs["policy"])["Statement"]

    assert statement["Effect"] == "Deny"
