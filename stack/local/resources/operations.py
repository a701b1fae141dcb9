"""Log groups, alarms and dashboards."""

from typing import Any

from stack.local.resources.registry import Blueprint, Created, Inputs, creates, physical_name


@creates("aws:cloudwatch/logGroup:LogGroup")
def log_group(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """A log group."""
    name = physical_name(logical, inputs)
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=name)
    if inputs.get("retentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=inputs["retentionInDays"])
    return name, {"name": name, "arn": cloud.arn("logs", f"log-group:{name}")}


@creates("aws:cloudwatch/metricAlarm:MetricAlarm")
def metric_alarm(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """An alarm; the local cloud does not evaluate it."""
    name = physical_name(logical, inputs)
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        AlarmDescription=inputs.get("alarmDescription") or "",
        ComparisonOperator=inputs["comparisonOperator"],
        Threshold=float(inputs["threshold"]),
        EvaluationPeriods=inputs["evaluationPeriods"],
        TreatMissingData=inputs.get("treatMissingData") or "missing",
        AlarmActions=inputs.get("alarmActions") or [],
        OKActions=inputs.get("okActions") or [],
        **(_queries(inputs["metricQueries"]) if inputs.get("metricQueries") else _metric(inputs)),
    )
    return name, {"name": name, "arn": cloud.arn("cloudwatch", f"alarm:{name}")}


def _metric(inputs: Inputs) -> dict[str, Any]:
    kind = "statistic" if inputs.get("statistic") else "extendedStatistic"
    statistic = {kind[0].upper() + kind[1:]: inputs[kind]}
    return {**_name_of(inputs), "Period": inputs["period"], **statistic}


def _queries(queries: list[Inputs]) -> dict[str, Any]:
    return {"Metrics": [_query(each) for each in queries]}


def _query(query: Inputs) -> dict[str, Any]:
    if "metric" not in query:
        return {"Id": query["id"], "Expression": query["expression"], "ReturnData": bool(query.get("returnData"))}
    metric = query["metric"]
    stat = {"Metric": _name_of(metric), "Period": metric["period"], "Stat": metric["stat"]}
    return {"Id": query["id"], "MetricStat": stat, "ReturnData": bool(query.get("returnData"))}


def _name_of(metric: Inputs) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in (metric.get("dimensions") or {}).items()]
    return {"Namespace": metric["namespace"], "MetricName": metric["metricName"], "Dimensions": dimensions}


@creates("aws:cloudwatch/dashboard:Dashboard")
def dashboard(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """A dashboard."""
    name = physical_name(logical, inputs, "dashboardName")
    cloud.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=inputs["dashboardBody"])
    arn = f"arn:aws:cloudwatch::{cloud.account_id}:dashboard/{name}"
    return name, {"dashboardName": name, "dashboardArn": arn}
