"""The infrastructure program: wires the stack together and exports its outputs. What each thing is stands in its module.

``pulumi up`` runs this file; the local cloud calls :func:`deploy` in its own process.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_STACK = Path(__file__).resolve().parent
_ROOT = _STACK.parent
# The CLI runs the folder `stack` from within and puts it first on the path, as ".": there `secrets` would hide the standard
# library's, and `lib` would not be found.
sys.path[:] = [str(_ROOT), *(entry for entry in sys.path if Path(entry).resolve() not in (_ROOT, _STACK))]

import pulumi  # noqa: E402

from lib.platform import contract  # noqa: E402
from stack.components import bucket, event_bus, http_api, protection, schedule, secret, table, topic  # noqa: E402
from stack.components import queue as queues  # noqa: E402
from stack.components.function import Function  # noqa: E402
from stack.components.queue import Queue  # noqa: E402
from stack.functions import entry_points  # noqa: E402
from stack.functions.entry_points import Parts  # noqa: E402
from stack.monitoring import alarms, dashboard, metrics  # noqa: E402
from stack.packaging import archive  # noqa: E402
from stack.settings import Settings  # noqa: E402


def deploy(settings: Settings, code: pulumi.Archive, stack: str) -> dict[str, pulumi.Output[Any]]:
    """Declare everything that the stack named ``stack`` consists of.

    Args:
        settings: the operator's choices.
        code: the archive that every function runs from.
        stack: the stack's name, which decides whether it is protected: :meth:`Settings.protects`.

    Returns:
        The outputs by name.
    """
    protect = settings.protects(stack)
    if protect:
        protection.keep()
    imports = bucket.create_import_bucket(cors_origins=settings.cors_origins, protect=protect)
    parts = Parts(
        settings=settings,
        code=code,
        version=archive.version(),
        git_sha=archive.git_sha(),
        lease_table=table.lease_table(settings, stack),
        jira_issues=table.create(contract.JIRA_ISSUES, protect=protect),
        operations=table.create(contract.JIRA_OPERATIONS, protect=protect),
        artifacts=bucket.create_artifact_bucket(history_days=settings.history_days, protect=protect),
        jira_work=queues.create_work_queue("jira-work", function_timeout_seconds=entry_points.JIRA_WORKER_TIMEOUT_SECONDS),
        approval_work=queues.create_work_queue(
            "approval-work", function_timeout_seconds=entry_points.JIRA_WORKER_TIMEOUT_SECONDS
        ),
        shuttle=table.create(contract.SHUTTLE, protect=protect),
        imports=imports,
        shuttle_jobs=queues.create_work_queue(
            "shuttle-jobs",
            function_timeout_seconds=entry_points.SHUTTLE_TIMEOUT_SECONDS,
            visibility_timeout_seconds=entry_points.SHUTTLE_VISIBILITY_SECONDS,
            sending_bucket_arn=imports.arn,
        ),
        topic_arn=topic.create_notification_topic().arn,
        secret_arns=secret.create(settings, protect=protect),
    )
    makers = (
        entry_points.notification,
        entry_points.webhooks,
        entry_points.approvals,
        entry_points.jira_worker,
        entry_points.reconciliation,
        entry_points.shuttle,
        entry_points.health,
    )
    functions = {each.entry_point: each for each in (make(parts) for make in makers)}

    bus_name = event_bus.lease_bus(settings)
    dead_letters = event_bus.send_lease_events(bus_name, settings.lease_event_sources, functions["notification"])
    bucket.tell_queue(parts.imports, parts.shuttle_jobs, "uploads")
    due = (*schedule.ALWAYS, *(schedule.WITH_PROJECTS if settings.jira_projects else ()))
    schedule.create(due, functions)
    api = http_api.create(
        http_api.ROUTES,
        functions,
        log_retention_days=settings.log_retention_days,
        rate_limit=settings.http_rate_limit,
        burst_limit=settings.http_burst_limit,
    )

    watched = metrics.Watched(
        functions=list(functions.values()),
        dead_letters={
            "lease-events-dead-letters": dead_letters,
            "jira-work-dead-letters": parts.jira_work.dead_letters,
            "approval-work-dead-letters": parts.approval_work.dead_letters,
            "shuttle-jobs-dead-letters": parts.shuttle_jobs.dead_letters,
        },
        work_queues={
            "jira-work": parts.jira_work,
            "approval-work": parts.approval_work,
            "shuttle-jobs": parts.shuttle_jobs,
        },
        tables={
            "LeaseTable": parts.lease_table,
            "JiraIssues": parts.jira_issues,
            "JiraOperations": parts.operations,
            "Shuttle": parts.shuttle,
        },
        http_api=api,
        channels=settings.notify_channels,
        projects=settings.jira_projects,
    )
    alarm_arns = alarms.create(watched, topic.create_alarm_topic(settings.alarm_email).arn)

    return {
        "http_api_url": api.url,
        "event_bus_name": bus_name,
        "lease_table_name": parts.lease_table.name,
        "lease_table_arn": parts.lease_table.arn,
        "jira_issues_table_name": parts.jira_issues.name,
        "jira_issues_table_arn": parts.jira_issues.arn,
        "jira_operations_table_name": parts.operations.name,
        "jira_operations_table_arn": parts.operations.arn,
        "shuttle_table_name": parts.shuttle.name,
        "shuttle_table_arn": parts.shuttle.arn,
        "artifact_bucket_name": parts.artifacts.name,
        "notification_topic_arn": parts.topic_arn,
        "dashboard_url": dashboard.create(f"switchboard-{stack}", watched, alarm_arns),
        "functions": pulumi.Output.all(**{name: each.name for name, each in functions.items()}),
        "dead_letter_queues": _dead_letter_queues(
            functions,
            {
                "notification": [dead_letters],
                "jira_worker": [parts.jira_work.dead_letters, parts.approval_work.dead_letters],
                "shuttle": [parts.shuttle_jobs.dead_letters],
            },
        ),
    }


def _dead_letter_queues(functions: Mapping[str, Function], others: Mapping[str, Sequence[Queue]]) -> pulumi.Output[Any]:
    """The names of the queues where events of each function end, by entry point: its own failures, and what it never got."""
    queues_of = {
        name: [queue.name for queue in (each.failures, *others.get(name, ())) if queue is not None]
        for name, each in functions.items()
    }
    return pulumi.Output.all(**{name: pulumi.Output.all(*names) for name, names in queues_of.items() if names})


if __name__ == "__main__":
    for _name, _output in deploy(Settings.load(), archive.archive(), pulumi.get_stack()).items():
        pulumi.export(_name, _output)
