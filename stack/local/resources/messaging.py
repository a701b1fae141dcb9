"""Queues, topics, event buses and schedules."""

import json
from typing import Any

from stack.local.resources.registry import Blueprint, Created, Inputs, creates, pascal, physical_name


@creates("aws:sqs/queue:Queue")
def _queue(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs)
    values = {
        "VisibilityTimeout": inputs.get("visibilityTimeoutSeconds"),
        "MessageRetentionPeriod": inputs.get("messageRetentionSeconds"),
        "RedrivePolicy": inputs.get("redrivePolicy"),
    }
    attributes = {key: str(value) for key, value in values.items() if value is not None}
    url = cloud.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, {"name": name, "arn": cloud.arn("sqs", name), "url": url}


@creates("aws:sqs/queuePolicy:QueuePolicy")
def _queue_policy(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    cloud.client("sqs").set_queue_attributes(QueueUrl=inputs["queueUrl"], Attributes={"Policy": inputs["policy"]})
    arn = cloud.arn("sqs", str(inputs["queueUrl"]).rpartition("/")[2])
    cloud.resource_policies.append((arn, inputs["policy"]))
    return str(inputs["queueUrl"]), {}


@creates("aws:sns/topic:Topic")
def _topic(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs)
    arn = cloud.client("sns").create_topic(Name=name)["TopicArn"]
    return arn, {"name": name, "arn": arn}


@creates("aws:sns/topicPolicy:TopicPolicy")
def _topic_policy(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    cloud.client("sns").set_topic_attributes(TopicArn=inputs["arn"], AttributeName="Policy", AttributeValue=inputs["policy"])
    cloud.resource_policies.append((inputs["arn"], inputs["policy"]))
    return str(inputs["arn"]), {}


@creates("aws:sns/topicSubscription:TopicSubscription")
def _topic_subscription(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    topic_arn = inputs["topic"]
    answer = cloud.client("sns").subscribe(
        TopicArn=topic_arn, Protocol=inputs["protocol"], Endpoint=inputs["endpoint"], ReturnSubscriptionArn=True
    )
    return answer["SubscriptionArn"], {"arn": answer["SubscriptionArn"]}


@creates("aws:cloudwatch/eventBus:EventBus")
def _event_bus(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs)
    arn = cloud.client("events").create_event_bus(Name=name)["EventBusArn"]
    return name, {"name": name, "arn": arn}


@creates("aws:cloudwatch/eventRule:EventRule")
def _event_rule(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """An EventBridge rule. A bus that the program expects to exist is created."""
    name = physical_name(cloud, logical, inputs)
    bus = inputs.get("eventBusName") or "default"
    events = cloud.client("events")
    if bus not in {existing["Name"] for existing in events.list_event_buses()["EventBuses"]}:
        events.create_event_bus(Name=bus)
    arn = events.put_rule(Name=name, EventBusName=bus, EventPattern=inputs["eventPattern"])["RuleArn"]
    return f"{bus}/{name}", {"name": name, "arn": arn}


@creates("aws:cloudwatch/eventTarget:EventTarget")
def _event_target(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    target: dict[str, Any] = {"Id": inputs.get("targetId") or logical, "Arn": inputs["arn"]}
    target |= pascal({key: inputs[key] for key in ("retryPolicy", "deadLetterConfig") if inputs.get(key)})
    cloud.client("events").put_targets(
        Rule=inputs["rule"], EventBusName=inputs.get("eventBusName") or "default", Targets=[target]
    )
    return f"{inputs['rule']}-{target['Id']}", {"targetId": target["Id"]}


@creates("aws:scheduler/scheduleGroup:ScheduleGroup")
def _schedule_group(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs)
    arn = cloud.client("scheduler").create_schedule_group(Name=name)["ScheduleGroupArn"]
    return name, {"name": name, "arn": arn}


@creates("aws:scheduler/schedule:Schedule")
def _schedule(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """An EventBridge Scheduler schedule; it runs with ``up --schedules``."""
    name = physical_name(cloud, logical, inputs)
    target, group = inputs["target"], inputs.get("groupName") or "default"
    arn = cloud.client("scheduler").create_schedule(
        Name=name,
        GroupName=group,
        ScheduleExpression=inputs["scheduleExpression"],
        ScheduleExpressionTimezone=inputs.get("scheduleExpressionTimezone", "UTC"),
        FlexibleTimeWindow={"Mode": inputs["flexibleTimeWindow"]["mode"]},
        State=inputs.get("state", "ENABLED"),
        Target={"Arn": target["arn"], "RoleArn": target["roleArn"], "Input": target.get("input") or json.dumps({})},
    )["ScheduleArn"]
    return f"{group}/{name}", {"name": name, "arn": arn}
