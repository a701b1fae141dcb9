"""Protects the resources of a stack from deletion, by their type (docs/adr/0015).

``pulumi destroy`` stops at its preview if there is a protected resource. With ``--skip-preview`` it first deletes everything
that no protected resource depends on. So each type is one of three:

* **protected**: Pulumi refuses to delete it, since another ``pulumi up`` cannot restore it: it holds data, or its address is
  registered outside of the stack.
* **retained**: Pulumi forgets it and leaves it in AWS: a setting that a protected resource needs, or a log.
* **re-created**: it is deleted, and the next ``pulumi up`` creates it again with the same effect. A test lists these with the
  reasons, so that a new type is classified.
"""

import pulumi

PROTECTED = {
    "aws:dynamodb/table:Table": "holds data",
    "aws:s3/bucket:Bucket": "holds data",
    "aws:sqs/queue:Queue": "holds unfinished work and dead letters",
    "aws:apigatewayv2/api:Api": "its URL is registered in Jira, in Slack, at Git hosts and in policies of callers",
    "aws:cloudwatch/eventBus:EventBus": "the lease system sends events to it by name",
    "aws:sns/topic:Topic": "people and systems subscribe to its ARN, and confirm the subscription by hand",
}

PROTECTED_ROLES = frozenset({"notification", "health"})
"""The roles that read leases: policies of a LeaseTable and a KMS key of others can name them."""

TEMPORARY = frozenset({"backfill-work", "backfill-work-dead-letters"})
"""Queues that exist while backfillSourceTableArn is set: their messages name segments, whose positions are in a table."""

RETAINED = {
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "keeps the data in the bucket private",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": "encrypts the data in the bucket",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "expires the data in the bucket",
    "aws:s3/bucketPolicy:BucketPolicy": "refuses access without TLS",
    "aws:sqs/queuePolicy:QueuePolicy": "refuses access without TLS",
    "aws:sns/topicPolicy:TopicPolicy": "refuses access without TLS",
    "aws:cloudwatch/logGroup:LogGroup": "the history; it expires after logRetentionDays",
}


def keep() -> None:
    """Protect or retain every resource that the stack declares after this call, by its type."""
    pulumi.runtime.register_stack_transformation(_kept)


def _kept(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
    has_data = args.type_ in PROTECTED and args.name not in TEMPORARY
    if has_data or (args.type_ == "aws:iam/role:Role" and args.name in PROTECTED_ROLES):
        args.opts.protect = True
    if args.type_ in RETAINED:
        args.opts.retain_on_delete = True
    return pulumi.ResourceTransformationResult(args.props, args.opts)
