"""CloudWatch's API for metrics: moto's ignores the namespace, sorts dimensions wrongly, and has no percentiles or metric math.

Its handlers parse the requests; the values are in a :class:`~stack.local.monitoring.store.MetricStore` instead of moto's list.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from stack.local.monitoring import expressions
from stack.local.monitoring.store import MINUTE, MetricKey, Sample, UnsupportedStatisticError, Values, store_of

MAX_DATAPOINTS = 100_800
"""The limit of a request: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""

_new_alarm: Callable[..., None] = Alarm.__init__


def patch() -> None:
    """Replace moto's methods. Calling it again changes nothing."""
    for owner, name, replacement in (
        (Alarm, "__init__", _start_without_data),
        (CloudWatchBackend, "put_metric_data", _put_metric_data),
        (CloudWatchBackend, "get_metric_data", _get_metric_data),
        (CloudWatchBackend, "get_filtered_metrics", _list_metrics),
        (CloudWatchResponse, "get_metric_statistics", _get_metric_statistics),
        (CloudWatchResponse, "describe_alarms", _describe_alarms),
    ):
        setattr(owner, name, replacement)


def _start_without_data(alarm: Any, *args: Any, **options: Any) -> None:
    """Give a new alarm the state INSUFFICIENT_DATA; moto gives it OK."""
    _new_alarm(alarm, *args, **options)
    alarm.state_value = "INSUFFICIENT_DATA"


def _put_metric_data(backend: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    for number, datum in enumerate(metric_data, 1):
        backend._validate_parameters_put_metric_data(datum, number)
    store = store_of(backend)
    for datum in metric_data:
        metric = MetricKey.of(namespace, datum["MetricName"], _dimensions(datum.get("Dimensions")))
        at, unit = _epoch(datum.get("Timestamp") or datetime.now(UTC)), datum.get("Unit") or "None"
        if statistics := datum.get("StatisticValues"):
            count, total, low, high = (float(statistics[each]) for each in ("SampleCount", "Sum", "Minimum", "Maximum"))
            store.merge(metric, at, Values(count, total, low, high, unit))
            continue
        values = datum.get("Values") or [datum.get("Value", 0)]
        counts = datum.get("Counts") or [1] * len(values)
        pairs = zip(values, counts, strict=True)
        store.add([Sample(metric, float(value), at, unit, float(count)) for value, count in pairs])


def _get_metric_data(
    backend: Any, queries: list[dict[str, Any]], start_time: datetime, end_time: datetime, scan_by: str = ""
) -> list[dict[str, Any]]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""
    if start_time >= end_time:
        raise ValidationError("The parameter StartTime must be less than the parameter EndTime.")
    stats = {query["Id"]: query["MetricStat"] for query in queries if "MetricStat" in query}
    periods = {int(stat["Period"]) for stat in stats.values()} or {int(queries[0].get("Period") or MINUTE)}
    series: dict[str, tuple[list[int], expressions.Series]] = {}
    for id_, stat in stats.items():
        starts = _starts(start_time, end_time, int(stat["Period"]))
        series[id_] = starts, [_statistic(backend, stat, start) for start in starts]
    for query in queries:
        if "MetricStat" not in query:
            starts = _starts(start_time, end_time, max(periods))
            known = {id_: values for id_, (of_metric, values) in series.items() if of_metric == starts}
            try:
                series[query["Id"]] = starts, expressions.evaluate(query["Expression"], known, starts)
            except expressions.ExpressionError as error:
                raise ValidationError(f"Error in expression '{query['Id']}': {error}") from error
    returned = [query for query in queries if query.get("ReturnData", True)]
    return [_result(query, *series[query["Id"]], newest_first=scan_by != "TimestampAscending") for query in returned]


def _result(query: Mapping[str, Any], starts: list[int], values: expressions.Series, *, newest_first: bool) -> dict[str, Any]:
    points = [(start, value) for start, value in zip(starts, values, strict=True) if value is not None]
    if newest_first:
        points.reverse()
    label = query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"]
    return {
        "id": query["Id"],
        "label": query.get("Label") or label,
        "values": [value for _, value in points],
        "timestamps": [datetime.fromtimestamp(start, UTC) for start, _ in points],
        "status_code": "Complete",
    }


def _statistic(backend: Any, stat: Mapping[str, Any], start: int) -> float | None:
    named = stat["Metric"]
    metric = MetricKey.of(named["Namespace"], named["MetricName"], _dimensions(named.get("Dimensions")))
    try:
        return store_of(backend).period(metric, start, int(stat["Period"]), stat.get("Unit") or "").statistic(stat["Stat"])
    except UnsupportedStatisticError as error:
        raise ValidationError(str(error)) from error


def _get_metric_statistics(response: Any) -> ActionResult:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html"""
    param = response._get_param
    statistics, extended = param("Statistics", []), param("ExtendedStatistics") or []
    if not statistics and not extended:
        raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
    period, unit = int(param("Period")), param("Unit") or ""
    if param("StartTime") >= param("EndTime"):
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    metric = MetricKey.of(param("Namespace"), param("MetricName"), _dimensions(param("Dimensions", [])))
    store, datapoints = store_of(response.cloudwatch_backend), []
    for start in _starts(param("StartTime"), param("EndTime"), period):
        values = store.period(metric, start, period, unit)
        if not values.count:
            continue
        point: dict[str, Any] = {"Timestamp": datetime.fromtimestamp(start, UTC), "Unit": values.unit}
        try:
            point |= {name: values.statistic(name) for name in statistics}
            if extended:
                point["ExtendedStatistics"] = {name: values.statistic(name) for name in extended}
        except UnsupportedStatisticError as error:
            raise InvalidParameterValue(str(error)) from error
        datapoints.append(point)
    return ActionResult({"Label": metric.name, "Datapoints": datapoints})


def _list_metrics(backend: Any, metric_name: str, namespace: str, dimensions: Iterable[Mapping[str, str]]) -> list[Any]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html: a filter may lack the value."""
    wanted = [(each["Name"], each.get("Value")) for each in dimensions]
    return [
        {
            "Namespace": metric.namespace,
            "MetricName": metric.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
        }
        for metric in store_of(backend).metrics()
        if namespace in {None, metric.namespace} and metric_name in {None, metric.name}
        and all(any(name == given and value in {None, has} for given, has in metric.dimensions) for name, value in wanted)
    ]  # fmt: skip


def _describe_alarms(response: Any) -> ActionResult:
    """moto applies one filter only.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    """
    param = response._get_param
    names, prefix, action = param("AlarmNames", []), param("AlarmNamePrefix") or "", param("ActionPrefix") or ""
    kinds = param("AlarmTypes", []) or ["MetricAlarm"]
    found = [
        alarm
        for alarm in list(response.cloudwatch_backend.alarms.values())
        if (not names or alarm.name in names) and alarm.name.startswith(prefix)
        and param("StateValue") in {None, alarm.state_value}
        and (not action or any(arn.startswith(action) for arn in alarm.alarm_actions))
    ]  # fmt: skip
    return ActionResult(
        {
            "MetricAlarms": [alarm for alarm in found if alarm.rule is None and "MetricAlarm" in kinds],
            "CompositeAlarms": [alarm for alarm in found if alarm.rule is not None and "CompositeAlarm" in kinds],
        }
    )


def _starts(start_time: datetime, end_time: datetime, period: int) -> list[int]:
    """When the periods of a request start: CloudWatch rounds the start down to a whole minute."""
    if period < 1:
        raise ValidationError("The parameter Period must be greater than 0.")
    first, end = int(_epoch(start_time)) // MINUTE * MINUTE, math.ceil(_epoch(end_time))
    step = max(period, MINUTE)  # at standard resolution, nothing is finer
    if (end - first) / step > MAX_DATAPOINTS:
        raise ValidationError(f"You have requested up to {(end - first) // step} datapoints, which exceeds the limit.")
    return list(range(first, end, step))


def _dimensions(given: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in given or ()}


def _epoch(moment: datetime) -> float:
    """moto's times have no zone and are in UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
