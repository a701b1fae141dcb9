"""What a month of a workload costs, by table, function and other resource. Pure: a workload in, lines of a bill out.

The rows that an event writes and the time that a function runs follow from the code, flow by flow; prices are in
:mod:`.prices`. This is an estimate, not a bill: no free tier, no retries, no cold starts.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lib.operations.costs.prices import PRICES, Meter
from lib.platform import errors
from lib.platform.contract import MEMORY_MB

DAYS = 30
GB = 1024**3
#: The seconds of a whole CPU that a job takes per GB of text (docs/adr/0067): an import that is merged with a catalogue of the
#: same size, and an export.
IMPORT_CPU_SECONDS, EXPORT_CPU_SECONDS = 24, 13
#: Lambda gives one CPU per 1,769 MB of memory (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
CPUS = MEMORY_MB / 1769
#: What is charged of the disk of the function imports: all but the first 512 MB. A test holds it to the stack's.
IMPORT_DISK_GB = (10_240 - 512) / 1024
#: The size of a catalogue's version, compressed, by that of its text.
VERSION_SHARE = 0.16
VERSION_DAYS, CHANGES_DAYS, EXPORT_DAYS = 90, 91, 7
#: What a draft of up to 1 kB takes to become an issue without retries (tests/unit/approvals/test_costs.py counts it).
DRAFT_READS, DRAFT_WRITES, DRAFT_MESSAGES = 42, 24, 5
DRAFT_WRITES_PER_FURTHER_KB = 4
#: Its session enters StateIndex as a preview, and moves there when it is approved, creating and created.
DRAFT_INDEX_WRITES = 7
#: The metrics that the alarms of a stack with one channel and no project read, each billed as an alarm. A test compares it with
#: the stack. Of 72 alarms, six add up the throttles of a table and its indexes.
ALARM_METRICS = 90
WORK_QUEUES = 3
MOST = 10**15
"""No number of a workload is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The work of a day. Shares are of ``events_per_day`` and add up to 1; sizes are in bytes."""

    events_per_day: int
    lease_share: float = 0.40
    jira_share: float = 0.45
    commit_share: float = 0.10
    draft_share: float = 0.045
    import_share: float = 0.005
    export_share: float = 0.0
    notify_channels: int = 2
    lease_bytes: int = 1_200
    jira_version_bytes: int = 1_200
    jira_head_bytes: int = 1_000
    operation_bytes: int = 800
    draft_bytes: int = 2_000
    job_bytes: int = 900
    import_file_bytes: int = 2_000_000
    history_days: int = 365
    claim_days: int = 400
    approval_days: int = 400
    log_bytes_per_invocation: int = 1_500
    log_retention_days: int = 30
    upload_days_total: int = 365

    def __post_init__(self) -> None:
        numbers = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
                raise errors.InvalidInputError(f"the workload's {name} is not a number from 0 to {MOST:,}")
        total = sum(value for name, value in numbers.items() if name.endswith("_share"))
        if not math.isclose(total, 1, abs_tol=1e-6):
            raise errors.InvalidInputError(f"the workload's shares add up to {total:g}, not to 1")

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Workload":
        """Read a workload; what ``values`` do not name has its default.

        Raises:
            InvalidInputError: a name is unknown, a value is not a number, or the shares do not add up.
        """
        unknown = sorted(values.keys() - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise errors.InvalidInputError(f"the workload has unknown names: {', '.join(unknown)}")
        if "events_per_day" not in values:
            raise errors.InvalidInputError("the workload has no events_per_day")
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Line:
    """A month's quantity of one meter, for one resource."""

    resource: str
    meter: Meter
    quantity: float

    @property
    def dollars(self) -> float:
        """What it costs."""
        price = PRICES[self.meter]
        return self.quantity * price.dollars / price.per


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A month of a workload."""

    workload: Workload
    lines: tuple[Line, ...]

    @property
    def dollars(self) -> float:
        """What the month costs."""
        return sum(line.dollars for line in self.lines)

    def by_resource(self) -> dict[str, float]:
        """Dollars by resource, in the order of the lines."""
        totals: dict[str, float] = {}
        for line in self.lines:
            totals[line.resource] = totals.get(line.resource, 0.0) + line.dollars
        return totals


def monthly_costs(workload: Workload) -> Breakdown:
    """What a month of 30 days of ``workload`` costs."""
    lines = [*_tables(workload), *_functions(workload), *_the_rest(workload)]
    return Breakdown(workload, tuple(line for line in lines if line.quantity))


def _monthly(share: Callable[[Workload], float]) -> Callable[[Workload], float]:
    """How many times a month. Jobs of Shuttle and drafts mean several requests per event."""
    return lambda workload: workload.events_per_day * share(workload) * DAYS


_leases = _monthly(lambda workload: workload.lease_share)
_jira = _monthly(lambda workload: workload.jira_share)
_commits = _monthly(lambda workload: workload.commit_share)
_drafts = _monthly(lambda workload: workload.draft_share)
_imports = _monthly(lambda workload: workload.import_share)
_exports = _monthly(lambda workload: workload.export_share)

_POLLS_PER_JOB = 5
_DELIVERIES_PER_BATCH = 2  # those of one second
_CHANGE_SWEEPS = 4 * 24 * DAYS  # every quarter of an hour
_HEALTH_CHECKS = 12 * 24 * DAYS  # every five minutes
_SWEEPS = 4 * 24 * DAYS  # every quarter of an hour
_SWEEP_QUERIES = 25  # lost workers, missing files and waiting exports in eight shards; events to publish
# Lambda polls an idle queue too: five pollers, each waiting up to 20 s
# (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html).
_EMPTY_RECEIVES = WORK_QUEUES * 5 * 3 * 60 * 24 * DAYS
_SECRETS = 9  # all secrets; a stack uses either Slack's bot token or its webhook


def _import_seconds(workload: Workload) -> float:
    return 0.3 + workload.import_file_bytes / GB * IMPORT_CPU_SECONDS / CPUS


def _export_seconds(workload: Workload) -> float:
    return 0.3 + workload.import_file_bytes / GB * EXPORT_CPU_SECONDS / CPUS


def _tables(workload: Workload) -> Iterator[Line]:
    yield from _lease_table(workload)
    yield from _jira_issues(workload)
    yield from _jira_operations(workload)
    yield from _shuttle(workload)


def _lease_table(workload: Workload) -> Iterator[Line]:
    """One strongly consistent GetItem per event, and the health check's sentinel. The lease system pays for the rows."""
    yield Line("LeaseTable", Meter.DYNAMODB_READ, _leases(workload) * _read_units(workload.lease_bytes) + _HEALTH_CHECKS)


def _jira_issues(workload: Workload) -> Iterator[Line]:
    """A delivery puts a version and HEAD, and its correlation is read and put. HEAD stays in place in one index and moves in
    the three that are sorted by hour, for two units each: every delivery counts as the first of its hour.

    An issue that an approval created is stored like one that was delivered, enters the indexes, and is correlated with its
    webhook.
    """
    version, head = _write_units(workload.jira_version_bytes), _write_units(workload.jira_head_bytes)
    writes = _jira(workload) * (version + head + 7 * head + 1) + _drafts(workload) * (version + head + 4 * head)
    writes += _commits(workload) * 2
    reads = _jira(workload) * 2 * _read_units(workload.jira_head_bytes) + _commits(workload)
    daily = workload.events_per_day * (
        (workload.jira_share + workload.draft_share) * workload.jira_version_bytes
        + workload.commit_share * workload.operation_bytes
    )
    yield Line("JiraIssues", Meter.DYNAMODB_WRITE, writes + _HEALTH_CHECKS)
    yield Line("JiraIssues", Meter.DYNAMODB_READ, reads + _HEALTH_CHECKS)
    yield from _stored("JiraIssues", daily * workload.history_days)


def _jira_operations(workload: Workload) -> Iterator[Line]:
    """Each notification takes and completes a claim per channel, and so does each of a draft's two Slack messages."""
    unit = _write_units(workload.operation_bytes)
    a_draft = DRAFT_WRITES + DRAFT_INDEX_WRITES + DRAFT_WRITES_PER_FURTHER_KB * (_write_units(workload.draft_bytes) - 1)
    writes = _leases(workload) * 2 * workload.notify_channels * unit + _drafts(workload) * a_draft
    stored = workload.events_per_day * (
        workload.lease_share * workload.notify_channels * workload.operation_bytes * workload.claim_days
        + workload.draft_share * (workload.draft_bytes + 5 * workload.operation_bytes) * workload.approval_days
    )
    yield Line("JiraOperations", Meter.DYNAMODB_WRITE, writes + _HEALTH_CHECKS)
    yield Line("JiraOperations", Meter.DYNAMODB_READ, _drafts(workload) * DRAFT_READS + _HEALTH_CHECKS)
    yield from _stored("JiraOperations", stored)


def _shuttle(workload: Workload) -> Iterator[Line]:
    """What a job writes; transactions cost twice as much (docs/database-schema.md, Shuttle, "What a job costs")."""
    imports, exports = _imports(workload), _exports(workload)
    job = _write_units(workload.job_bytes)
    create = 2 * (5 + job) + 2 + 2  # six statements; the usage rows' GSI2, the job's GSI1 and StatusIndex
    start = job + 4  # leaves one key and enters another in two indexes
    progress = imports * math.floor(_import_seconds(workload) / 3) + exports * math.floor(_export_seconds(workload) / 3)
    finish = 2 * (3 + job) + 2 + 4
    version = 2 * 4 + 1 + 2  # pointer, the version before, the one no longer kept, the event and its GSI1; then published
    writes = (imports + exports) * (create + start + finish) + progress * job + imports * version
    reads = (imports + exports) * (5 + _POLLS_PER_JOB) + _SWEEPS * _SWEEP_QUERIES / 2
    yield Line("Shuttle", Meter.DYNAMODB_WRITE, writes + _HEALTH_CHECKS)
    yield Line("Shuttle", Meter.DYNAMODB_READ, reads + _HEALTH_CHECKS)
    yield from _stored("Shuttle", (imports + exports) / DAYS * workload.job_bytes * 3 * 90)


def _stored(table: str, size: float) -> Iterator[Line]:
    yield Line(table, Meter.DYNAMODB_STORAGE, size / GB)
    yield Line(table, Meter.DYNAMODB_BACKUP, size / GB)


def _functions(workload: Workload) -> Iterator[Line]:
    imports, exports = _imports(workload), _exports(workload)
    deliveries = _jira(workload) + _commits(workload)
    runs = (
        ("notification", _leases(workload), 0.12),
        ("webhooks", deliveries, 0.08),
        ("approvals", _drafts(workload) * 2, 0.15),
        ("jira_worker", deliveries / _DELIVERIES_PER_BATCH + _drafts(workload) * DRAFT_MESSAGES, 0.6),
        ("reconciliation", DAYS, 120.0),
        ("reconciliation", _CHANGE_SWEEPS, 3.0),
        ("shuttle", (imports + exports) * (1 + _POLLS_PER_JOB), 0.05),
        ("imports", imports, _import_seconds(workload)),
        ("imports", exports, _export_seconds(workload)),
        ("imports", _SWEEPS, 0.3),
        ("health", _HEALTH_CHECKS, 0.2),
    )
    for function, count, seconds in runs:
        log_gb = count * workload.log_bytes_per_invocation / GB
        yield Line(function, Meter.LAMBDA_REQUEST, count)
        yield Line(function, Meter.LAMBDA_DURATION, count * seconds * MEMORY_MB / 1024)
        if function == "imports":
            yield Line(function, Meter.LAMBDA_DISK, count * seconds * IMPORT_DISK_GB)
        yield Line(function, Meter.LOG_INTAKE, log_gb)
        yield Line(function, Meter.LOG_STORAGE, log_gb / DAYS * workload.log_retention_days)


def _the_rest(workload: Workload) -> Iterator[Line]:
    imports, exports = _imports(workload), _exports(workload)
    jobs = imports + exports
    requests = _jira(workload) + _commits(workload) + _drafts(workload) * 2 + jobs * (1 + _POLLS_PER_JOB)
    yield Line("HTTP API", Meter.API_REQUEST, requests)
    yield Line("event bus", Meter.EVENT, _leases(workload) + imports)
    yield Line("notification topic", Meter.SNS_PUBLISH, _leases(workload))
    messages = _jira(workload) + _commits(workload) + _drafts(workload) * DRAFT_MESSAGES + jobs
    yield Line("queues", Meter.SQS_REQUEST, messages * 3 + _EMPTY_RECEIVES)  # send, receive, delete
    yield from _import_bucket(workload)
    yield Line("secrets", Meter.SECRET, _SECRETS)
    yield Line("alarms", Meter.ALARM, ALARM_METRICS)


def _import_bucket(workload: Workload) -> Iterator[Line]:
    """An import stores the upload, a version, its changes, and for one in five a report, and lists the versions; it reads the
    upload and the version before. A fifth of the rows is taken as changed.
    """
    imports, exports = _imports(workload), _exports(workload)
    size = workload.import_file_bytes / GB
    uploaded, exported = imports / DAYS * size, exports / DAYS * size
    kept = min(90, workload.upload_days_total) + VERSION_SHARE * (VERSION_DAYS + CHANGES_DAYS / 5)
    yield Line("import bucket", Meter.S3_WRITE, imports * 4.2 + exports)
    yield Line("import bucket", Meter.S3_READ, imports * 2 + exports)
    yield Line("import bucket", Meter.S3_STORAGE, uploaded * kept + exported * EXPORT_DAYS)
    yield Line("import bucket", Meter.S3_GLACIER, uploaded * max(0, workload.upload_days_total - 90))
    yield Line("import bucket", Meter.S3_TRANSITION, imports)


def _write_units(size: int) -> int:
    return max(1, math.ceil(size / 1024))


def _read_units(size: int) -> int:
    return max(1, math.ceil(size / 4096))
