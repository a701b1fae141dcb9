"""The environment of each function: one dataclass per function, which the stack writes and the handler reads.

The environment variable of a field is its name in capitals. Lists are comma-separated. An optional field that is not
set is absent. Secrets are never in it, only their ARNs.
"""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Self, get_args, get_origin

from lib.platform import errors
from lib.platform.contract import GOVUK_NOTIFY_URL, SLACK_API_URL


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The base of every function's environment."""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the fields from environment variables.

        Raises:
            ConfigurationError: a required variable is missing or empty, or one does not have its field's type.
        """
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            text = environ.get(field.name.upper(), "")
            value = _parse(field.name.upper(), text, field.type) if text else ()
            if value != ():
                values[field.name] = value
            elif field.default is dataclasses.MISSING:
                raise errors.ConfigurationError(f"the environment variable {field.name.upper()} is not set")
        return cls(**values)

    @classmethod
    def variables(cls, **values: Any) -> dict[str, Any]:
        """The environment variables that carry ``values``, given by field name: the inverse of :meth:`read`.

        Empty values are left out. Values that are not known yet (outputs of the stack) are passed as they are.

        Raises:
            TypeError: a required field is missing or empty, or there is no field of that name.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        written = {name: text for name, value in values.items() if not isinstance(text := _format(value), str) or text}
        unknown = values.keys() - fields.keys()
        missing = {name for name, field in fields.items() if field.default is dataclasses.MISSING} - written.keys()
        if unknown or missing:
            raise TypeError(f"{cls.__name__}: unknown fields {sorted(unknown)}, missing fields {sorted(missing)}")
        return {name.upper(): value for name, value in written.items()}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotificationEnvironment(Environment):
    """handlers/notification.py"""

    lease_table_arn: str
    operations_table_name: str
    notify_channels: tuple[str, ...]
    notify_routes: str = ""
    console_url: str = ""
    console_lease_path: str = ""
    notification_topic_arn: str = ""
    slack_api_url: str = SLACK_API_URL
    slack_channel: str = ""
    slack_webhook_url_arn: str = ""
    slack_bot_token_arn: str = ""
    teams_webhook_url_arn: str = ""
    govuk_notify_api_key_arn: str = ""
    govuk_notify_template_id: str = ""
    govuk_notify_url: str = GOVUK_NOTIFY_URL
    event_webhook_secret_arn: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WebhooksEnvironment(Environment):
    """handlers/webhooks.py"""

    jira_issues_table_name: str
    artifact_bucket_name: str
    jira_queue_url: str
    history_days: int
    jira_projects: tuple[str, ...] = ()
    jira_webhook_secret_arn: str = ""
    jira_automation_token_arn: str = ""
    commit_webhook_secret_arn: str = ""
    version: str = "unknown"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalsEnvironment(Environment):
    """handlers/approvals.py

    ``missing_settings`` are the config keys that approvals need and that are not set: no draft is accepted while there are any.
    ``has_channel``: whether there is a channel for the preview of a draft that names none.
    """

    operations_table_name: str
    approval_queue_url: str
    slack_api_url: str = SLACK_API_URL
    slack_signing_secret_arn: str = ""
    missing_settings: tuple[str, ...] = ()
    has_channel: bool = False
    jira_base_url: str = ""
    jira_projects: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    require_other_approver: bool = True
    approval_reminder_hours: int = 0
    approval_expiry_days: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JiraWorkerEnvironment(Environment):
    """handlers/jira_worker.py"""

    jira_issues_table_name: str
    operations_table_name: str
    artifact_bucket_name: str
    approval_queue_url: str
    history_days: int
    jira_projects: tuple[str, ...] = ()
    jira_base_url: str = ""
    jira_email: str = ""
    jira_api_token_arn: str = ""
    jira_dry_run: bool = False
    slack_api_url: str = SLACK_API_URL
    slack_bot_token_arn: str = ""
    approvals_channel: str = ""
    approvers: tuple[str, ...] = ()
    require_other_approver: bool = True
    git_sha: str = "unknown"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationEnvironment(Environment):
    """handlers/reconciliation.py"""

    jira_issues_table_name: str
    operations_table_name: str
    artifact_bucket_name: str
    jira_queue_url: str
    history_days: int
    jira_projects: tuple[str, ...] = ()
    jira_base_url: str = ""
    jira_email: str = ""
    jira_api_token_arn: str = ""
    reconcile_max_deletes: str = ""
    git_sha: str = "unknown"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShuttleEnvironment(Environment):
    """handlers/shuttle.py

    It sends exports to the job queue, and events of Shuttle to the bus.
    """

    shuttle_table_name: str
    import_bucket_name: str
    job_queue_url: str
    event_bus_name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImportsEnvironment(Environment):
    """handlers/imports.py"""

    shuttle_table_name: str
    import_bucket_name: str
    job_queue_url: str
    event_bus_name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HealthEnvironment(Environment):
    """handlers/health.py"""

    lease_table_arn: str
    jira_issues_table_name: str
    operations_table_name: str
    shuttle_table_name: str
    secret_arns: tuple[str, ...] = ()
    jira_base_url: str = ""
    jira_email: str = ""
    jira_api_token_arn: str = ""
    version: str = "unknown"


def _format(value: Any) -> Any:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def _parse(name: str, text: str, kind: Any) -> Any:
    if get_origin(kind) is tuple and get_args(kind)[0] is str:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is bool:
        if text.lower() not in {"true", "false"}:
            raise errors.ConfigurationError(f"the environment variable {name} must be true or false, not {text[:40]!r}")
        return text.lower() == "true"
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise errors.ConfigurationError(f"the environment variable {name} must be a whole number") from None
    return text
