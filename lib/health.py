"""The deep health check: whether each dependency of Switchboard works, tested by doing what the functions do.

handlers/health.py runs it on a schedule, and the command line on request. ``GET /health`` does not use it. All checks run at
once, each in its own thread, for at most ten seconds: one that hangs fails and does not stop the others.

The check of a table that Switchboard writes to::

    key schema as expected? ──► put a sentinel ──► read it back ──► delete it ──► is it gone?
                                                                       └ always, since a failed put may have been written

A sentinel that remains is a failed check, and expires within an hour. It affects nothing: its key is not of an issue, an event,
a session or a shop, and it has no attribute of an index.
"""

import enum
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from lib.platform import aws, clock, contract, errors
from lib.platform.contract import SENTINEL_PARTITIONS, TableLayout
from lib.platform.environment.health import HealthEnvironment
from lib.platform.log import scrub
from lib.platform.secrets import Secret

CHECK_SECONDS = 10.0
"""A check that takes longer has failed."""

_SENTINEL_RANGE = "SENTINEL"
_SENTINEL_LIFE = timedelta(hours=1)
# Shorter than the client's default: a check has no time for five attempts of 20 s.
_JIRA_TIMEOUT_SECONDS = (2.0, 4.0)


class Status(enum.StrEnum):
    """The result of a check."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: one of :data:`lib.platform.contract.HEALTH_CHECKS`, each of which has an alarm.
        status: the result.
        detail: what was found, or what is wrong. Never a secret.
        latency_ms: how long it took.
    """

    name: str
    status: Status
    detail: str
    latency_ms: float

    def as_json(self) -> dict[str, Any]:
        """The check as JSON values."""
        return {
            "name": self.name,
            "status": self.status.value,
            "detail": self.detail,
            "latency_ms": round(self.latency_ms, 1),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one run, and its time."""

    checks: tuple[Check, ...]
    generated_at: datetime
    version: str = "unknown"

    @property
    def ok(self) -> bool:
        """Whether no check failed. A skipped check has not failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status is Status.FAILED)

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values, its time in Phoenix."""
        return {
            "status": (Status.OK if self.ok else Status.FAILED).value,
            "checks": [check.as_json() for check in self.checks],
            "time": clock.phoenix(self.generated_at),
            "timezone": clock.TIMEZONE,
            "version": self.version,
        }


def run_checks(
    environment: HealthEnvironment,
    *,
    clients: Callable[[str], Any],
    now: clock.Clock = clock.utc_now,
    seconds: float = CHECK_SECONDS,
) -> Report:
    """Run every check. Raises nothing: any error is a failed check.

    Args:
        environment: names what to check.
        clients: the AWS client of a service; the checks call it at once.
        now: the clock.
        seconds: how long the checks may take, which all run at once.
    """
    dynamodb, at = partial(clients, "dynamodb"), now()
    probes: tuple[_Probe, ...] = (
        lambda: _check_readable(dynamodb(), environment.lease_table_arn, contract.LEASE_TABLE),
        lambda: _check_writable(dynamodb(), environment.jira_issues_table_name, contract.JIRA_ISSUES, at),
        lambda: _check_writable(dynamodb(), environment.operations_table_name, contract.JIRA_OPERATIONS, at),
        lambda: _check_writable(dynamodb(), environment.shuttle_table_name, contract.SHUTTLE, at),
        lambda: _check_secrets(clients, environment.secret_arns),
        lambda: _check_jira(clients, environment, seconds),
    )
    running = [_Running(name, probe) for name, probe in zip(contract.HEALTH_CHECKS, probes, strict=True)]
    deadline = clock.monotonic() + seconds
    checks = tuple(probe.check_by(deadline, seconds) for probe in running)
    return Report(checks, now(), environment.version)


@dataclass(frozen=True, slots=True)
class _Finding:
    detail: str
    status: Status = Status.OK


_Probe = Callable[[], _Finding]


class _Running:
    """A check that runs in its own thread: a daemon, so that a check that hangs does not keep the process alive."""

    def __init__(self, name: str, probe: _Probe) -> None:
        self._name = name
        self._probe = probe
        self._started_at = clock.monotonic()
        self._check: Check | None = None
        self._thread = threading.Thread(target=self._run, name=f"health-{name}", daemon=True)
        self._thread.start()

    def check_by(self, deadline: float, seconds: float) -> Check:
        """The check; failed if it is not done by ``deadline``."""
        self._thread.join(max(0.0, deadline - clock.monotonic()))
        return self._check or self._result(_Finding(f"not done within {seconds:g} s", Status.FAILED))

    def _run(self) -> None:
        try:
            finding = self._probe()
        except errors.SwitchboardError as error:
            finding = _Finding(str(error), Status.FAILED)
        except Exception as error:
            finding = _Finding(f"the check itself failed: {type(error).__name__}", Status.FAILED)
        self._check = self._result(finding)

    def _result(self, finding: _Finding) -> Check:
        return Check(self._name, finding.status, scrub(finding.detail), (clock.monotonic() - self._started_at) * 1000)


def _check_readable(client: Any, table_name: str, layout: TableLayout) -> _Finding:
    """Check the key schema and read an absent key, which is all that Switchboard may do with this table."""
    problems = _Problems()
    problems.attempt(lambda: _check_schema(client, table_name, layout))
    problems.attempt(lambda: _expect(client, table_name, layout.key(_sentinel_name(), _SENTINEL_RANGE), None))
    return problems.finding("key schema as expected, readable")


def _check_writable(client: Any, table_name: str, layout: TableLayout, now: datetime) -> _Finding:
    key = layout.key(_sentinel_name(), _SENTINEL_RANGE)
    sentinel = {**key, layout.ttl: {"N": str(clock.epoch_s(now + _SENTINEL_LIFE))}}
    problems = _Problems()
    problems.attempt(lambda: _check_schema(client, table_name, layout))
    if problems.attempt(lambda: aws.call("put a sentinel", lambda: client.put_item(TableName=table_name, Item=sentinel))):
        problems.attempt(lambda: _expect(client, table_name, key, sentinel))
    if problems.attempt(lambda: aws.call("delete the sentinel", lambda: client.delete_item(TableName=table_name, Key=key))):
        problems.attempt(lambda: _expect(client, table_name, key, None))
    return problems.finding("key schema as expected, a sentinel put, read back and deleted")


class _Problems:
    """Collects the errors of a check's steps. A failed step does not stop the next."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def attempt(self, step: Callable[[], object]) -> bool:
        """Run a step. Returns whether it succeeded."""
        try:
            step()
        except errors.SwitchboardError as error:
            self._found.append(str(error))
            return False
        return True

    def finding(self, success: str) -> _Finding:
        return _Finding("; ".join(self._found), Status.FAILED) if self._found else _Finding(success)


def _check_schema(client: Any, table_name: str, layout: TableLayout) -> None:
    table = aws.call("describe the table", lambda: client.describe_table(TableName=table_name))["Table"]
    kinds = {entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]}
    keys = [(entry["KeyType"], entry["AttributeName"], kinds[entry["AttributeName"]]) for entry in table["KeySchema"]]
    expected = [("HASH", layout.hash_key, "S"), ("RANGE", layout.range_key, "S")]
    if sorted(keys) != expected:
        raise errors.ConfigurationError(f"the table is keyed by {_schema(keys)}, not by {_schema(expected)}")


def _schema(keys: list[tuple[str, str, str]]) -> str:
    return ", ".join(f"{name} ({kind}, {role})" for role, name, kind in sorted(keys))


def _expect(client: Any, table_name: str, key: Mapping[str, Any], expected: Mapping[str, Any] | None) -> None:
    answer = aws.call("read the sentinel", lambda: client.get_item(TableName=table_name, Key=key, ConsistentRead=True))
    found = answer.get("Item")
    if found != expected:
        wrong = "the sentinel is not the one that was put" if expected else "the sentinel is still there after its deletion"
        raise errors.UnavailableError(wrong)


def _check_secrets(clients: Callable[[str], Any], arns: tuple[str, ...]) -> _Finding:
    if not arns:
        return _Finding("not configured", Status.SKIPPED)
    problems = _Problems()
    for arn in arns:
        problems.attempt(lambda arn=arn: _check_secret(clients("secretsmanager"), arn))  # type: ignore[misc]
    return problems.finding(f"{len(arns)} readable")


def _check_secret(client: Any, arn: str) -> None:
    try:
        Secret(client, arn).current()
    except errors.SwitchboardError as error:
        name = arn.rpartition(":")[2].rpartition("-")[0]  # an ARN ends in six random characters, which no command accepts
        raise errors.ConfigurationError(f"{name}: {error}") from None


def _check_jira(clients: Callable[[str], Any], environment: HealthEnvironment, seconds: float) -> _Finding:
    if not (environment.jira_base_url and environment.jira_email and environment.jira_api_token_arn):
        return _Finding("not configured", Status.SKIPPED)
    from lib.jira.client import JiraClient  # noqa: PLC0415 - its import takes a tenth of a second

    deadline = clock.monotonic() + seconds
    client = JiraClient(
        environment.jira_base_url,
        environment.jira_email,
        Secret(clients("secretsmanager"), environment.jira_api_token_arn),
        seconds_left=lambda: deadline - clock.monotonic(),
        timeout=_JIRA_TIMEOUT_SECONDS,
    )
    client.with_current_token(client.check_credentials)
    return _Finding("answers, and accepts the token")


def _sentinel_name() -> str:
    return SENTINEL_PARTITIONS + uuid.uuid4().hex
