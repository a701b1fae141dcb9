"""A Lambda function with its role, log group, alias and queues, created from a :class:`FunctionSpec` of stack/functions/."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from lib.platform.contract import ALIAS, MEMORY_MB, METRICS_NAMESPACE
from lib.platform.environment import Environment
from stack.components import iam
from stack.components.component import Component
from stack.components.queue import DeadLetterQueue, WorkQueue

ASYNC_RETRIES = 2
ASYNC_MAX_AGE_SECONDS = 3600
"""If an event could not be processed for an hour, the alarm on the failure queue notifies a person."""

EPHEMERAL_MB = 512
"""The disk of every function without charge, in MB."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A queue that Lambda polls for a function. The function reports which messages of a batch failed.

    Attributes:
        queue: the queue.
        batch_size: messages per invocation, at most.
        window_seconds: how long a batch is collected.
        maximum_concurrency: how many batches are processed at once; the rest waits in the queue. Without a bound, one queue can
            use up the account's concurrency (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html).
    """

    queue: WorkQueue
    batch_size: int
    window_seconds: int
    maximum_concurrency: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """A function as data.

    Attributes:
        entry_point: its module in handlers/.
        timeout_seconds: Lambda ends an invocation after this time.
        memory_mb: its memory; CPU comes in proportion.
        ephemeral_mb: its disk, /tmp; by default what Lambda gives without charge.
        environment: the environment it reads.
        values: the fields of ``environment``, without secrets; empty ones are left out.
        secrets: the secrets it reads, by their field in the settings. Those that are configured are granted, and their ARNs
            are in the environment.
        grants: what its role may do besides logging, reading ``secrets``, receiving from ``feeds`` and invoking itself.
        feeds: the queues that feed it.
        reserved_concurrency: reserved for it in the account, and its limit; 0 for none.
        asynchronous: whether it is invoked asynchronously, so that it needs a queue for the events it failed on.
        may_recur: whether it may invoke itself indirectly, through a queue or a bucket. By default Lambda stops such a chain
            after about 16 invocations (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html), so a function
            with this must bound the chain itself: tests/infra/test_self_feeding_chains.py lists every chain with its bound.
        invokes_itself: whether it may recur by invoking itself directly, which is granted.
    """

    entry_point: str
    timeout_seconds: int
    memory_mb: int = MEMORY_MB
    ephemeral_mb: int = EPHEMERAL_MB
    environment: type[Environment]
    values: Mapping[str, Any]
    secrets: Sequence[str] = ()
    grants: Sequence[iam.Grant]
    feeds: Sequence[Feed] = ()
    reserved_concurrency: int = 0
    asynchronous: bool = False
    may_recur: bool = False
    invokes_itself: bool = False

    @property
    def can_snap_start(self) -> bool:
        """Whether SnapStart supports it: only with the disk that every function has."""
        return self.ephemeral_mb <= EPHEMERAL_MB


class Function(Component):
    """The function, its alias, its log group, its role with exactly its grants, its failure queue and its event sources.

    Attributes:
        entry_point: its module in handlers/.
        name: its name in AWS.
        alias: the name of its alias, once that exists.
        live_arn: the ARN of its alias, which every caller invokes.
        log_group_name: where it logs.
        failures: the queue of events that it failed on, if it is invoked asynchronously.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        code: pulumi.Archive,
        description: str,
        snap_start: bool,
        secret_arns: Mapping[str, pulumi.Output[str]],
        log_retention_days: int,
    ) -> None:
        """Create the function whose entry point is ``handlers.<entry_point>.lambda_handler``.

        Args:
            spec: describes it.
            code: its archive.
            description: of the deployment. A change publishes a version, so that each deployment has one of every function.
            snap_start: start copies from a snapshot of each version, if :attr:`FunctionSpec.can_snap_start`.
            secret_arns: the configured secrets by their field in the settings.
            log_retention_days: how long its log is kept.
        """
        name = spec.entry_point
        super().__init__(name)
        self.entry_point = name
        self.failures = DeadLetterQueue(f"{name}-failures", parent=self) if spec.asynchronous else None
        secrets = {f"{field}_arn": secret_arns[field] for field in spec.secrets if field in secret_arns}
        role = aws.iam.Role(name, assume_role_policy=iam.trust_policy("lambda.amazonaws.com"), opts=self.child())
        grants = [
            *([iam.sending(self.failures.arn)] if self.failures else []),
            *spec.grants,
            *([iam.receiving(*(feed.queue.arn for feed in spec.feeds))] if spec.feeds else []),
            *([iam.reading_secrets(*secrets.values())] if secrets else []),
        ]
        policy = aws.iam.RolePolicy(name, role=role.name, policy=iam.policy(grants), opts=self.child())
        function = aws.lambda_.Function(
            name,
            description=description,
            publish=True,
            runtime="python3.13",
            architectures=["arm64"],
            handler=f"handlers.{name}.lambda_handler",
            code=code,
            role=role.arn,
            memory_size=spec.memory_mb,
            ephemeral_storage={"size": spec.ephemeral_mb},
            snap_start={"apply_on": "PublishedVersions"} if snap_start and spec.can_snap_start else None,
            timeout=spec.timeout_seconds,
            reserved_concurrent_executions=spec.reserved_concurrency or None,  # for Lambda, 0 is "switched off"
            environment={"variables": {**spec.environment.variables(**spec.values, **secrets), **_powertools(name)}},
            # JSON, so that what the runtime itself logs about a failed invocation is one JSON object per line too.
            logging_config={"log_format": "JSON"},
            opts=self.child(depends_on=[policy]),
        )
        self.name = function.name
        alias = aws.lambda_.Alias(
            name, name=ALIAS, function_name=function.name, function_version=function.version, opts=self.child()
        )
        self.alias, self.live_arn = alias.name, alias.arn
        # Lambda logs to this group by default. Its name has the function's name, so its grant is a policy of its own.
        log_group = aws.cloudwatch.LogGroup(
            name,
            name=self.name.apply(lambda known: f"/aws/lambda/{known}"),
            retention_in_days=log_retention_days,
            opts=self.child(),
        )
        self.log_group_name = log_group.name
        logs = self._add_policy("logs", role, iam.logging(log_group.arn))
        if self.failures:
            self._keep_failures(self.failures, policy)
        for feed in spec.feeds:
            self._poll(feed, [policy, logs])
        if spec.may_recur or spec.invokes_itself:
            aws.lambda_.FunctionRecursionConfig(name, function_name=self.name, recursive_loop="Allow", opts=self.child())
        if spec.invokes_itself:
            self._add_policy("itself", role, iam.Grant(actions=("lambda:InvokeFunction",), resources=(self.live_arn,)))
        self.register_outputs({"name": self.name})

    def _add_policy(self, name: str, role: aws.iam.Role, grant: iam.Grant) -> aws.iam.RolePolicy:
        """Add a grant on something that exists only after the function."""
        policy = iam.policy([grant])
        return aws.iam.RolePolicy(f"{self.entry_point}-{name}", role=role.name, policy=policy, opts=self.child())

    def _keep_failures(self, failures: DeadLetterQueue, policy: aws.iam.RolePolicy) -> None:
        aws.lambda_.FunctionEventInvokeConfig(
            self.entry_point,
            function_name=self.name,
            qualifier=self.alias,  # invocations of the alias use its own configuration only
            maximum_retry_attempts=ASYNC_RETRIES,
            maximum_event_age_in_seconds=ASYNC_MAX_AGE_SECONDS,
            destination_config={"on_failure": {"destination": failures.arn}},
            opts=self.child(depends_on=[policy]),
        )

    def _poll(self, feed: Feed, policies: Sequence[aws.iam.RolePolicy]) -> None:
        """Feed the function once its role may receive and log: the first messages of a full queue arrive at once."""
        aws.lambda_.EventSourceMapping(
            feed.queue.logical_name,
            event_source_arn=feed.queue.arn,
            function_name=self.live_arn,
            batch_size=feed.batch_size,
            maximum_batching_window_in_seconds=feed.window_seconds,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config={"maximum_concurrency": feed.maximum_concurrency},
            opts=self.child(depends_on=policies),
        )


def _powertools(entry_point: str) -> dict[str, str]:
    return {
        "POWERTOOLS_SERVICE_NAME": entry_point,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
