"""What the code and the infrastructure must agree on, written once: tables, partitions, channels, health checks, metrics.

Imports the standard library only: the stack declares resources, grants, alarms and the dashboard from it, and every
function imports it on a cold start. Environment variables are in :mod:`lib.platform.environment`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

ENTRY_POINTS = ("notification", "webhooks", "approvals", "jira_worker", "reconciliation", "shuttle", "imports", "health")
"""The modules in handlers/ that run as Lambda functions in every deployment."""

OPTIONAL_ENTRY_POINTS = ("backfill",)
"""The modules that are deployed only if the configuration requires them."""

ALL_ENTRY_POINTS = (*ENTRY_POINTS, *OPTIONAL_ENTRY_POINTS)

ALARM_TOPIC_OUTPUTS = ("alarm_topic_arn", "alarm_ticket_topic_arn")
"""The outputs of the stack that name the topics of the alarms: those that need a person now, and the others."""

ALIAS = "live"
"""The alias of every function. It names the published version that runs, and every caller invokes it (docs/adr/0081)."""


def live(function: str) -> str:
    """What to invoke of a function, given by its name or ARN: its alias."""
    return f"{function}:{ALIAS}"


_DESCRIBED = ", revision "


def describe_version(software: str, revision: str) -> str:
    """The description of a function's version: the version of the software, and the deployed revision."""
    return f"Switchboard {software}{_DESCRIBED}{revision}"


def revision_in(description: str) -> str:
    """The revision in a version's description, up to a comma; empty if it has none."""
    return description.partition(_DESCRIBED)[2].partition(",")[0]


MEMORY_MB = 512
"""The memory of a function, unless the stack says otherwise. CPU comes in proportion, for the imports and TLS handshakes of a
cold start; the code needs a fifth of the memory."""

TIMEZONE = "America/Phoenix"
"""The time zone of schedules, and of every time that people read."""

CHANNELS = ("sns", "slack", "teams", "govuk_notify")
"""The notification channels, as ``NOTIFY_CHANNELS`` names them."""

SLACK_API_URL = "https://slack.com/api/"
GOVUK_NOTIFY_URL = "https://api.notifications.service.gov.uk"

SHUTTLE_EVENT_SOURCE = "switchboard.shuttle"
"""The source of the events that Shuttle puts on the event bus."""

HEALTH_CHECKS = ("lease_table", "jira_issues_table", "operations_table", "shuttle_table", "secrets", "jira")
"""The checks of lib/health.py, in the order of its report."""

JOB_LEASE = timedelta(minutes=16)
"""How long an import worker owns a job before another may take it over."""

JOB_KEPT = timedelta(days=90)
"""How long the row of a finished job is kept."""

OLDEST_WORK_LIMIT_SECONDS = 900
"""A message of a work queue that is older needs a person."""

BACKFILL_MAX_SEGMENTS = 32
"""Segments of a backfill in the cloud, and as many workers, so that no segment waits for another."""

MAX_RECEIVES = 5
"""How often a message of a work queue is delivered before it becomes a dead letter."""

EXPORT_KEPT = timedelta(days=7)
"""How long the file that an export made is kept."""

# --- Tables -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A global secondary index; docs/database-schema.md says which question it answers.

    ``includes`` are the attributes that it projects besides the keys; empty: the whole row.
    """

    name: str
    hash_key: str
    range_key: str
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLayout:
    """The keys and indexes of a table.

    Attributes:
        name: the logical name; in AWS it has a random suffix.
        hash_key: the partition key.
        range_key: the sort key.
        ttl: the attribute with the epoch second at which a row expires.
        indexes: the global secondary indexes.
        number_keys: the key attributes that are numbers; the others are strings.
    """

    name: str
    hash_key: str
    range_key: str
    ttl: str
    indexes: tuple[Index, ...] = ()
    number_keys: frozenset[str] = frozenset()

    @property
    def key_attributes(self) -> tuple[str, ...]:
        """Every attribute that is a key of the table or of an index, each once."""
        of_indexes = (key for index in self.indexes for key in (index.hash_key, index.range_key))
        return tuple(dict.fromkeys((self.hash_key, self.range_key, *of_indexes)))

    def key(self, hash_value: str, range_value: str) -> dict[str, dict[str, str]]:
        """The key of a row, as DynamoDB takes it."""
        return {self.hash_key: {"S": hash_value}, self.range_key: {"S": range_value}}

    def key_of(self, index: str | None = None) -> tuple[str, str]:
        """The hash and range key of the table, or of one of its indexes.

        Raises:
            KeyError: there is no index of that name.
        """
        keys = {each.name: (each.hash_key, each.range_key) for each in self.indexes}
        return keys[index] if index else (self.hash_key, self.range_key)


LEASE_TABLE = TableLayout(name="LeaseTable", hash_key="userEmail", range_key="uuid", ttl="ttl")

PROJECT_INDEX = Index(name="ProjectIndex", hash_key="project_key", range_key="issue_number")
# One name can have most issues of a site, so its rows are spread over shards (docs/adr/0034).
STATUS_INDEX = Index(name="StatusIndex", hash_key="status_shard", range_key="changed_hour")
ASSIGNEE_INDEX = Index(name="AssigneeIndex", hash_key="assignee_shard", range_key="changed_hour")
FIX_VERSION_INDEX = Index(name="FixVersionIndex", hash_key="fix_version_shard", range_key="changed_hour")
JIRA_ISSUES = TableLayout(
    name="JiraIssues",
    hash_key="issue_key",
    range_key="updated_at",
    ttl="expires_at",
    indexes=(PROJECT_INDEX, STATUS_INDEX, ASSIGNEE_INDEX, FIX_VERSION_INDEX),
    number_keys=frozenset({"issue_number"}),
)

# Only the rows of sessions have both attributes.
SESSION_STATE_INDEX = Index(name="StateIndex", hash_key="state", range_key="updated_at", includes=("draft_hash", "jira_key"))
JIRA_OPERATIONS = TableLayout(
    name="JiraOperations",
    hash_key="session_id",
    range_key="operation_key",
    ttl="expires_at",
    indexes=(SESSION_STATE_INDEX,),
)

# What an index of Shuttle includes is what the summaries of lib/shuttle read of it (docs/adr/0062). DynamoDB allows 100
# included attributes over all indexes of a table.
_JOB = ("CreatedAt", "DryRun", "ExpiresAt", "Failure", "JobId", "Kind", "Mode", "StatusSince")
_EVENT = ("CreatedAt", "Detail", "DetailType", "EventId", "ShopDomain")
_SHOP = ("BillingState", "ExpiresAt", "InstalledAt", "Plan", "ShopDomain")
_USAGE = (
    *("BytesRead", "Day", "Exports", "Imports", "JobsCancelled", "JobsCompleted", "JobsFailed"),
    *("Month", "RowsFailed", "RowsRead"),
)
_SESSION = ("CreatedAt", "ExpiresAt", "Kind", "SessionId", "ShopDomain")
GSI1 = Index(name="GSI1", hash_key="GSI1PK", range_key="GSI1SK", includes=tuple(sorted({*_SHOP, *_JOB, *_EVENT, "Status"})))
GSI2 = Index(name="GSI2", hash_key="GSI2PK", range_key="GSI2SK", includes=tuple(sorted({*_SHOP, *_USAGE})))
GSI3 = Index(name="GSI3", hash_key="GSI3PK", range_key="GSI3SK", includes=_SESSION)
JOB_STATUS_INDEX = Index(name="StatusIndex", hash_key="ShopDomain", range_key="Status", includes=_JOB)
SHUTTLE = TableLayout(
    name="Shuttle", hash_key="PK", range_key="SK", ttl="ExpiresAt", indexes=(GSI1, GSI2, GSI3, JOB_STATUS_INDEX)
)

# Partition keys, or their beginnings, of rows that only one function may write. The stack grants by them (docs/adr/0013).
EVENT_PARTITIONS = "event#"
"""In JiraOperations: what the notification function claims, one partition per event."""
REDRIVE_PARTITIONS = "redrive#"
"""In JiraOperations: what operators sent back to a function, one partition per call. No function reads or writes them."""
SENTINEL_PARTITIONS = "health#"
"""In every table: what the health check writes, reads and deletes."""
RECONCILIATION_PARTITION = "reconciliation"
"""In JiraOperations: the progress of reconciliation, and the claims on the parts of its runs."""
BACKFILL_PARTITIONS = "backfill#"
"""In JiraOperations: the progress of backfills in the cloud, one partition per run."""

# --- Metrics ----------------------------------------------------------------------------------------------------------

METRICS_NAMESPACE = "Switchboard"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that functions write; docs/observability.md explains each.

    Attributes:
        name: its name in CloudWatch.
        writers: the entry points that write it. Each adds the dimension ``service``, its own name.
        dimensions: the other dimensions.
    """

    name: str
    writers: tuple[str, ...]
    dimensions: tuple[str, ...] = ()


NOTIFICATION_SENT = Metric("NotificationSent", ("notification",), ("channel",))
NOTIFICATION_FAILED = Metric("NotificationFailed", ("notification",), ("channel",))
NOTIFICATION_TOO_OLD = Metric("NotificationTooOld", ("notification",))
ENRICHMENT_SUCCESS = Metric("EnrichmentSuccess", ("notification",))
ENRICHMENT_SKIPPED = Metric("EnrichmentSkipped", ("notification",), ("reason",))
ENRICHMENT_FAILURE = Metric("EnrichmentFailure", ("notification",), ("reason",))
ENRICHMENT_QUERY_LATENCY_MS = Metric("EnrichmentQueryLatencyMs", ("notification",))
ENRICHMENT_THROTTLE_RETRY = Metric("EnrichmentThrottleRetry", ("notification",))
ENRICHMENT_THROTTLE_EXHAUSTED = Metric("EnrichmentThrottleExhausted", ("notification",))
LEASE_NOT_FOUND = Metric("LeaseNotFound", ("notification",))
SCHEMA_DRIFT = Metric("SchemaDrift", ("notification",))

WEBHOOK_DELIVERY = Metric("WebhookDelivery", ("webhooks",), ("source", "outcome"))
PUSH_SKIPPED = Metric("PushSkipped", ("webhooks", "jira_worker"), ("kind",))
CORRELATION_NOT_QUEUED = Metric("CorrelationNotQueued", ("webhooks", "reconciliation"))
CORRELATION_RECOMPUTED = Metric("CorrelationRecomputed", ("jira_worker",))
JIRA_FETCH = Metric("JiraFetch", ("jira_worker",))
WORKER_FAILURE = Metric("WorkerFailure", ("jira_worker",), ("kind",))
STORE_THROTTLE_RETRY = Metric("StoreThrottleRetry", ("webhooks", "jira_worker", "reconciliation", "approvals"))

RECONCILIATION_RUN = Metric("ReconciliationRun", ("reconciliation",), ("project", "mode"))
RECONCILIATION_REFUSED = Metric("ReconciliationRefused", ("reconciliation",), ("project",))
RECONCILIATION_COUNTS: Mapping[str, Metric] = {
    count: Metric(f"Reconciliation{count.capitalize()}", ("reconciliation",), ("project",))
    for count in ("fetched", "created", "updated", "deleted", "unchanged", "failed")
}
"""What a run did with the issues of a project, by the field of ``lib.jira.reconciliation.checkpoint.Counts``."""

DRAFT_SUBMITTED = Metric("DraftSubmitted", ("approvals",), ("state",))
APPROVAL_CLICK = Metric("ApprovalClick", ("approvals",), ("verdict",))
APPROVAL_SWEEP = Metric("ApprovalSweep", ("approvals",))
ISSUE_CREATION = Metric("IssueCreation", ("jira_worker",), ("outcome",))

JOB_CREATED = Metric("JobCreated", ("shuttle",))
IMPORT_RUN = Metric("ImportRun", ("imports",), ("status",))
IMPORT_FAILED = Metric("ImportFailed", ("imports",))
IMPORT_DURATION_MS = Metric("ImportDurationMs", ("imports",))
JOB_SWEEP = Metric("JobSweep", ("imports",))
JOB_GIVEN_UP = Metric("JobGivenUp", ("imports",), ("failure",))

HEALTH_REPORT = Metric("HealthReport", ("health",))
HEALTH_CHECK_FAILED = Metric("HealthCheckFailed", ("health",), ("check",))
HEALTH_CHECK_PASSED = Metric("HealthCheckPassed", ("health",), ("check",))
