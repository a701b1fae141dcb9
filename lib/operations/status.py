"""Checks what needs a person now, in AWS and the local cloud alike, by bounded reads with the operator's own permissions.

Where the numbers come from:

* alarms: DescribeAlarms;
* dead letters and work queues: GetQueueAttributes. The reasons come from up to ten letters, which are received and released
  at once, and for those of a work queue from the log;
* the age of a work queue's oldest message: CloudWatch's metric, since receiving would count as a delivery;
* runs of schedules and health checks: the functions' log lines, which both clouds keep;
* drafts: StateIndex; jobs: GSI1; projects: their watermarks.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from lib.approvals.records import Session, SessionState
from lib.approvals.repository import ApprovalStore
from lib.operations.approvals import STUCK_AFTER
from lib.operations.dead_letters import DeadLetterQueue, depth_of
from lib.operations.deployed import Deployment, log_group, logical_name, pages
from lib.operations.findings import Finding, Status, Verdict, duration
from lib.operations.log_search import LogLine, search
from lib.operations.redrive import explained, held_of, open_queues
from lib.operations.resync import read_watermarks
from lib.operations.schedules import Schedule, list_schedules
from lib.operations.shuttle_report import noting
from lib.platform import aws, clock, errors
from lib.platform.contract import ALARM_TOPIC_OUTPUTS, OLDEST_WORK_LIMIT_SECONDS
from lib.platform.dynamodb import Table
from lib.platform.log import scrub
from lib.platform.schedule_expressions import ExpressionError, next_run
from lib.platform.wording import counted
from lib.shuttle.jobs.job import JobStatus, JobSummary
from lib.shuttle.jobs.lifecycle import LOST_AFTER, UNUSED_AFTER
from lib.shuttle.repository import Repository

MOST_LISTED = 100
"""The most sessions or jobs in one state that are read."""
LETTERS_READ = 10
"""The most letters of one dead-letter queue that are read for their reasons."""
FAILED_COUNTS_FOR = timedelta(days=14)
"""Older failed drafts are not reported: somebody chose not to retry them."""
WATERMARK_LATE_AFTER = timedelta(hours=1)
_SWEEP_GRACE = timedelta(minutes=30)
_MOST_PAGES = 10
_REASON_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class _Runs:
    """How the runs of a schedule appear in the log of its function.

    Attributes:
        entry_point: the function.
        message: the log event of a run that ended.
        due: how long after the last success a person is needed, as the alarm on silence waits.
        mode: of the run, where its function has several.
    """

    entry_point: str
    message: str
    due: timedelta
    mode: str = ""


_RUNS = {
    "health": _Runs("health", "health_report", timedelta(minutes=15)),
    "shuttle-sweep": _Runs("imports", "jobs_swept", timedelta(hours=1)),
    "approvals": _Runs("approvals", "approvals_swept", timedelta(hours=3)),
    "changes": _Runs("reconciliation", "reconciliation_done", timedelta(hours=1), "changes"),
    "sweep": _Runs("reconciliation", "reconciliation_done", timedelta(hours=26), "full"),
}
"""The schedules by logical name."""


class StatusReader:
    """Reads the status of one deployment.

    Args:
        deployed: the deployment.
        now: the clock.
    """

    def __init__(self, deployed: Deployment, *, now: clock.Clock = clock.utc_now) -> None:
        self._deployed = deployed
        self._now = now

    def read(self) -> Status:
        """Run all checks, in parallel. What can't be read is a finding too: an error of AWS is never raised."""
        parts: dict[str, Callable[[], Iterator[Finding]]] = {
            "alarms": self._alarms,
            "dead letters": lambda: self._dead_letters(opened.result()),
            "queues": lambda: self._work_queues(opened.result()),
            "schedules": self._schedules,
            "drafts": self._drafts,
            "jobs": self._jobs,
            "projects": self._projects,
            "health": self._health,
        }
        with ThreadPoolExecutor(len(parts) + 1) as pool:
            opened = pool.submit(lambda: open_queues(self._deployed, self._deployed.some_dead_letter_queues()))
            found = pool.map(lambda part: _attempt(part, parts[part]), parts)
            findings = tuple(finding for each in found for finding in each)
        return Status(self._now(), findings)

    def _alarms(self) -> Iterator[Finding]:
        topics = [str(self._deployed.outputs[name]) for name in ALARM_TOPIC_OUTPUTS if self._deployed.outputs.get(name)]
        cloudwatch, on = self._deployed.client("cloudwatch"), 0
        request: dict[str, Any] = {"StateValue": "ALARM", "AlarmTypes": ["MetricAlarm"], "MaxRecords": 100}
        for answer in pages("list the alarms", cloudwatch.describe_alarms, most=_MOST_PAGES, **request):
            for alarm in answer.get("MetricAlarms", []):
                if _is_ours(alarm, topics):
                    on += 1
                    yield self._alarm(alarm)
        if not on:
            yield Finding(part="alarms", verdict=Verdict.OK, text="none is on")

    def _alarm(self, alarm: Mapping[str, Any]) -> Finding:
        """An alarm that is on. Its description has a sentence, the first command and the runbook, on a line each."""
        name, since = logical_name(alarm["AlarmName"]), alarm.get("StateUpdatedTimestamp")
        meaning, *rest = str(alarm.get("AlarmDescription") or "").splitlines() or [""]
        about = dict(line.split(": ", 1) for line in rest if ": " in line)
        return Finding(
            part="alarms",
            verdict=Verdict.ATTENTION,
            text=f"{name}{f', for {self._age(since)}' if since else ''}: {meaning.rstrip('.')}",
            command=about.get("First", "").partition("handlers.cli ")[2],
            values={"alarm": name, "since": since, "meaning": meaning, "runbook": about.get("Runbook")},
        )

    def _dead_letters(self, queues: Iterable[tuple[str, DeadLetterQueue]]) -> Iterator[Finding]:
        total = 0
        for entry_point, queue in queues:
            letters, count = queue.peek(LETTERS_READ)
            total += count
            if not count:
                continue
            held, _ = explained(held_of(entry_point, queue, letters), self._deployed)
            reasons = Counter(each.reason[:_REASON_CHARACTERS] for each in held)
            oldest = min((letter.sent_at for letter in letters), default=None)
            text = f"{logical_name(queue.name)}: {count:,}"
            if oldest is not None:
                text += f", the oldest {self._age(oldest)} old: {'; '.join(reason for reason, _ in reasons.most_common(2))}"
            else:
                text += ", held by another reader"
            yield Finding(
                part="dead letters",
                verdict=Verdict.ATTENTION,
                text=text,
                command=f"redrive --function {entry_point} --dry-run",
                values={"queue": queue.name, "messages": count, "oldest": oldest, "reasons": dict(reasons)},
            )
        if not total:
            yield Finding(part="dead letters", verdict=Verdict.OK, text="none")

    def _work_queues(self, queues: Iterable[tuple[str, DeadLetterQueue]]) -> Iterator[Finding]:
        for _, queue in queues:
            if queue.source_url:
                yield self._work_queue(queue.source_url)

    def _work_queue(self, url: str) -> Finding:
        name, depth = url.rsplit("/", 1)[-1], depth_of(self._deployed.client("sqs"), url)
        waiting = depth.visible + depth.delayed
        seconds = self._oldest_message_seconds(name) if sum(depth) else None
        late = seconds is not None and seconds > OLDEST_WORK_LIMIT_SECONDS
        text = f"{logical_name(name)}: {counted(waiting, 'message')} waiting"
        if depth.hidden:
            text += f", {depth.hidden:,} being processed or to be retried"
        if seconds is not None:
            text += f", the oldest {duration(timedelta(seconds=seconds))} old"
        return Finding(
            part="queues",
            verdict=Verdict.ATTENTION if late else Verdict.OK,
            text=text,
            values={"queue": name, "waiting": waiting, "oldest_seconds": seconds},
        )

    def _oldest_message_seconds(self, queue_name: str) -> float | None:
        """The newest value of CloudWatch's metric; None if it has none yet."""
        now = self._now()
        metric = {
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateAgeOfOldestMessage",
            "Dimensions": [{"Name": "QueueName", "Value": queue_name}],
        }
        query = {"Id": "age", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
        with aws.translated("read the age of the oldest message"):
            answer = self._deployed.client("cloudwatch").get_metric_data(
                MetricDataQueries=[query], StartTime=now - timedelta(minutes=15), EndTime=now, ScanBy="TimestampDescending"
            )
        values = [value for result in answer.get("MetricDataResults", []) for value in result.get("Values", [])]
        return float(values[0]) if values else None

    def _schedules(self) -> Iterator[Finding]:
        if not self._deployed.functions:
            raise errors.ConfigurationError(f"functions is missing from {self._deployed.source}")
        found = list_schedules(self._deployed.client("scheduler"), self._deployed.functions.values())
        for schedule in found:
            finding = self._schedule(schedule.name, schedule.enabled)
            yield replace(finding, values={**finding.values, "next_run": self._next_run(schedule, finding)})
        if not found:
            yield Finding(part="schedules", verdict=Verdict.OK, text="none")

    def _schedule(self, name: str, enabled: bool) -> Finding:
        runs = _RUNS.get(name)
        if not enabled:  # the stack enables every schedule
            text = f"{name}: somebody disabled it"
            return Finding(part="schedules", verdict=Verdict.ATTENTION, text=text, values={"schedule": name})
        if runs is None:
            return Finding(part="schedules", verdict=Verdict.OK, text=f"{name}: on", values={"schedule": name})
        since = self._now() - 2 * runs.due
        lines = self._lines(runs.entry_point, runs.message, since)
        of_mode = [line for line in lines if not runs.mode or line.fields.get("mode") == runs.mode]
        ended = [line for line in of_mode if not line.fields.get("dry_run")]  # somebody's question, not the schedule's run
        last = max((line.at for line in ended if not line.fields.get("refused")), default=None)
        refused = max((line.at for line in ended if line.fields.get("refused")), default=None)
        if last is not None:
            late = self._now() - last > runs.due
            text = f"{name}: last success {self._age(last)} ago"
        else:
            late = not self._is_new(runs.entry_point, runs.due)  # those of a new stack are not due yet
            text = f"{name}: no success in the last {duration(2 * runs.due)}" if late else f"{name}: no run yet, and not due"
        if refused is not None and (last is None or refused > last):
            if last is None and not late:
                text = f"{name}: no successful run yet"
            late, text = True, f"{text}; the run {self._age(refused)} ago refused something"
        return Finding(
            part="schedules",
            verdict=Verdict.ATTENTION if late else Verdict.OK,
            text=text,
            command=f"logs --function {runs.entry_point} --since {_hours(2 * runs.due)} --level WARNING" if late else "",
            values={"schedule": name, "last_success": last},
        )

    def _next_run(self, schedule: Schedule, finding: Finding) -> datetime | None:
        """The next run; None if it is off or unknown: a rate counts from a run that the log does not show."""
        after = finding.values.get("last_success") if schedule.expression.startswith("rate(") else self._now()
        if not schedule.enabled or not after:
            return None
        with contextlib.suppress(ExpressionError):
            return next_run(schedule.expression, after.astimezone(ZoneInfo(schedule.timezone)))
        return None

    def _is_new(self, entry_point: str, age: timedelta) -> bool:
        group = log_group(self._deployed.function_name(entry_point))
        with aws.translated("describe the log group"):
            groups = self._deployed.client("logs").describe_log_groups(logGroupNamePrefix=group).get("logGroups", [])
        created = [clock.from_epoch_ms(each["creationTime"]) for each in groups if each["logGroupName"] == group]
        return any(self._now() - moment < age for moment in created)

    def _drafts(self) -> Iterator[Finding]:
        store = ApprovalStore(Table(self._deployed.client("dynamodb"), self._deployed.output("jira_operations_table_name")))
        now, found = self._now(), 0
        for state, after, problem in (
            (SessionState.PREVIEW, None, "has waited for a decision for {age}"),
            (SessionState.APPROVED, STUCK_AFTER, "has been approved for {age}, and its issue is not being created"),
            (SessionState.CREATING, STUCK_AFTER, "has been stuck for {age} while its issue is created"),
            (SessionState.UNKNOWN, STUCK_AFTER, "may have an issue or not: Jira gave no clear answer {age} ago"),
        ):
            sessions = list(islice(store.sessions_in(state), MOST_LISTED))
            stuck = [each for each in sessions if after is not None and now - each.updated_at > after]
            if sessions and after is None:
                found += 1
                yield self._sessions(sessions, problem, Verdict.OK)
            if stuck:
                found += 1
                yield self._sessions(stuck, problem, Verdict.ATTENTION)
        failed = list(islice(store.sessions_in(SessionState.FAILED, since=now - FAILED_COUNTS_FOR), MOST_LISTED))
        if failed:
            found += 1
            yield self._sessions(failed, "failed {age} ago", Verdict.ATTENTION)
        if not found:
            yield Finding(part="drafts", verdict=Verdict.OK, text="none waits, is stuck or failed")

    def _sessions(self, sessions: list[Session], problem: str, verdict: Verdict) -> Finding:
        oldest, more = sessions[0], len(sessions) - 1
        names = f"session {oldest.session_id} {problem.format(age=self._age(oldest.updated_at))}"
        return Finding(
            part="drafts",
            verdict=verdict,
            text=f"{names}{f'; and {more} more' if more else ''}",
            command=f"approvals show {oldest.session_id}",
            values={
                "sessions": [each.session_id for each in sessions],
                "state": oldest.state.value,
                "since": oldest.updated_at,
            },
        )

    def _jobs(self) -> Iterator[Finding]:
        repository = Repository(self._deployed.client("dynamodb"), self._deployed.output("shuttle_table_name"))
        now, found = self._now(), 0
        problems: list[str] = []
        for status, after in ((JobStatus.PROCESSING, LOST_AFTER), (JobStatus.QUEUED, UNUSED_AFTER)):
            jobs = repository.stale_jobs(status, now - after - _SWEEP_GRACE, noting(problems))
            stale: list[JobSummary] = list(islice(jobs, MOST_LISTED))
            if not stale:
                continue
            found += 1
            oldest, more = stale[0], len(stale) - 1
            yield Finding(
                part="jobs",
                verdict=Verdict.ATTENTION,
                text=f"{oldest.job_id} of {oldest.shop_domain} is {status.value} for {self._age(oldest.status_since)}: the "
                f"sweep should have failed it{f'; and {more} more' if more else ''}",
                command="shuttle jobs sweep",
                values={"jobs": [each.job_id for each in stale], "status": status.value, "since": oldest.status_since},
            )
        for problem in problems:
            yield Finding(part="jobs", verdict=Verdict.UNKNOWN, text=problem)
        if not found and not problems:
            yield Finding(part="jobs", verdict=Verdict.OK, text="none is stale")

    def _projects(self) -> Iterator[Finding]:
        watermarks = read_watermarks(self._deployed)
        for project, reached in watermarks.items():
            if reached is None:
                late = not self._is_new("reconciliation", WATERMARK_LATE_AFTER)  # as for schedules
                text = f"{project}: its changes in Jira have not been read yet"
            else:
                late = self._now() - reached > WATERMARK_LATE_AFTER
                text = f"{project}: all changes in Jira up to {self._age(reached)} ago are stored"
            yield Finding(
                part="projects",
                verdict=Verdict.ATTENTION if late else Verdict.OK,
                text=text,
                command=f"reconcile --project {project}" if late else "",
                values={"project": project, "watermark": reached},
            )
        if not watermarks:
            yield Finding(part="projects", verdict=Verdict.OK, text="none is reconciled")

    def _health(self) -> Iterator[Finding]:
        reports = self._lines("health", "health_report", self._now() - timedelta(hours=1))
        report = max(reports, key=lambda line: line.at, default=None)
        checks = report.fields.get("checks") if report else None
        if report is None or not isinstance(checks, dict):
            text = "no report in the last hour; to check now: health"
            yield Finding(part="health", verdict=Verdict.OK, text=text, command="")
            return
        failed = sorted(name for name, result in checks.items() if result == "failed")
        result = f"failed: {', '.join(failed)}" if failed else f"{counted(len(checks), 'check')}, none failed"
        yield Finding(
            part="health",
            verdict=Verdict.ATTENTION if failed else Verdict.OK,
            text=f"{result}, {self._age(report.at)} ago",
            command="health" if failed else "",
            values={"checks": checks, "at": report.at},
        )

    def _lines(self, entry_point: str, message: str, since: datetime) -> list[LogLine]:
        function = {entry_point: self._deployed.function_name(entry_point)}
        return [line for line in search(self._deployed.client("logs"), function, message, since) if line.message == message]

    def _age(self, moment: datetime) -> str:
        return duration(self._now() - moment)


def _attempt(part: str, read: Callable[[], Iterator[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(read())
    except errors.SwitchboardError as error:
        found.append(Finding(part=part, verdict=Verdict.UNKNOWN, text=f"can't be read: {scrub(str(error))}"))
    return found


def _hours(length: timedelta) -> str:
    """A length of time in whole hours, as command line options take it: ``12h``."""
    return f"{max(int(length.total_seconds() // 3600), 1)}h"


def _is_ours(alarm: Mapping[str, Any], topics: list[str]) -> bool:
    """Whether the alarm is of this deployment: it notifies a topic of it or, where the outputs name none, names a command."""
    if topics:
        return bool(set(topics) & set(alarm.get("AlarmActions") or ()))
    return "python -m handlers.cli" in str(alarm.get("AlarmDescription"))
