"""A protected stack: each kind of resource is protected, retained, or created again by the next ``pulumi up``."""

from stack.components.protection import PROTECTED, PROTECTED_ROLES, RETAINED, TEMPORARY
from tests.support.project.pulumi_graph import EVERYTHING, declare

ROLE = "aws:iam/role:Role"
RECREATED = {
    "aws:apigatewayv2/integration:Integration": "part of the API, which keeps its URL",
    "aws:apigatewayv2/route:Route": "part of the API, which keeps its URL",
    "aws:apigatewayv2/stage:Stage": "$default: part of the API, which keeps its URL",
    "aws:cloudwatch/dashboard:Dashboard": "holds no data",
    "aws:cloudwatch/eventRule:EventRule": "holds no data; the bus stays",
    "aws:cloudwatch/eventTarget:EventTarget": "holds no data",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "holds no data; metrics stay in CloudWatch",
    "aws:iam/role:Role": "used in the stack only, except PROTECTED_ROLES",
    "aws:iam/rolePolicy:RolePolicy": "holds no data",
    "aws:lambda/alias:Alias": "names the newest version, unless rollback moved it",
    "aws:lambda/eventSourceMapping:EventSourceMapping": "messages wait in the queue meanwhile",
    "aws:lambda/function:Function": "its code is the program's; its name is in the stack's outputs",
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": "holds no data",
    "aws:lambda/functionRecursionConfig:FunctionRecursionConfig": "holds no data",
    "aws:lambda/permission:Permission": "holds no data",
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": "is removed when corsOrigins is no longer set",
    "aws:s3/bucketNotification:BucketNotification": "holds no data",
    "aws:scheduler/schedule:Schedule": "holds no data",
    "aws:scheduler/scheduleGroup:ScheduleGroup": "holds no data",
    "aws:secretsmanager/secret:Secret": "its value is in the config; deleted, it can be restored for 30 days",
    "aws:secretsmanager/secretVersion:SecretVersion": "its value is in the config",
    "aws:sns/topicSubscription:TopicSubscription": "follows alarmEmail and alarmTargets; AWS sends the link to confirm again",
}


def test_every_kind_of_resource_is_of_one_class() -> None:
    kinds = {resource.type for resource in declare(*EVERYTHING).resources}

    assert kinds == PROTECTED.keys() | RETAINED.keys() | RECREATED.keys()
    assert len(kinds) == len(PROTECTED) + len(RETAINED) + len(RECREATED)


def test_a_protected_stack_treats_each_resource_as_its_kind_says() -> None:
    graph = declare(*EVERYTHING)

    for (kind, name), options in graph.options.items():
        protected = (kind in PROTECTED and name not in TEMPORARY) or (kind == ROLE and name in PROTECTED_ROLES)
        assert bool(options.protect) is protected, (kind, name)
        assert bool(options.retain_on_delete) is (kind in RETAINED or "secretVersion" in kind), (kind, name)


def test_a_stack_that_is_not_protected_deletes_everything() -> None:
    """Which stacks are protected: tests/infra/test_settings.py."""
    graph = declare(*EVERYTHING, "local")

    assert {each for each, options in graph.options.items() if options.protect} == set()
    assert {kind for (kind, _), options in graph.options.items() if options.retain_on_delete and kind in RETAINED} == set()


def test_the_protected_roles_are_those_that_read_leases() -> None:
    graph = declare()
    lease_table = graph.arn("aws:dynamodb/table:Table", "LeaseTable")

    readers = {policy.name for policy in graph.all("aws:iam/rolePolicy:RolePolicy") if lease_table in policy.inputs["policy"]}

    assert readers == PROTECTED_ROLES


def test_no_change_of_config_deletes_a_protected_or_retained_resource() -> None:
    """But for ``leaseTableArn`` and ``eventBusName``, which replace a table and a bus by ones of the lease system, and for
    ``backfillSourceTableArn``, whose function is temporary."""
    kept = PROTECTED.keys() | RETAINED.keys()

    with_everything = {each for each in declare(*EVERYTHING).options if each[0] in kept}

    temporary = {each for each in with_everything if each[1] in TEMPORARY or each[1] == "backfill"}
    assert with_everything - temporary == {each for each in declare().options if each[0] in kept}
