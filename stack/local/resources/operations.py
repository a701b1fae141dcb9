"""Log groups, alarms and dashboards."""

from stack.local.resources.registry import Blueprint, Created, Inputs, creates, physical_name


@creates("aws:cloudwatch/logGroup:LogGroup")
def log_group(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """A log group."""
    name = physical_name(logical, inputs)
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=name)
    if inputs.get("retentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(inputs["retentionInDays"]))
    return name, {"name": name, "arn": cloud.arn("logs", f"log-group:{name}")}


@creates("aws:cloudwatch/logMetricFilter:LogMetricFilter")
def log_metric_filter(_: Blueprint, logical: str, inputs: Inputs) -> Created:
    """A metric made of log lines: noted by Pulumi, not made in moto."""
    return physical_name(logical, inputs), {}


@creates("aws:cloudwatch/metricAlarm:MetricAlarm")
def metric_alarm(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """An alarm, in moto for a look at it: nothing evaluates it on a laptop."""
    name = physical_name(logical, inputs)
    statistic = (
        {"Statistic": inputs["statistic"]} if inputs.get("statistic") else {"ExtendedStatistic": inputs["extendedStatistic"]}
    )
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        AlarmDescription=inputs.get("alarmDescription") or "",
        Namespace=inputs["namespace"],
        MetricName=inputs["metricName"],
        Dimensions=[{"Name": key, "Value": value} for key, value in (inputs.get("dimensions") or {}).items()],
        ComparisonOperator=inputs["comparisonOperator"],
        Threshold=float(inputs["threshold"]),
        Period=int(inputs["period"]),
        EvaluationPeriods=int(inputs["evaluationPeriods"]),
        TreatMissingData=inputs.get("treatMissingData") or "missing",
        AlarmActions=inputs.get("alarmActions") or [],
        OKActions=inputs.get("okActions") or [],
        **statistic,
    )
    return name, {"name": name, "arn": cloud.arn("cloudwatch", f"alarm:{name}")}


@creates("aws:cloudwatch/compositeAlarm:CompositeAlarm")
def composite_alarm(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """An alarm over alarms: noted by Pulumi, not evaluated on a laptop."""
    name = physical_name(logical, inputs, "alarmName")
    return name, {"alarmName": name, "arn": cloud.arn("cloudwatch", f"alarm:{name}")}


@creates("aws:cloudwatch/dashboard:Dashboard")
def dashboard(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """A dashboard, in moto for a look at its body."""
    name = physical_name(logical, inputs, "dashboardName")
    cloud.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=inputs["dashboardBody"])
    arn = f"arn:aws:cloudwatch::{cloud.account_id}:dashboard/{name}"
    return name, {"dashboardName": name, "dashboardArn": arn}
