"""Log groups, alarms and dashboards."""

from typing import Any

from stack.local.resources.registry import Blueprint, Created, Inputs, creates, pascal, physical_name


@creates("aws:cloudwatch/logGroup:LogGroup")
def _log_group(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs)
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=name)
    if inputs.get("retentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=inputs["retentionInDays"])
    return name, {"name": name, "arn": cloud.arn("logs", f"log-group:{name}")}


@creates("aws:cloudwatch/metricAlarm:MetricAlarm")
def _metric_alarm(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """An alarm; ``stack/local/monitoring`` evaluates it."""
    name = physical_name(cloud, logical, inputs)
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        AlarmDescription=inputs.get("alarmDescription") or "",
        ComparisonOperator=inputs["comparisonOperator"],
        Threshold=float(inputs["threshold"]),
        EvaluationPeriods=inputs["evaluationPeriods"],
        **({"DatapointsToAlarm": inputs["datapointsToAlarm"]} if inputs.get("datapointsToAlarm") else {}),
        TreatMissingData=inputs.get("treatMissingData") or "missing",
        AlarmActions=inputs.get("alarmActions") or [],
        OKActions=inputs.get("okActions") or [],
        **({"Metrics": [_query(each) for each in inputs["metricQueries"]]} if inputs.get("metricQueries") else _metric(inputs)),
    )
    return name, {"name": name, "arn": cloud.arn("cloudwatch", f"alarm:{name}")}


def _metric(inputs: Inputs) -> dict[str, Any]:
    statistic = pascal({key: inputs[key] for key in ("statistic", "extendedStatistic") if inputs.get(key)})
    return {**_name_of(inputs), "Period": inputs["period"], **statistic}


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
def _dashboard(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs, "dashboardName")
    cloud.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=inputs["dashboardBody"])
    arn = f"arn:aws:cloudwatch::{cloud.account_id}:dashboard/{name}"
    return name, {"dashboardName": name, "dashboardArn": arn}
