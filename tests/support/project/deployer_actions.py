"""What the AWS provider of Pulumi calls for each type of resource, as IAM actions: to create, read, change, tag and delete it.

A type without an entry, or an entry without a resource, fails tests/infra/test_deployer_policy.py. The calls are those of the
Terraform provider that pulumi-aws is built on (https://github.com/hashicorp/terraform-provider-aws, internal/service/), and
which resources an action can be limited to is in AWS's service authorization reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/).
"""

from dataclasses import dataclass

TABLE, QUEUE, TOPIC = "aws:dynamodb/table:Table", "aws:sqs/queue:Queue", "aws:sns/topic:Topic"
BUCKET, SECRET, ROLE = "aws:s3/bucket:Bucket", "aws:secretsmanager/secret:Secret", "aws:iam/role:Role"
FUNCTION, API = "aws:lambda/function:Function", "aws:apigatewayv2/api:Api"
BUS, RULE = "aws:cloudwatch/eventBus:EventBus", "aws:cloudwatch/eventRule:EventRule"
ALIAS, MAPPING = "aws:lambda/alias:Alias", "aws:lambda/eventSourceMapping:EventSourceMapping"
GROUP = "aws:scheduler/scheduleGroup:ScheduleGroup"

HTTP_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
"""API Gateway's actions are the methods of its own API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the provider needs for one type of resource.

    Attributes:
        actions: of one service, without its prefix, on resources of this type, or of the type ``on``.
        on: the type whose resources the actions name, if not this one: a queue's policy is an attribute of the queue.
        service: the IAM prefix of ``actions``.
        arns: the forms of the resources' ARNs. ``{name}`` is the physical name.
        anywhere: actions, with prefix, that AWS can't limit to a resource.
    """

    service: str
    actions: tuple[str, ...] = ()
    on: str = ""
    arns: tuple[str, ...] = ()
    anywhere: tuple[str, ...] = ()


NEEDS = {
    API: Needs(
        service="apigateway",
        actions=(*HTTP_METHODS, "TagResource", "UntagResource"),
        # AWS generates the ID of an API, which the paths of all its parts begin with.
        arns=tuple(f"arn:{{partition}}:apigateway:{{region}}::/{path}" for path in ("apis", "apis/*", "tags/*")),
    ),
    "aws:apigatewayv2/integration:Integration": Needs(service="apigateway", actions=HTTP_METHODS, on=API),
    "aws:apigatewayv2/route:Route": Needs(service="apigateway", actions=HTTP_METHODS, on=API),
    "aws:apigatewayv2/stage:Stage": Needs(
        service="apigateway",
        actions=(*HTTP_METHODS, "TagResource", "UntagResource"),
        on=API,
        # For the access log: docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
        anywhere=(
            *("logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:GetLogDelivery", "logs:ListLogDeliveries"),
            *("logs:UpdateLogDelivery", "logs:DescribeResourcePolicies", "logs:PutResourcePolicy"),
        ),
    ),
    "aws:cloudwatch/dashboard:Dashboard": Needs(
        service="cloudwatch",
        actions=("DeleteDashboards", "GetDashboard", "PutDashboard"),
        arns=("arn:{partition}:cloudwatch::{account}:dashboard/{name}",),
    ),
    BUS: Needs(
        service="events",
        actions=(
            *("CreateEventBus", "DeleteEventBus", "DescribeEventBus", "UpdateEventBus"),
            *("ListTagsForResource", "TagResource", "UntagResource"),
        ),
        arns=("arn:{partition}:events:{region}:{account}:event-bus/{name}",),
    ),
    RULE: Needs(
        service="events",
        actions=(
            *("DeleteRule", "DescribeRule", "DisableRule", "EnableRule", "PutRule"),
            *("ListTagsForResource", "TagResource", "UntagResource"),
        ),
        # The bus can be one that exists, of any name.
        arns=("arn:{partition}:events:{region}:{account}:rule/*/{name}",),
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Needs(
        service="events", actions=("ListTargetsByRule", "PutTargets", "RemoveTargets"), on=RULE
    ),
    "aws:cloudwatch/logGroup:LogGroup": Needs(
        service="logs",
        actions=(
            *("CreateLogGroup", "DeleteLogGroup", "DeleteRetentionPolicy", "PutRetentionPolicy"),
            *("ListTagsForResource", "TagResource", "UntagResource"),
        ),
        # Some of these actions name the group with, some without ``:*``.
        arns=("arn:{partition}:logs:{region}:{account}:log-group:{name}*",),
        anywhere=("logs:DescribeLogGroups",),
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Needs(
        service="cloudwatch",
        actions=(
            *("DeleteAlarms", "PutMetricAlarm"),
            *("ListTagsForResource", "TagResource", "UntagResource"),
        ),
        anywhere=("cloudwatch:DescribeAlarms",),
        # Every alarm by name would not fit into a policy, and projects of Jira are in names.
        arns=("arn:{partition}:cloudwatch:{region}:{account}:alarm:*-???????",),
    ),
    TABLE: Needs(
        service="dynamodb",
        actions=(
            *("CreateTable", "DeleteTable", "DescribeTable", "UpdateTable"),
            *("DescribeContinuousBackups", "UpdateContinuousBackups", "DescribeTimeToLive", "UpdateTimeToLive"),
            *("ListTagsOfResource", "TagResource", "UntagResource"),
        ),
        arns=("arn:{partition}:dynamodb:{region}:{account}:table/{name}",),
    ),
    ROLE: Needs(
        service="iam",
        actions=(
            *("CreateRole", "DeleteRole", "GetRole", "UpdateAssumeRolePolicy", "UpdateRole"),
            *("ListAttachedRolePolicies", "ListInstanceProfilesForRole", "ListRolePolicies", "TagRole", "UntagRole"),
        ),
        arns=("arn:{partition}:iam::{account}:role/{name}",),
    ),
    "aws:iam/rolePolicy:RolePolicy": Needs(
        service="iam", actions=("DeleteRolePolicy", "GetRolePolicy", "PutRolePolicy"), on=ROLE
    ),
    FUNCTION: Needs(
        service="lambda",
        actions=(
            *("CreateFunction", "DeleteFunction", "GetFunction", "GetFunctionConfiguration"),
            *("UpdateFunctionCode", "UpdateFunctionConfiguration", "GetFunctionCodeSigningConfig", "ListVersionsByFunction"),
            *("PutFunctionConcurrency", "DeleteFunctionConcurrency"),  # the keys …ReservedConcurrency
            *("ListTags", "TagResource", "UntagResource", "PublishVersion"),
        ),
        # With and without a version or an alias: which of the two AWS checks depends on the call.
        arns=tuple(f"arn:{{partition}}:lambda:{{region}}:{{account}}:function:{{name}}{ending}" for ending in ("", ":*")),
    ),
    ALIAS: Needs(service="lambda", actions=("CreateAlias", "DeleteAlias", "GetAlias", "UpdateAlias"), on=FUNCTION),
    MAPPING: Needs(
        service="lambda",
        actions=(
            *("CreateEventSourceMapping", "DeleteEventSourceMapping", "GetEventSourceMapping", "UpdateEventSourceMapping"),
            *("ListTags", "TagResource", "UntagResource"),
        ),
        # AWS generates the ID. A condition on all but the tags names the functions.
        arns=("arn:{partition}:lambda:{region}:{account}:event-source-mapping:*",),
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": Needs(
        service="lambda",
        actions=("DeleteFunctionEventInvokeConfig", "GetFunctionEventInvokeConfig", "PutFunctionEventInvokeConfig"),
        on=FUNCTION,
    ),
    "aws:lambda/functionRecursionConfig:FunctionRecursionConfig": Needs(
        service="lambda", actions=("GetFunctionRecursionConfig", "PutFunctionRecursionConfig"), on=FUNCTION
    ),
    "aws:lambda/permission:Permission": Needs(
        service="lambda", actions=("AddPermission", "GetPolicy", "RemovePermission"), on=FUNCTION
    ),
    BUCKET: Needs(
        service="s3",
        actions=(
            *("CreateBucket", "DeleteBucket", "ListBucket", "GetBucketTagging", "PutBucketTagging"),
            *("ListTagsForResource", "TagResource", "UntagResource"),
            # The provider reads every setting of a bucket.
            *("GetAccelerateConfiguration", "GetBucketAcl", "GetBucketCORS", "GetBucketLocation", "GetBucketLogging"),
            *("GetBucketObjectLockConfiguration", "GetBucketPolicy", "GetBucketRequestPayment", "GetBucketVersioning"),
            *("GetBucketWebsite", "GetEncryptionConfiguration", "GetLifecycleConfiguration", "GetReplicationConfiguration"),
        ),
        arns=("arn:{partition}:s3:::{name}",),
    ),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": Needs(
        service="s3", actions=("GetBucketCORS", "PutBucketCORS"), on=BUCKET
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Needs(
        service="s3", actions=("GetLifecycleConfiguration", "PutLifecycleConfiguration"), on=BUCKET
    ),
    "aws:s3/bucketNotification:BucketNotification": Needs(
        service="s3", actions=("GetBucketNotification", "PutBucketNotification"), on=BUCKET
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Needs(
        service="s3", actions=("DeleteBucketPolicy", "GetBucketPolicy", "PutBucketPolicy"), on=BUCKET
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Needs(
        service="s3", actions=("GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock"), on=BUCKET
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Needs(
        service="s3", actions=("GetEncryptionConfiguration", "PutEncryptionConfiguration"), on=BUCKET
    ),
    "aws:scheduler/schedule:Schedule": Needs(
        service="scheduler",
        actions=("CreateSchedule", "DeleteSchedule", "GetSchedule", "UpdateSchedule"),
        # Every schedule is in the group of the stack.
        arns=("arn:{partition}:scheduler:{region}:{account}:schedule/switchboard-???????/*",),
    ),
    GROUP: Needs(
        service="scheduler",
        actions=(
            *("CreateScheduleGroup", "DeleteScheduleGroup", "GetScheduleGroup"),
            *("ListTagsForResource", "TagResource", "UntagResource"),
        ),
        arns=("arn:{partition}:scheduler:{region}:{account}:schedule-group/{name}",),
    ),
    SECRET: Needs(
        service="secretsmanager",
        actions=(
            *("CreateSecret", "DeleteSecret", "DescribeSecret", "GetResourcePolicy", "UpdateSecret"),
            *("TagResource", "UntagResource"),
        ),
        # Secrets Manager adds a dash and six characters.
        arns=("arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-??????",),
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Needs(
        # A deleted version keeps its value (retain_on_delete), so no label is moved.
        service="secretsmanager",
        actions=("GetSecretValue", "PutSecretValue"),
        on=SECRET,
    ),
    TOPIC: Needs(
        service="sns",
        actions=(
            *("CreateTopic", "DeleteTopic", "GetTopicAttributes", "SetTopicAttributes"),
            *("ListTagsForResource", "TagResource", "UntagResource"),
        ),
        arns=("arn:{partition}:sns:{region}:{account}:{name}",),
    ),
    "aws:sns/topicPolicy:TopicPolicy": Needs(service="sns", actions=("GetTopicAttributes", "SetTopicAttributes"), on=TOPIC),
    "aws:sns/topicSubscription:TopicSubscription": Needs(
        service="sns",
        actions=("ListSubscriptionsByTopic", "Subscribe"),
        on=TOPIC,
        anywhere=("sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"),
    ),
    QUEUE: Needs(
        service="sqs",
        actions=(
            *("CreateQueue", "DeleteQueue", "GetQueueAttributes", "SetQueueAttributes"),
            *("ListQueueTags", "TagQueue", "UntagQueue"),
        ),
        arns=("arn:{partition}:sqs:{region}:{account}:{name}",),
    ),
    "aws:sqs/queuePolicy:QueuePolicy": Needs(service="sqs", actions=("GetQueueAttributes", "SetQueueAttributes"), on=QUEUE),
}
"""The needs by type of resource."""
