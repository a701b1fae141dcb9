"""The resources of Shuttle: its table, bucket, queue, functions, route and schedule, and what each may do."""

import json
from typing import Any

import pytest

from lib.operations.costs import pricing
from lib.operations.costs.prices import Meter
from lib.platform.contract import JOB_KEPT, JOB_LEASE, MAX_RECEIVES
from lib.platform.environment.imports import ImportsEnvironment
from lib.platform.environment.shuttle import ShuttleEnvironment
from lib.shuttle import keys
from lib.shuttle.imports.files import MAX_TEXT_BYTES
from lib.shuttle.jobs import lifecycle
from lib.shuttle.jobs.plans import MIB, Plan
from stack.components.queue import WorkQueue
from stack.settings import secret_keys
from tests.support.project.pulumi_graph import ALIAS, EVERYTHING, Graph, declare, statements

TABLE, QUEUE, FUNCTION = "aws:dynamodb/table:Table", "aws:sqs/queue:Queue", "aws:lambda/function:Function"
BUS = "aws:cloudwatch/eventBus:EventBus"
BUCKET = "aws:s3/bucket:Bucket"
CORS = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"

FOLDERS = [prefix.removesuffix("a.example/") for prefix in keys.object_prefixes("a.example")]
"""Of the import bucket: each has objects of shops."""


def bucket_part(graph: Graph, kind: str) -> dict[str, Any]:
    return graph.one(f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}", "imports").inputs


def test_the_indexes_include_no_more_than_dynamodb_allows() -> None:
    indexes = declare().one(TABLE, "Shuttle").inputs["globalSecondaryIndexes"]

    assert all(len(index["nonKeyAttributes"]) <= 20 for index in indexes)
    assert sum(len(index["nonKeyAttributes"]) for index in indexes) <= 100


def test_the_outputs_name_the_table_the_bucket_and_the_functions() -> None:
    graph = declare()
    resource = graph.one(TABLE, "Shuttle").outputs

    assert graph.outputs["shuttle_table_name"] == resource["name"]
    assert graph.outputs["shuttle_table_arn"] == resource["arn"]
    assert graph.outputs["import_bucket_name"] == graph.one(BUCKET, "imports").outputs["bucket"]
    for name in ("shuttle", "imports"):
        assert graph.outputs["functions"][name] == graph.one(FUNCTION, name).outputs["name"]


def test_failed_jobs_are_found_by_the_function_that_runs_them() -> None:
    graph = declare()
    names = [graph.one(QUEUE, name).outputs["name"] for name in ("imports-failures", "shuttle-jobs-dead-letters")]

    assert graph.outputs["dead_letter_queues"]["imports"] == names
    assert "shuttle" not in graph.outputs["dead_letter_queues"]


def test_files_are_kept_as_long_as_their_jobs_and_catalogues_as_their_shops() -> None:
    rules = {rule["id"]: rule for rule in bucket_part(declare(), "BucketLifecycleConfiguration")["rules"]}

    assert rules["uploads"]["filter"] == {"prefix": "uploads/"}
    assert rules["uploads"]["transitions"] == [{"days": 90, "storageClass": "GLACIER"}]
    assert rules["uploads"]["expiration"] == {"days": 365}
    assert rules["reports"]["expiration"]["days"] > JOB_KEPT.days
    assert rules["changes"]["expiration"] == rules["reports"]["expiration"]
    assert rules["exports"]["expiration"] == {"days": 7}
    assert "expiration" not in rules["catalogue"]
    assert [f"{rule}/" for rule in sorted(rules)] == sorted(FOLDERS)
    assert all(rule["filter"] == {"prefix": f"{name}/"} for name, rule in rules.items())
    assert all(rule["status"] == "Enabled" for rule in rules.values())
    assert all(rule["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 1} for rule in rules.values())


def test_the_import_bucket_is_private_encrypted_and_by_tls_only() -> None:
    graph = declare()
    block = bucket_part(graph, "BucketPublicAccessBlock")
    [refusal] = statements(bucket_part(graph, "BucketPolicy")["policy"])
    [rule] = bucket_part(graph, "BucketServerSideEncryptionConfiguration")["rules"]
    arn = graph.arn(BUCKET, "imports")

    assert [block[name] for name in block if name != "bucket"] == [True] * 4
    assert (refusal["Effect"], refusal["Principal"], refusal["Action"]) == ("Deny", "*", "s3:*")
    assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert refusal["Resource"] == [arn, f"{arn}/*"]
    assert rule == {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}


@pytest.mark.parametrize(("stack", "protected"), [("prod", True), ("local", False)])
def test_the_import_bucket_is_kept_outside_dev(stack: str, protected: bool) -> None:
    graph = declare(stack=stack)

    assert graph.one(BUCKET, "imports").inputs["forceDestroy"] is not protected
    assert bool(graph.options[BUCKET, "imports"].protect) is protected


def test_pages_of_the_origins_in_the_config_may_upload_and_no_others() -> None:
    graph = declare(*EVERYTHING)
    [rule] = graph.one(CORS, "imports").inputs["corsRules"]

    assert rule["allowedOrigins"] == ["https://shop.example.com", "https://admin.example.com"]
    assert sorted(rule["allowedMethods"]) == ["GET", "PUT"]
    assert rule["exposeHeaders"] == ["ETag"]
    assert not declare().all(CORS)


def test_the_bucket_notifies_the_queue_of_uploads_only() -> None:
    graph = declare()
    [notification] = bucket_part(graph, "BucketNotification")["queues"]

    assert notification == {
        "queueArn": graph.arn(QUEUE, "shuttle-jobs"),
        "events": ["s3:ObjectCreated:*"],
        "filterPrefix": "uploads/",
    }


def test_only_this_accounts_bucket_may_send_to_the_queue() -> None:
    graph = declare()
    queue = graph.arn(QUEUE, "shuttle-jobs")
    allowed = [
        each
        for each in statements(graph.one("aws:sqs/queuePolicy:QueuePolicy", "shuttle-jobs").inputs["policy"])
        if each["Effect"] == "Allow"
    ]

    assert allowed == [
        {
            "Sid": "AllowS3",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {
                "ArnEquals": {"aws:SourceArn": graph.arn(BUCKET, "imports")},
                "StringEquals": {"aws:SourceAccount": queue.split(":")[4]},
            },
        }
    ]


def test_no_bucket_may_send_to_another_queue() -> None:
    for policy in declare().all("aws:sqs/queuePolicy:QueuePolicy"):
        if policy.name != "shuttle-jobs":
            assert "s3.amazonaws.com" not in policy.inputs["policy"]


def test_a_message_comes_back_when_its_worker_is_lost_and_not_before() -> None:
    graph = declare()
    visible_after = graph.one(QUEUE, "shuttle-jobs").inputs["visibilityTimeoutSeconds"]

    assert visible_after > graph.one(FUNCTION, "imports").inputs["timeout"]
    assert visible_after > JOB_LEASE.total_seconds(), "the next worker would find the job held, and wait again"
    assert 3 * visible_after < lifecycle.LOST_AFTER.total_seconds(), "the sweep would be first"


def test_a_message_that_fails_five_times_is_a_dead_letter() -> None:
    graph = declare()
    redrive = json.loads(graph.one(QUEUE, "shuttle-jobs").inputs["redrivePolicy"])

    assert redrive == {
        "deadLetterTargetArn": graph.arn(QUEUE, "shuttle-jobs-dead-letters"),
        "maxReceiveCount": MAX_RECEIVES,
    }


def test_a_queue_whose_messages_come_back_too_soon_is_refused() -> None:
    with pytest.raises(ValueError, match="would be delivered again while the function still works on it"):
        WorkQueue("too-soon", function_timeout_seconds=900, visibility_timeout_seconds=899)


def test_the_function_gets_one_upload_at_a_time() -> None:
    graph = declare()
    mapping = graph.one("aws:lambda/eventSourceMapping:EventSourceMapping", "shuttle-jobs").inputs

    assert mapping["eventSourceArn"] == graph.arn(QUEUE, "shuttle-jobs")
    assert mapping["functionName"] == graph.arn(ALIAS, "imports")
    assert mapping["batchSize"] == 1
    assert mapping["functionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_functions_have_their_size_and_know_what_they_work_on() -> None:
    graph = declare()
    api, worker = graph.one(FUNCTION, "shuttle").inputs, graph.one(FUNCTION, "imports").inputs
    parts = {
        "shuttle_table_name": graph.one(TABLE, "Shuttle").outputs["name"],
        "import_bucket_name": graph.one(BUCKET, "imports").outputs["bucket"],
        "job_queue_url": graph.one(QUEUE, "shuttle-jobs").outputs["url"],
        "event_bus_name": graph.outputs["event_bus_name"],
    }

    assert (api["memorySize"], api["timeout"], api["ephemeralStorage"]) == (512, 29, {"size": 512})
    assert (worker["memorySize"], worker["timeout"], worker["ephemeralStorage"]) == (512, 900, {"size": 10240})
    assert ShuttleEnvironment.read(api["environment"]["variables"]) == ShuttleEnvironment(**parts)
    assert ImportsEnvironment.read(worker["environment"]["variables"]) == ImportsEnvironment(**parts)


def test_a_request_ends_before_the_api_gives_up_on_it() -> None:
    graph = declare()
    [given_up_after] = {
        each.inputs["timeoutMilliseconds"] / 1000
        for each in graph.all("aws:apigatewayv2/integration:Integration")
        if each.name == "shuttle"
    }

    assert graph.one(FUNCTION, "shuttle").inputs["timeout"] < given_up_after


def test_the_disk_holds_what_an_import_of_the_largest_plan_needs() -> None:
    """The text, and the catalogue before and after, with room for what the engine spills."""
    disk = declare().one(FUNCTION, "imports").inputs["ephemeralStorage"]["size"] * MIB
    upload = max(plan.limits.max_file_bytes for plan in Plan)

    assert disk >= MAX_TEXT_BYTES + 2 * upload + MAX_TEXT_BYTES


def grants(graph: Graph, function: str) -> dict[tuple[str, ...], list[str]]:
    policy = statements(graph.one("aws:iam/rolePolicy:RolePolicy", function).inputs["policy"])
    found: dict[tuple[str, ...], list[str]] = {}
    for each in policy:
        found.setdefault(tuple(each["Action"]), []).extend(each["Resource"])
    return found


def test_the_api_has_exactly_these_grants() -> None:
    graph = declare()
    shops, imports = graph.arn(TABLE, "Shuttle"), graph.arn(BUCKET, "imports")

    assert grants(graph, "shuttle") == {
        ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"): [shops],
        ("dynamodb:DeleteItem", "dynamodb:BatchWriteItem"): [shops],
        ("dynamodb:ConditionCheckItem",): [shops],
        ("dynamodb:Query",): [shops, f"{shops}/index/GSI3", f"{shops}/index/StatusIndex"],
        ("s3:PutObject",): [f"{imports}/uploads/*"],
        ("s3:GetObject",): [f"{imports}/{prefix}/*" for prefix in ("uploads", "reports", "changes", "exports")],
        ("s3:ListMultipartUploadParts",): [f"{imports}/uploads/*"],
        ("s3:DeleteObject", "s3:AbortMultipartUpload"): [f"{imports}/{folder}*" for folder in FOLDERS],
        ("s3:ListBucketMultipartUploads",): [imports],
        ("sqs:SendMessage",): [graph.arn(QUEUE, "shuttle-jobs")],
        ("events:PutEvents",): [graph.arn(BUS, "switchboard")],
        ("s3:ListBucket",): [imports],
    }


def test_the_worker_has_exactly_these_grants() -> None:
    graph = declare()
    shops, imports = graph.arn(TABLE, "Shuttle"), graph.arn(BUCKET, "imports")

    assert grants(graph, "imports") == {
        ("sqs:SendMessage",): [graph.arn(QUEUE, "imports-failures"), graph.arn(QUEUE, "shuttle-jobs")],
        ("events:PutEvents",): [graph.arn(BUS, "switchboard")],
        ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"): [shops],
        ("dynamodb:Query",): [shops, f"{shops}/index/GSI1"],
        ("s3:GetObject",): [f"{imports}/uploads/*", f"{imports}/catalogue/*"],
        ("s3:PutObject",): [f"{imports}/{prefix}/*" for prefix in ("reports", "changes", "catalogue", "exports")],
        ("s3:DeleteObject",): [f"{imports}/{folder}*" for folder in FOLDERS],
        ("s3:ListBucket",): [imports],
        ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"): [graph.arn(QUEUE, "shuttle-jobs")],
    }


def test_events_are_put_on_an_existing_bus_by_its_own_arn() -> None:
    bus = declare().one(BUS, "switchboard").outputs["arn"]
    graph = declare({"eventBusName": "isb-events"})

    for function in ("shuttle", "imports"):
        assert grants(graph, function)["events:PutEvents",] == [f"{bus.rpartition('/')[0]}/isb-events"]


def test_costs_count_the_stacks_alarms_queues_and_secrets() -> None:
    graph = declare()
    month = pricing.monthly_costs(pricing.Workload(events_per_day=0))

    alarms = [
        alarm.inputs.get("metricQueries", [{"metric": alarm.name}])
        for alarm in graph.all("aws:cloudwatch/metricAlarm:MetricAlarm")
    ]
    assert len([query for queries in alarms for query in queries if "metric" in query]) == pricing.ALARM_METRICS
    assert len([queue for queue in graph.all(QUEUE) if "redrivePolicy" in queue.inputs]) == pricing.WORK_QUEUES
    [secrets] = [line.quantity for line in month.lines if line.meter is Meter.SECRET]
    assert secrets == len(secret_keys()) - 1, "Slack's bot token and its webhook are not used together"


def test_every_path_of_shuttle_requires_a_signature() -> None:
    graph = declare()
    routes = {route.inputs["routeKey"]: route.inputs for route in graph.all("aws:apigatewayv2/route:Route")}

    [(key, route)] = [(key, route) for key, route in routes.items() if "/shuttle" in key]
    assert key == "ANY /shuttle/{proxy+}"
    assert route["authorizationType"] == "AWS_IAM"


def test_the_sweep_runs_every_quarter_of_an_hour() -> None:
    graph = declare()
    schedule = graph.one("aws:scheduler/schedule:Schedule", "shuttle-sweep").inputs

    assert schedule["scheduleExpression"] == "rate(15 minutes)"
    assert schedule["target"]["arn"] == graph.arn(ALIAS, "imports")
    assert json.loads(schedule["target"]["input"]) == {"mode": "sweep"}


@pytest.mark.parametrize(
    "alarm",
    [
        "shuttle-errors",
        "shuttle-throttles",
        "imports-errors",
        "imports-throttles",
        "imports-failures-depth",
        "shuttle-jobs-dead-letters-depth",
        "shuttle-jobs-age",
        "Shuttle-read-throttles",
        "Shuttle-write-throttles",
        "health-shuttle-table",
        "import-worker-lost",
    ],
)
def test_every_failure_raises_its_alarm(alarm: str) -> None:
    assert declare().one("aws:cloudwatch/metricAlarm:MetricAlarm", alarm)


def test_the_health_function_may_try_the_table() -> None:
    graph = declare()
    policy = statements(graph.one("aws:iam/rolePolicy:RolePolicy", "health").inputs["policy"])
    touching = {action for each in policy if graph.arn(TABLE, "Shuttle") in each["Resource"] for action in each["Action"]}

    assert touching == {"dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"}
