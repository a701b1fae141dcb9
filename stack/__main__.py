"""The infrastructure program: connects the components and exports the outputs of the stack.

``pulumi up`` runs this file; the local cloud calls :func:`deploy` in its own process.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_STACK = Path(__file__).resolve().parent
_ROOT = _STACK.parent
# Pulumi's CLI runs the program in the folder `stack` and puts that first on the path: its modules could hide those of the
# standard library, and `lib` would not be found.
sys.path[:] = [str(_ROOT), *(entry for entry in sys.path if Path(entry).resolve() not in (_ROOT, _STACK))]

import pulumi  # noqa: E402

from lib.platform import contract  # noqa: E402
from stack import runbooks, tags  # noqa: E402
from stack.components import bucket, event_bus, http_api, protection, schedule  # noqa: E402
from stack.components.function import EPHEMERAL_MB, Function  # noqa: E402
from stack.components.queue import DeadLetterQueue, WorkQueue  # noqa: E402
from stack.components.secret import Secret  # noqa: E402
from stack.components.table import Table  # noqa: E402
from stack.components.topic import Topic  # noqa: E402
from stack.functions import (  # noqa: E402
    approvals,
    backfill,
    health,
    imports,
    jira_worker,
    notification,
    reconciliation,
    shuttle,
    webhooks,
)
from stack.functions.parts import Parts  # noqa: E402
from stack.monitoring.metrics import Watched  # noqa: E402
from stack.monitoring.monitoring import Monitoring  # noqa: E402
from stack.monitoring.severity import Severity  # noqa: E402
from stack.packaging import archive  # noqa: E402
from stack.settings import Settings, is_local  # noqa: E402

FUNCTIONS = (notification, webhooks, approvals, jira_worker, reconciliation, shuttle, imports, health)


def deploy(settings: Settings, code: Mapping[str, pulumi.Archive], stack: str) -> dict[str, pulumi.Output[Any]]:
    """Declare every resource of the stack.

    Args:
        settings: the operator's choices.
        code: the archive of each function, by entry point.
        stack: the stack's name, which decides whether it is protected: :meth:`Settings.protects`.

    Returns:
        The outputs by name.
    """
    tags.apply(settings.tags, project=pulumi.get_project(), stack=stack)
    if settings.protects(stack):
        protection.keep()
    parts = _parts(settings, protect=settings.protects(stack))
    functions = _functions(parts, code)
    parts.events.send_leases_to(functions["notification"])
    parts.import_bucket.notify(parts.shuttle_jobs, "uploads")
    schedules = (
        *schedule.ALWAYS,
        *(schedule.WITH_PROJECTS if settings.jira_projects else ()),
        *(schedule.WITH_APPROVALS if settings.sweeps_approvals else ()),
    )
    schedule.Schedules(schedules, functions)
    api = http_api.HttpApi(
        http_api.ROUTES,
        functions,
        log_retention_days=settings.log_retention_days,
        rate_limit=settings.http_rate_limit,
        burst_limit=settings.http_burst_limit,
    )
    dead_letters = {
        "notification": [parts.events.dead_letters],
        "jira_worker": [parts.jira_work.dead_letters, parts.approval_work.dead_letters],
        "imports": [parts.shuttle_jobs.dead_letters],
    }
    work_queues = [parts.jira_work, parts.approval_work, parts.shuttle_jobs]
    if parts.backfill_work:
        dead_letters["backfill"] = [parts.backfill_work.dead_letters]
        work_queues.append(parts.backfill_work)
    watched = Watched(
        functions=tuple(functions.values()),
        dead_letters=dead_letters,
        work_queues=work_queues,
        tables=(parts.lease_table, parts.jira_issues, parts.operations, parts.shuttle),
        http_api=api,
        channels=settings.notify_channels,
        projects=settings.jira_projects,
        sweeps_approvals=settings.sweeps_approvals,
    )
    monitoring = Monitoring(
        watched,
        dashboard_name=f"switchboard-{stack}",
        # The outputs of the local cloud are in a file, which the shell selects.
        stack="" if is_local(stack) else stack,
        runbooks=runbooks.base_url(settings.runbook_base_url, warn=not is_local(stack)),
        alarm_targets=filter(None, (settings.alarm_email, *settings.alarm_targets)),
    )
    return {
        "http_api_url": api.url,
        **_names(parts),
        "notification_topic_arn": parts.topic_arn,
        **dict(zip(contract.ALARM_TOPIC_OUTPUTS, (monitoring.topic_arns[each] for each in Severity), strict=True)),
        "dashboard_url": monitoring.dashboard_url,
        "functions": pulumi.Output.all(**{name: each.name for name, each in functions.items()}),
        "dead_letter_queues": _dead_letter_queues(functions, dead_letters),
    }


def _parts(settings: Settings, *, protect: bool) -> Parts:
    """Declare what the functions work on."""
    import_bucket = bucket.import_bucket(cors_origins=settings.cors_origins, protect=protect)
    secrets = {name: Secret(name.replace("_", "-"), value, protect=protect) for name, value in settings.secrets().items()}
    return Parts(
        settings=settings,
        version=archive.version(),
        git_sha=archive.git_sha(),
        lease_table=Table(contract.LEASE_TABLE, protect=protect, existing_arn=settings.lease_table_arn, read_only=True),
        jira_issues=Table(contract.JIRA_ISSUES, protect=protect),
        operations=Table(contract.JIRA_OPERATIONS, protect=protect),
        artifacts=bucket.artifact_bucket(history_days=settings.history_days, protect=protect),
        jira_work=WorkQueue("jira-work", function_timeout_seconds=jira_worker.TIMEOUT_SECONDS),
        approval_work=WorkQueue("approval-work", function_timeout_seconds=jira_worker.TIMEOUT_SECONDS),
        shuttle=Table(contract.SHUTTLE, protect=protect),
        import_bucket=import_bucket,
        shuttle_jobs=WorkQueue(
            "shuttle-jobs",
            function_timeout_seconds=imports.TIMEOUT_SECONDS,
            visibility_timeout_seconds=imports.VISIBILITY_SECONDS,
            sender_arn=import_bucket.arn,
        ),
        backfill_work=_backfill_work(settings),
        events=event_bus.EventBus(settings.lease_event_sources, existing_bus=settings.event_bus_name),
        # Messages name people, so they are encrypted at rest.
        topic_arn=Topic("notifications", encrypt=True).arn,
        secret_arns={name: secret.arn for name, secret in secrets.items()},
    )


def _backfill_work(settings: Settings) -> WorkQueue | None:
    if not settings.backfill_source_table_arn:
        return None
    return WorkQueue(
        "backfill-work",
        function_timeout_seconds=backfill.TIMEOUT_SECONDS,
        visibility_timeout_seconds=backfill.VISIBILITY_SECONDS,
    )


def _functions(parts: Parts, code: Mapping[str, pulumi.Archive]) -> dict[str, Function]:
    """Declare the functions, by entry point."""
    settings = parts.settings
    modules = (*FUNCTIONS, *([backfill] if parts.backfill_work else []))
    description = contract.describe_version(parts.version, f"{parts.git_sha[:12]}.{settings.digest()}")
    specs = [module.spec(parts) for module in modules]
    if settings.snap_start and (larger := [spec.entry_point for spec in specs if not spec.can_snap_start]):
        pulumi.log.info(f"snapStart does not apply to {', '.join(larger)}: SnapStart allows no disk above {EPHEMERAL_MB} MB.")
    return {
        spec.entry_point: Function(
            spec,
            code=code[spec.entry_point],
            description=description,
            snap_start=settings.snap_start,
            secret_arns=parts.secret_arns,
            log_retention_days=settings.log_retention_days,
        )
        for spec in specs
    }


def _names(parts: Parts) -> dict[str, pulumi.Output[Any]]:
    """The outputs that name what the functions work on."""
    return {
        "event_bus_name": parts.events.bus_name,
        "lease_table_name": parts.lease_table.name,
        "lease_table_arn": parts.lease_table.arn,
        "jira_issues_table_name": parts.jira_issues.name,
        "jira_issues_table_arn": parts.jira_issues.arn,
        "jira_operations_table_name": parts.operations.name,
        "jira_operations_table_arn": parts.operations.arn,
        "shuttle_table_name": parts.shuttle.name,
        "shuttle_table_arn": parts.shuttle.arn,
        "artifact_bucket_name": parts.artifacts.name,
        "import_bucket_name": parts.import_bucket.name,
    }


def _dead_letter_queues(
    functions: Mapping[str, Function], others: Mapping[str, Sequence[DeadLetterQueue]]
) -> pulumi.Output[Any]:
    """The names of the queues with the failed events of each function, by entry point: events that it failed on, and events
    that never reached it."""
    queues_of = {
        name: [queue.name for queue in (each.failures, *others.get(name, ())) if queue is not None]
        for name, each in functions.items()
    }
    return pulumi.Output.all(**{name: pulumi.Output.all(*names) for name, names in queues_of.items() if names})


if __name__ == "__main__":
    for _name, _output in deploy(Settings.load(), archive.archives(), pulumi.get_stack()).items():
        pulumi.export(_name, _output)
