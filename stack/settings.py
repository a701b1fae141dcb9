"""The settings: every key of the ``switchboard`` config namespace, typed, with its default and its rule.

A wrong value stops ``pulumi preview`` with one sentence that names the key as the operator writes it. Pulumi.yaml declares
the same keys, types and defaults for the CLI; a test compares them.
"""

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, Self

import pulumi
from pulumi.runtime.config import CONFIG

from lib.notifications.routing import Rule, RulesError, check_channels
from lib.platform.contract import GOVUK_NOTIFY_URL, SLACK_API_URL
from stack.config_values import NAMESPACE, RULES, nearest, parse, partition_of, wrong


def is_local(stack: str) -> bool:
    """Whether ``stack`` is for an endpoint on this machine: ``local``, or a personal one like ``ada-local``."""
    return stack == "local" or stack.endswith("-local")


def is_disposable(stack: str) -> bool:
    """Whether ``stack`` can be deleted at any time: a local one, ``dev``, or a personal one like ``ada-dev``."""
    return is_local(stack) or stack == "dev" or stack.endswith("-dev")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The operator's choices. A field is its config key in snake case; docs/reference/configuration.md describes each.

    An empty text or list means "not set". A secret that is not set is ``None``.
    """

    lease_table_arn: str = ""
    lease_table_key_arn: str = ""
    event_bus_name: str = ""
    lease_event_sources: tuple[str, ...] = ("InnovationSandbox-*", "innovation-sandbox")
    console_url: str = ""
    console_lease_path: str = ""
    notify_channels: tuple[str, ...] = ("sns",)
    notify_routes: tuple[Rule, ...] = ()
    alarm_email: str = ""
    alarm_targets: tuple[str, ...] = ()
    runbook_base_url: str = ""
    log_retention_days: int = 30
    history_days: int = 365
    protect: bool | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    jira_base_url: str = ""
    jira_email: str = ""
    jira_api_token: pulumi.Output[str] | None = None
    jira_projects: tuple[str, ...] = ()
    jira_webhook_secret: pulumi.Output[str] | None = None
    jira_automation_token: pulumi.Output[str] | None = None
    commit_webhook_secret: pulumi.Output[str] | None = None
    event_webhook_secret: pulumi.Output[str] | None = None
    reconcile_max_deletes: str = ""
    jira_dry_run: bool = False
    slack_api_url: str = SLACK_API_URL
    slack_bot_token: pulumi.Output[str] | None = None
    slack_signing_secret: pulumi.Output[str] | None = None
    slack_channel: str = ""
    slack_webhook_url: pulumi.Output[str] | None = None
    teams_webhook_url: pulumi.Output[str] | None = None
    approvals_channel: str = ""
    approvers: tuple[str, ...] = ()
    require_other_approver: bool = True
    approval_reminder_hours: int = 24
    approval_expiry_days: int = 14
    govuk_notify_api_key: pulumi.Output[str] | None = None
    govuk_notify_template_id: str = ""
    govuk_notify_url: str = GOVUK_NOTIFY_URL
    cors_origins: tuple[str, ...] = ()
    http_rate_limit: int = 50
    http_burst_limit: int = 100
    approvals_reserved_concurrency: int = 0
    webhooks_reserved_concurrency: int = 0
    snap_start: bool = False
    backfill_source_table_arn: str = ""

    @classmethod
    def load(cls) -> Self:
        """Read the current stack's config.

        Raises:
            SettingsError: a value is wrong, a key is unknown, or a secret is in plain text.
        """
        given = _namespace()
        config = pulumi.Config(NAMESPACE)
        secrets: dict[str, pulumi.Output[str]] = {}
        for key in secret_keys():
            text = given.pop(key, None)
            if not text:
                continue
            # The secrets of a local stack protect nothing: everybody can read them in Pulumi.local.yaml.
            if not is_local(pulumi.get_stack()) and not pulumi.runtime.is_config_secret(f"{NAMESPACE}:{key}"):
                raise wrong(key, f"is in plain text: set it with `pulumi config set --secret {NAMESPACE}:{key}`")
            secrets[key] = config.require_secret(key)
        settings = cls.from_mapping(given, secrets)
        region = pulumi.Config("aws").get("region") or os.environ.get("AWS_REGION", "")
        settings._refuse_other_region(region)
        settings._refuse_snap_start(region)
        return settings

    @classmethod
    def from_mapping(cls, values: Mapping[str, object], secrets: Mapping[str, pulumi.Output[str]]) -> Self:
        """The settings of config values by key, without the namespace.

        Raises:
            SettingsError: a value is wrong, or a key is unknown.
        """
        fields = {key_of(field.name): field for field in dataclasses.fields(cls)}
        for key in (*values, *secrets):
            if key not in fields:
                raise wrong(key, "is not a Switchboard key" + nearest(key, fields))
        parsed: dict[str, Any] = {fields[key].name: secret for key, secret in secrets.items()}
        for key, value in values.items():
            if value is not None:
                parsed[fields[key].name] = parse(key, value, fields[key].type)
        settings = cls(**parsed)
        settings._check()
        return settings

    def protects(self, stack: str) -> bool:
        """Whether ``stack`` is protected from deletion: as ``protect`` says, by default unless it is disposable by name."""
        return not is_disposable(stack) if self.protect is None else self.protect

    def secrets(self) -> dict[str, pulumi.Output[str]]:
        """The secrets that are set, by field."""
        values = {name: getattr(self, name) for name in _secret_fields()}
        return {name: value for name, value in values.items() if value is not None}

    def digest(self) -> str:
        """Six hex digits of a hash over all settings except secrets."""
        chosen = [(field.name, getattr(self, field.name)) for field in dataclasses.fields(self)]
        text = repr([(name, value) for name, value in chosen if name not in _secret_fields()])
        return hashlib.sha256(text.encode()).hexdigest()[:6]

    @property
    def slack_by_bot(self) -> bool:
        """Whether the channel ``slack`` uses the bot token, which is preferred since only the bot's messages can be edited."""
        return self.slack_bot_token is not None and bool(self.slack_channel)

    def missing_for_approvals(self) -> tuple[str, ...]:
        """The keys that approvals need and that are not set; all of them if approvals are not used."""
        needed = ("slack_bot_token", "slack_signing_secret", "jira_base_url")
        return tuple(key_of(name) for name in needed if not getattr(self, name))

    @property
    def sweeps_approvals(self) -> bool:
        """Whether drafts are submitted to this stack and have reminders or an expiry."""
        return not self.missing_for_approvals() and bool(self.approval_reminder_hours or self.approval_expiry_days)

    def _check(self) -> None:
        for name, rule in RULES.items():
            value = getattr(self, name)
            for number, item in enumerate(value if isinstance(value, tuple) else [value], 1):
                complaint = rule(item) if item != "" else None
                if complaint:
                    raise wrong(key_of(name), complaint + (f" (entry {number})" if isinstance(value, tuple) else ""))
        self._check_lease_table()
        if self.console_lease_path and not self.console_url:
            raise wrong("consoleUrl", f"is not set, but {NAMESPACE}:consoleLeasePath has no effect without it")
        for name in _REQUIRED:
            if not getattr(self, name):
                raise wrong(key_of(name), "must not be empty")
        self._check_reminder()
        if self.jira_projects or self.jira_base_url:
            needing = "jiraBaseUrl" if self.jira_base_url else "jiraProjects"
            for name in ("jira_base_url", "jira_email", "jira_api_token"):
                if not getattr(self, name):
                    raise wrong(key_of(name), f"is not set, but {NAMESPACE}:{needing} needs it")
        if self.slack_signing_secret is not None and self.slack_bot_token is None:
            raise wrong("slackBotToken", f"is not set, but {NAMESPACE}:slackSigningSecret has no effect without it")
        for channel, key, instead in _channel_needs(self):
            if channel in self.notify_channels:
                raise wrong(key, f"is not set, but the channel {channel} of {NAMESPACE}:notifyChannels needs it{instead}")
        self._check_routes()

    def _check_reminder(self) -> None:
        hours = 24 * self.approval_expiry_days
        if hours and self.approval_reminder_hours > hours:
            expiry = f"{NAMESPACE}:approvalExpiryDays is {self.approval_expiry_days}"
            raise wrong("approvalReminderHours", f"must be at most {hours}, since {expiry}")

    def _check_routes(self) -> None:
        try:
            check_channels(self.notify_routes, self.notify_channels, noun=f"{NAMESPACE}:notifyChannels")
        except RulesError as error:
            raise wrong("notifyRoutes", str(error)) from None
        for number, rule in enumerate(self.notify_routes, 1):
            if rule.slack_channel and not self.slack_by_bot:
                needs = f"{NAMESPACE}:slackBotToken and {NAMESPACE}:slackChannel, since a webhook posts to one channel only"
                raise wrong("notifyRoutes", f"has a rule {number} with a slackChannel, which needs {needs}")

    def _check_lease_table(self) -> None:
        """The account is not checked: the table of another account works once that account grants access."""
        regions = {}
        for name in ("lease_table_arn", "lease_table_key_arn"):
            if arn := getattr(self, name):
                _, partition, _, regions[name], *_ = arn.split(":")
                if partition != partition_of(regions[name]):
                    right = partition_of(regions[name])
                    raise wrong(key_of(name), f"names the partition {partition}, but {regions[name]} is in {right}")
        if self.lease_table_key_arn and not self.lease_table_arn:
            raise wrong("leaseTableArn", f"is not set, but {NAMESPACE}:leaseTableKeyArn has no effect without it")
        if len(set(regions.values())) > 1:
            key, table = regions["lease_table_key_arn"], regions["lease_table_arn"]
            raise wrong("leaseTableKeyArn", f"names a key in {key}, but the table is in {table}: both must be in one region")

    def _refuse_other_region(self, region: str) -> None:
        """A function can read tables of its own region only, in any account."""
        for name in ("lease_table_arn", "backfill_source_table_arn"):
            arn = getattr(self, name)
            own = arn.split(":")[3] if arn else region
            if region and own != region:
                instead = f"deploy to {own}, or name a replica of the table here"
                raise wrong(key_of(name), f"names a table in {own}, but this stack is in {region}: {instead}")

    def _refuse_snap_start(self, region: str) -> None:
        """https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-supported-regions"""
        if self.snap_start and region and (region in _WITHOUT_SNAP_START or partition_of(region) != "aws"):
            raise wrong("snapStart", f"is on, but Lambda has no SnapStart in {region}: leave it out")


_WITHOUT_SNAP_START = frozenset({"ap-east-2", "ap-southeast-6"})
"""The commercial regions without SnapStart."""


def key_of(field: str) -> str:
    """The config key of a field: ``notify_channels`` is ``notifyChannels``."""
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


def secret_keys() -> list[str]:
    """The keys whose values are secrets."""
    return [key_of(name) for name in _secret_fields()]


def _secret_fields() -> list[str]:
    return [field.name for field in dataclasses.fields(Settings) if field.type == pulumi.Output[str] | None]


def _namespace() -> dict[str, Any]:
    everything = {**pulumi.runtime.get_config_env(), **CONFIG.get()}
    prefix = f"{NAMESPACE}:"
    return {key.removeprefix(prefix): value for key, value in everything.items() if key.startswith(prefix)}


# Keys that have a default and must not be set to empty.
_REQUIRED = ("lease_event_sources", "notify_channels", "slack_api_url", "govuk_notify_url")


def _channel_needs(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """For each channel, the keys that it needs and that are not set, with the alternative."""
    if not settings.slack_by_bot and settings.slack_webhook_url is None:
        if settings.slack_bot_token is None:
            yield "slack", "slackWebhookUrl", f", or {NAMESPACE}:slackBotToken and {NAMESPACE}:slackChannel"
        else:
            yield "slack", "slackChannel", ""
    if settings.teams_webhook_url is None:
        yield "teams", "teamsWebhookUrl", ""
    if settings.govuk_notify_api_key is None:
        yield "govuk_notify", "govukNotifyApiKey", ""
    if not settings.govuk_notify_template_id:
        yield "govuk_notify", "govukNotifyTemplateId", ""
