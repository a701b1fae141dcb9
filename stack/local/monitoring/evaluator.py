"""Evaluates the alarms that moto stores, and publishes each change of a state to the topics of the alarm."""

import functools
import json
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import botocore.session
from moto.cloudwatch.models import CloudWatchBackend

from stack.local.errors import StartError
from stack.local.iam.services import MayDo
from stack.local.monitoring.alarms import Rule, State, UnsupportedAlarmError, Verdict, evaluate
from stack.local.monitoring.aws_metrics import QueueMetrics
from stack.local.monitoring.store import MINUTE, MetricKey, MetricStore

CHECK_SECONDS = 5.0
"""AWS evaluates an alarm once per minute."""
_SERVICE = "cloudwatch.amazonaws.com"
_moto_set_alarm_state: Callable[..., None] = CloudWatchBackend.set_alarm_state

Publish = Callable[[str, str, str], None]
"""Publishes to a topic: its ARN, the subject and the message."""


class AlarmEvaluator:
    """One thread that evaluates the alarms of a local cloud.

    Args:
        backend: moto's CloudWatch backend.
        store: the metrics.
        queues: samples the queues before each evaluation.
        publish: publishes to a topic.
        may: whether CloudWatch may publish to it.
        now: epoch seconds.

    Raises:
        StartError: an alarm can't be evaluated.
    """

    def __init__(
        self,
        backend: Any,
        store: MetricStore,
        queues: QueueMetrics,
        *,
        publish: Publish,
        may: MayDo,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._backend = backend
        self._store = store
        self._queues = queues
        self._publish = publish
        self._may = may
        self._now = now
        self._seen: object = None
        self._checking = threading.Lock()
        for alarm in list(backend.alarms.values()):
            try:
                rule_of(alarm)
            except UnsupportedAlarmError as error:
                raise StartError(f"The alarm {alarm.name} can't be evaluated: {error}.") from error
        self._connect()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and restore moto's method."""
        self.stop_thread()
        setattr(CloudWatchBackend, "set_alarm_state", _moto_set_alarm_state)  # noqa: B010 (a method, for the type checker)

    def stop_thread(self) -> None:
        """Evaluate only on :meth:`check` from now on."""
        self._stop.set()
        self._thread.join(timeout=5)

    def check(self) -> None:
        """Sample the queues, then evaluate every alarm if a metric, an alarm or the minute has changed since the last time."""
        with self._checking:
            self._check(self._now())

    def states_after(self, seconds: float) -> dict[str, str]:
        """Check; returns the state that each alarm will have in ``seconds`` if no metric gets another value until then."""
        self.check()
        then = self._now() + seconds
        alarms = list(self._backend.alarms.values())
        return {alarm.name: self._verdict(alarm, then, State(alarm.state_value)).state.value for alarm in alarms}

    def _check(self, now: float) -> None:
        self._queues.sample(now)
        alarms = list(self._backend.alarms.values())
        seen = (self._store.version, int(now) // MINUTE, [(id(alarm), alarm.state_updated_timestamp) for alarm in alarms])
        if seen == self._seen:
            return
        for alarm in alarms:
            state = State(alarm.state_value)
            verdict = self._verdict(alarm, now, state)
            if verdict.state is not state:
                self._backend.set_alarm_state(alarm.name, verdict.reason, verdict.reason_data, verdict.state.value)
        self._seen = (*seen[:2], [(id(alarm), alarm.state_updated_timestamp) for alarm in alarms])

    def _verdict(self, alarm: Any, now: float, state: State) -> Verdict:
        try:
            return evaluate(rule_of(alarm), self._store, now, state)
        except UnsupportedAlarmError as error:
            return Verdict(State.INSUFFICIENT_DATA, f"Not evaluated: {error}", "{}")

    def _run(self) -> None:
        while True:
            try:
                self.check()
            except Exception as error:  # the next check may succeed
                print(f"local cloud: the alarms could not be evaluated: {error!r}", file=sys.stderr)
            if self._stop.wait(CHECK_SECONDS):
                return

    def _connect(self) -> None:
        """Publish every change of a state, also those that a caller of SetAlarmState makes."""

        def set_alarm_state(backend: Any, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
            before = backend.alarms[alarm_name].state_value if alarm_name in backend.alarms else ""
            _moto_set_alarm_state(backend, alarm_name, reason, reason_data, state_value)
            if backend is self._backend and before != state_value:
                self._notify(backend.alarms[alarm_name], before)

        setattr(CloudWatchBackend, "set_alarm_state", set_alarm_state)  # noqa: B010

    def _notify(self, alarm: Any, before: str) -> None:
        if not alarm.actions_enabled:
            return
        region = _region_name(alarm.region_name)
        subject = f'{alarm.state_value}: "{alarm.name}" in {region}'[:100]
        actions = {"OK": alarm.ok_actions, "ALARM": alarm.alarm_actions}.get(alarm.state_value, alarm.insufficient_data_actions)
        for topic_arn in actions:
            if not self._may(_SERVICE, "sns:Publish", topic_arn, alarm.alarm_arn):
                continue
            try:
                self._publish(topic_arn, subject, json.dumps(message_of(alarm, before, region)))
            except Exception as error:  # the other alarms must be evaluated
                print(f"local cloud: the alarm {alarm.name} could not notify {topic_arn}: {error!r}", file=sys.stderr)


def rule_of(alarm: Any) -> Rule:
    """When an alarm of moto is raised.

    Raises:
        UnsupportedAlarmError: it can't be evaluated.
    """
    if alarm.rule is not None or alarm.threshold is None:
        raise UnsupportedAlarmError("the local cloud evaluates no composite alarms and no bands")
    queries = alarm.metric_data_queries
    if queries:
        stats = {query.id: query.metric_stat for query in queries if query.metric_stat}
        metrics = {id_: (_key(stat.metric), str(stat.stat)) for id_, stat in stats.items()}
        periods = {int(stat.period) for stat in stats.values()}
        results = [query.expression or query.id for query in queries if query.return_data in {True, "true", None}]
        if len(results) != 1 or len(periods) != 1 or any(stat.unit for stat in stats.values()):
            raise UnsupportedAlarmError("it does not have one result and one period, or it has a unit")
        [expression], [period] = results, periods
    else:
        if alarm.unit:
            raise UnsupportedAlarmError("it is on a unit")
        key = MetricKey.of(alarm.namespace, alarm.metric_name, {each.name: each.value for each in alarm.dimensions})
        metrics, expression = {"m0": (key, str(alarm.extended_statistic or alarm.statistic))}, "m0"
        period = int(alarm.period)
    return Rule(
        metrics=metrics,
        expression=expression,
        period_seconds=period,
        periods=int(alarm.evaluation_periods),
        datapoints=int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        missing=alarm.treat_missing_data or "missing",
    )


def _key(metric: Any) -> MetricKey:
    return MetricKey.of(metric.namespace, metric.metric_name, {each.name: each.value for each in metric.dimensions})


def message_of(alarm: Any, before: str, region: str) -> dict[str, Any]:
    """What CloudWatch publishes about an alarm that was in the state ``before``.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    trigger: dict[str, Any] = {
        "EvaluationPeriods": int(alarm.evaluation_periods),
        "DatapointsToAlarm": int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing_data or "",
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
    }
    if alarm.metric_data_queries:
        trigger["Metrics"] = [_query(query) for query in alarm.metric_data_queries]
    else:
        trigger |= _named(alarm) | {"Unit": alarm.unit, "Period": int(alarm.period)}
        trigger |= {"StatisticType": "Statistic", "Statistic": alarm.statistic.upper()} if alarm.statistic else {}
        if alarm.extended_statistic:
            trigger |= {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": alarm.extended_statistic}
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": alarm.alarm_arn.split(":")[4],
        "AlarmConfigurationUpdatedTimestamp": _time(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": _time(alarm.state_updated_timestamp),
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": trigger,
    }


def _query(query: Any) -> dict[str, Any]:
    if not query.metric_stat:
        return {"Expression": query.expression, "Id": query.id, "Label": query.label, "ReturnData": bool(query.return_data)}
    stat = query.metric_stat
    of_metric = {"Metric": _named(stat.metric), "Period": int(stat.period), "Stat": stat.stat}
    return {"Id": query.id, "MetricStat": of_metric, "ReturnData": bool(query.return_data)}


def _named(metric: Any) -> dict[str, Any]:
    dimensions = [{"value": each.value, "name": each.name} for each in metric.dimensions]
    return {"MetricName": metric.metric_name, "Namespace": metric.namespace, "Dimensions": dimensions}


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


@functools.lru_cache
def _region_name(region: str) -> str:
    """The region's name in the AWS console: ``US West (Oregon)``."""
    partitions = botocore.session.get_session().get_data("endpoints")["partitions"]
    names = (partition["regions"][region]["description"] for partition in partitions if region in partition["regions"])
    return str(next(names, region))
