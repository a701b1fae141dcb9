"""The functions by entry point: for each its size, the environment it reads and the grants it needs, no more."""

import dataclasses
from collections.abc import Iterable, Mapping

import pulumi

from lib.platform.contract import (
    EVENT_PARTITIONS,
    GSI1,
    JOB_LEASE,
    JOB_STATUS_INDEX,
    MEMORY_MB,
    PROJECT_INDEX,
    RECONCILIATION_PARTITION,
    SENTINEL_PARTITIONS,
)
from lib.platform.environment import (
    ApprovalsEnvironment,
    HealthEnvironment,
    JiraWorkerEnvironment,
    NotificationEnvironment,
    ReconciliationEnvironment,
    ShuttleEnvironment,
    WebhooksEnvironment,
)
from stack.components import function, iam, queue
from stack.components.bucket import Bucket
from stack.components.function import Function, Sizing
from stack.components.iam import Grant
from stack.components.queue import WorkQueue
from stack.components.table import Table
from stack.settings import Settings

JIRA_WORKER_TIMEOUT_SECONDS = 300
"""Jira may ask to wait for half a minute, five times over; a batch has ten messages."""

JIRA_WORKERS = 5
"""Each asks Jira for one thing after another. More of them at once would spend Jira's rate limit faster and then wait for it,
and a mass edit would take its place from what people do in Jira by the same account."""
APPROVAL_WORKERS = 5
"""Slack takes about one message a second per channel: more workers would wait for it. Five, so that one that waits for Jira
does not delay the others."""
SHUTTLE_WORKERS = 20
"""A plan allows up to 10 unfinished jobs per shop, so that two large shops do not delay a small one. Each may run for
15 minutes."""

_SESSIONS = iam.outside_partitions("*#*", RECONCILIATION_PARTITION)
"""The partitions of drafts and decisions: session ids are the drafters' own, have no ``#``, and are not a reserved word."""

SHUTTLE_TIMEOUT_SECONDS = 900
SHUTTLE_VISIBILITY_SECONDS = int(JOB_LEASE.total_seconds()) + 60
"""A minute longer than a worker may hold a job, so that the next delivery after a lost
worker may take the job over. Three times that is less than the hour after which the sweep gives a job up."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the functions are made of and work on.

    Attributes:
        settings: the operator's choices.
        code: the archive.
        version: of the software.
        git_sha: the revision it was built from.
        lease_table: what lease events are enriched from.
        jira_issues: the issues.
        operations: claims, approvals, watermarks.
        artifacts: run records and large snapshots.
        jira_work: what the webhooks leave for the worker.
        approval_work: what drafts and clicks leave for it. A queue of its own, so that people need not wait for Jira's slow
            answers to something else.
        shuttle: the shops and their jobs.
        imports: uploads and error reports.
        shuttle_jobs: what the import bucket tells of.
        topic_arn: the topic of the channel ``sns``.
        secret_arns: the ARN of every configured secret, by its field in ``settings``.
    """

    settings: Settings
    code: pulumi.Archive
    version: str
    git_sha: str
    lease_table: Table
    jira_issues: Table
    operations: Table
    artifacts: Bucket
    jira_work: WorkQueue
    approval_work: WorkQueue
    shuttle: Table
    imports: Bucket
    shuttle_jobs: WorkQueue
    topic_arn: pulumi.Output[str]
    secret_arns: Mapping[str, pulumi.Output[str]]

    def secrets(self, *names: str) -> dict[str, pulumi.Output[str]]:
        """The environment fields of those of the secrets that are configured."""
        return {f"{name}_arn": self.secret_arns[name] for name in names if name in self.secret_arns}


def notification(parts: Parts) -> Function:
    """The function that tells people of lease events."""
    settings = parts.settings
    uses_sns = "sns" in settings.notify_channels
    secrets = parts.secrets(*_notification_secrets(settings))
    grants = [
        Grant(actions=("dynamodb:GetItem",), resources=(parts.lease_table.arn,)),
        *_decrypting_leases(settings),
        Grant(
            actions=("dynamodb:UpdateItem",),
            resources=(parts.operations.arn,),
            conditions=iam.in_partitions(f"{EVENT_PARTITIONS}*"),
        ),
        *([Grant(actions=("sns:Publish",), resources=(parts.topic_arn,))] if uses_sns else []),
        *_reading(secrets.values()),
    ]
    values: dict[str, pulumi.Input[str]] = {
        "lease_table_arn": parts.lease_table.arn,
        "operations_table_name": parts.operations.name,
        "notify_channels": ",".join(settings.notify_channels),
        "console_url": settings.console_url,
        "notification_topic_arn": parts.topic_arn if uses_sns else "",
        "slack_api_url": settings.slack_api_url,
        "slack_channel": settings.slack_channel,
        "govuk_notify_template_id": settings.govuk_notify_template_id,
        "govuk_notify_url": settings.govuk_notify_url,
        **secrets,
    }
    return function.create(
        "notification",
        code=parts.code,
        # Lambda gives CPU by memory, and a cold start is imports and TLS handshakes, which are CPU: 512 MB is for those,
        # since the code needs a fifth of it. 30 s is 2 s of enrichment and the timeouts of all channels one after another.
        sizing=Sizing(memory_mb=MEMORY_MB, timeout_seconds=30),
        variables=NotificationEnvironment.variables(**_set_ones(values)),
        grants=grants,
        log_retention_days=settings.log_retention_days,
        failures=queue.create_dead_letter_queue("notification-failures"),
    )


def webhooks(parts: Parts) -> Function:
    """The function that takes Jira's and Git's webhooks, and answers ``GET /health``.

    Called by HTTP only, so that no event can get lost on it.
    """
    settings = parts.settings
    secrets = parts.secrets("jira_webhook_secret", "jira_automation_token", "commit_webhook_secret")
    values: dict[str, pulumi.Input[str]] = {
        "jira_issues_table_name": parts.jira_issues.name,
        "artifact_bucket_name": parts.artifacts.name,
        "jira_queue_url": parts.jira_work.url,
        "history_days": str(settings.history_days),
        "jira_projects": ",".join(settings.jira_projects),
        "version": parts.version,
        **secrets,
    }
    return function.create(
        "webhooks",
        code=parts.code,
        # Senders wait 10 s (GitHub) and more: what takes longer is better given up and sent again. Memory as above.
        sizing=Sizing(memory_mb=MEMORY_MB, timeout_seconds=15, reserved_concurrency=settings.webhooks_reserved_concurrency),
        variables=WebhooksEnvironment.variables(**_set_ones(values)),
        grants=[
            Grant(
                actions=("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"),
                resources=(parts.jira_issues.arn,),
            ),
            Grant(actions=("dynamodb:Query",), resources=(parts.jira_issues.index_arn(PROJECT_INDEX),)),
            _storing(parts.artifacts, "snapshots/"),
            Grant(actions=("sqs:SendMessage",), resources=(parts.jira_work.arn,)),
            *_reading(secrets.values()),
        ],
        log_retention_days=settings.log_retention_days,
    )


def approvals(parts: Parts) -> Function:
    """The function that takes drafts and clicks. Called by HTTP only, so that no event can get lost on it."""
    settings = parts.settings
    secrets = parts.secrets("slack_signing_secret")
    values: dict[str, pulumi.Input[str]] = {
        "operations_table_name": parts.operations.name,
        "approval_queue_url": parts.approval_work.url,
        "slack_api_url": settings.slack_api_url,
        "missing_settings": ",".join(settings.missing_for_approvals()),
        "has_channel": "true" if settings.approvals_channel or settings.slack_channel else "false",
        "jira_base_url": settings.jira_base_url,
        "jira_projects": ",".join(settings.jira_projects),
        "approvers": ",".join(settings.approvers),
        "require_other_approver": "true" if settings.require_other_approver else "false",
        **secrets,
    }
    return function.create(
        "approvals",
        code=parts.code,
        # Slack waits 3 s. What a click took longer for is told to nobody, and yet has to be ended before the worker stops
        # waiting for it (docs/adr/0040). Memory as above.
        sizing=Sizing(memory_mb=MEMORY_MB, timeout_seconds=10, reserved_concurrency=settings.approvals_reserved_concurrency),
        variables=ApprovalsEnvironment.variables(**_set_ones(values)),
        grants=[
            Grant(
                # A transaction is granted by the actions that it consists of.
                actions=("dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
                resources=(parts.operations.arn,),
                conditions=_SESSIONS,
            ),
            Grant(actions=("sqs:SendMessage",), resources=(parts.approval_work.arn,)),
            *_reading(secrets.values()),
        ],
        log_retention_days=settings.log_retention_days,
    )


def jira_worker(parts: Parts) -> Function:
    """The function that does what a webhook or a click has no time for: it asks Jira, correlates, creates issues, and posts."""
    settings = parts.settings
    secrets = parts.secrets("jira_api_token", "slack_bot_token")
    values: dict[str, pulumi.Input[str]] = {
        "jira_issues_table_name": parts.jira_issues.name,
        "operations_table_name": parts.operations.name,
        "artifact_bucket_name": parts.artifacts.name,
        "approval_queue_url": parts.approval_work.url,
        "history_days": str(settings.history_days),
        "jira_projects": ",".join(settings.jira_projects),
        "jira_base_url": settings.jira_base_url,
        "jira_email": settings.jira_email,
        "jira_dry_run": "true" if settings.jira_dry_run else "false",
        "slack_api_url": settings.slack_api_url,
        "approvals_channel": settings.approvals_channel or settings.slack_channel,
        "git_sha": parts.git_sha,
        **secrets,
    }
    worker = function.create(
        "jira_worker",
        code=parts.code,
        sizing=Sizing(memory_mb=MEMORY_MB, timeout_seconds=JIRA_WORKER_TIMEOUT_SECONDS),
        variables=JiraWorkerEnvironment.variables(**_set_ones(values)),
        grants=[
            Grant(
                actions=("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:Query"),
                resources=(parts.jira_issues.arn,),
            ),
            # A push that the webhook could not store: which of its projects are known.
            Grant(actions=("dynamodb:Query",), resources=(parts.jira_issues.index_arn(PROJECT_INDEX),)),
            Grant(
                actions=("dynamodb:BatchGetItem", "dynamodb:UpdateItem"),
                resources=(parts.operations.arn,),
                conditions=_SESSIONS,
            ),
            _storing(parts.artifacts, "snapshots/", "runs/"),
            function.receiving(parts.jira_work, parts.approval_work),
            # A message sends others on, and one that failed comes again soon.
            Grant(actions=("sqs:SendMessage", "sqs:ChangeMessageVisibility"), resources=(parts.approval_work.arn,)),
            *_reading(secrets.values()),
        ],
        log_retention_days=settings.log_retention_days,
    )
    function.feed("jira_worker", worker, parts.jira_work, batch_size=10, window_seconds=1, maximum_concurrency=JIRA_WORKERS)
    # One at a time and at once: a person waits for each, and one that takes long holds up no other.
    function.feed(
        "jira_worker-approvals",
        worker,
        parts.approval_work,
        batch_size=1,
        window_seconds=0,
        maximum_concurrency=APPROVAL_WORKERS,
    )
    # A search that keeps failing is postponed up to 96 times (lib/approvals/workflow.py), each time by a message to itself.
    function.allow_recursion(worker)
    return worker


def reconciliation(parts: Parts) -> Function:
    """The function that makes the table agree with Jira. It calls itself when a sweep outlasts one invocation."""
    settings = parts.settings
    secrets = parts.secrets("jira_api_token")
    values: dict[str, pulumi.Input[str]] = {
        "jira_issues_table_name": parts.jira_issues.name,
        "operations_table_name": parts.operations.name,
        "artifact_bucket_name": parts.artifacts.name,
        "jira_queue_url": parts.jira_work.url,
        "history_days": str(settings.history_days),
        "jira_projects": ",".join(settings.jira_projects),
        "jira_base_url": settings.jira_base_url,
        "jira_email": settings.jira_email,
        "reconcile_max_deletes": settings.reconcile_max_deletes,
        "git_sha": parts.git_sha,
        **secrets,
    }
    reconciler = function.create(
        "reconciliation",
        code=parts.code,
        sizing=Sizing(memory_mb=MEMORY_MB, timeout_seconds=900),
        variables=ReconciliationEnvironment.variables(**_set_ones(values)),
        grants=[
            Grant(
                actions=("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchGetItem"),
                resources=(parts.jira_issues.arn,),
            ),
            Grant(actions=("dynamodb:Query",), resources=(parts.jira_issues.index_arn(PROJECT_INDEX),)),
            Grant(
                actions=("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
                resources=(parts.operations.arn,),
                conditions=iam.in_partitions(RECONCILIATION_PARTITION),
            ),
            _storing(parts.artifacts, "snapshots/", "runs/"),
            Grant(actions=("sqs:SendMessage",), resources=(parts.jira_work.arn,)),
            *_reading(secrets.values()),
        ],
        log_retention_days=settings.log_retention_days,
        failures=queue.create_dead_letter_queue("reconciliation-failures"),
    )
    function.let_invoke_itself(reconciler)
    return reconciler


def shuttle(parts: Parts) -> Function:
    """The function that serves shops, runs their imports, and sweeps."""
    worker = function.create(
        "shuttle",
        code=parts.code,
        sizing=Sizing(memory_mb=MEMORY_MB, timeout_seconds=SHUTTLE_TIMEOUT_SECONDS),
        variables=ShuttleEnvironment.variables(shuttle_table_name=parts.shuttle.name, import_bucket_name=parts.imports.name),
        grants=[
            Grant(
                actions=("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
                resources=(parts.shuttle.arn,),
            ),
            Grant(actions=("dynamodb:ConditionCheckItem",), resources=(parts.shuttle.arn,)),  # in transactions
            Grant(
                actions=("dynamodb:Query",),
                resources=(parts.shuttle.arn, parts.shuttle.index_arn(GSI1), parts.shuttle.index_arn(JOB_STATUS_INDEX)),
            ),
            # The links that shops get are good for what this role may do, and for no more than their object.
            _storing(parts.imports, "uploads/", "reports/"),
            _fetching(parts.imports, "uploads/", "reports/"),
            # A multipart upload that a job has is looked for, and one that no job has, or a cancelled one, is aborted.
            dataclasses.replace(
                _storing(parts.imports, "uploads/"), actions=("s3:ListMultipartUploadParts", "s3:AbortMultipartUpload")
            ),
            # Without it, S3 answers 403 for an object that is not there, and a missing upload would look like a missing grant.
            Grant(actions=("s3:ListBucket",), resources=(parts.imports.arn,)),
            function.receiving(parts.shuttle_jobs),
        ],
        log_retention_days=parts.settings.log_retention_days,
        failures=queue.create_dead_letter_queue("shuttle-failures"),
    )
    function.feed("shuttle", worker, parts.shuttle_jobs, batch_size=1, window_seconds=0, maximum_concurrency=SHUTTLE_WORKERS)
    return worker


def health(parts: Parts) -> Function:
    """The function that says whether Switchboard works: it tries every table, secret and service that the others need."""
    settings = parts.settings
    every_secret = tuple(parts.secret_arns.values())
    values: dict[str, pulumi.Input[str]] = {
        "lease_table_arn": parts.lease_table.arn,
        "jira_issues_table_name": parts.jira_issues.name,
        "operations_table_name": parts.operations.name,
        "shuttle_table_name": parts.shuttle.name,
        "secret_arns": pulumi.Output.all(*every_secret).apply(",".join) if every_secret else "",
        "jira_base_url": settings.jira_base_url,
        "jira_email": settings.jira_email,
        "version": parts.version,
        **parts.secrets("jira_api_token"),
    }
    own_tables = (parts.jira_issues.arn, parts.operations.arn, parts.shuttle.arn)
    sentinels = iam.in_partitions(f"{SENTINEL_PARTITIONS}*")
    return function.create(
        "health",
        code=parts.code,
        sizing=Sizing(memory_mb=MEMORY_MB, timeout_seconds=60),
        variables=HealthEnvironment.variables(**_set_ones(values)),
        grants=[
            Grant(actions=("dynamodb:DescribeTable",), resources=(parts.lease_table.arn, *own_tables)),
            Grant(actions=("dynamodb:GetItem",), resources=(parts.lease_table.arn, *own_tables), conditions=sentinels),
            Grant(actions=("dynamodb:PutItem", "dynamodb:DeleteItem"), resources=own_tables, conditions=sentinels),
            *_decrypting_leases(settings),
            *_reading(every_secret),
        ],
        log_retention_days=settings.log_retention_days,
        failures=queue.create_dead_letter_queue("health-failures"),
    )


def _reading(secret_arns: Iterable[pulumi.Output[str]]) -> list[Grant]:
    arns = tuple(secret_arns)
    return [Grant(actions=("secretsmanager:GetSecretValue",), resources=arns)] if arns else []


def _decrypting_leases(settings: Settings) -> list[Grant]:
    """DynamoDB decrypts by a customer-managed key on behalf of whoever reads, who must have the right to it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
    """
    key = settings.lease_table_key_arn
    return [Grant(actions=("kms:Decrypt",), resources=(key,), conditions=iam.via_dynamodb(key))] if key else []


def _storing(bucket: Bucket, *prefixes: str) -> Grant:
    return Grant(
        actions=("s3:PutObject",),
        resources=tuple(bucket.objects(prefix) for prefix in prefixes),
        wildcard_reason="objects are named as they come; the bucket and the folder are exact",
    )


def _fetching(bucket: Bucket, *prefixes: str) -> Grant:
    return dataclasses.replace(_storing(bucket, *prefixes), actions=("s3:GetObject",))


def _notification_secrets(settings: Settings) -> list[str]:
    """The secrets that the notification function reads: its webhook's, and those of the channels that are on."""
    names = ["event_webhook_secret"]
    if "slack" in settings.notify_channels:
        names.append("slack_bot_token" if settings.slack_by_bot else "slack_webhook_url")
    if "govuk_notify" in settings.notify_channels:
        names.append("govuk_notify_api_key")
    return names


def _set_ones(values: Mapping[str, pulumi.Input[str]]) -> dict[str, pulumi.Input[str]]:
    """``values`` without empty texts: an optional variable that is not set is absent."""
    return {name: value for name, value in values.items() if not (isinstance(value, str) and value == "")}
