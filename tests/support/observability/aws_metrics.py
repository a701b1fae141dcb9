"""The metrics that an alarm or a graph may name: those of AWS's resources, and those that the code writes."""

from tests.support.observability.emitted_metrics import METRICS
from tests.support.project.pulumi_graph import Graph

ALARM, FUNCTION = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:lambda/function:Function"
# Metrics that AWS writes, by namespace, and the type of resource that their dimension names. Sources:
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
AWS_METRICS = {
    "AWS/Lambda": (
        "FunctionName",
        "aws:lambda/function:Function",
        {"Invocations", "Errors", "Throttles", "Duration", "DestinationDeliveryFailures", "RecursiveInvocationsDropped"},
    ),
    "AWS/SQS": ("QueueName", "aws:sqs/queue:Queue", {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"}),
    "AWS/DynamoDB": (
        "TableName",
        "aws:dynamodb/table:Table",
        {"ReadThrottleEvents", "WriteThrottleEvents", "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"},
    ),
}


def check_metric(graph: Graph, namespace: str, name: str, dimensions: dict[str, str]) -> None:
    """Fail unless something in the graph, or the code, writes this metric with these dimensions."""
    if namespace == "Switchboard":
        assert dimensions["service"] in METRICS[name].writers
        assert dimensions.keys() == {"service", *METRICS[name].dimensions}
        assert dimensions["service"] in {function.name for function in graph.all(FUNCTION)}
    elif namespace == "AWS/ApiGateway":
        assert name in {"Count", "4xx", "5xx"}
        assert dimensions == {"ApiId": f"{graph.one('aws:apigatewayv2/api:Api').outputs['name']}-id"}
    else:
        dimension, type_, names = AWS_METRICS[namespace]
        assert name in names
        if (index := dimensions.get("GlobalSecondaryIndexName")) is not None:
            dimensions = {name: value for name, value in dimensions.items() if name != "GlobalSecondaryIndexName"}
            table = next(each for each in graph.all(type_) if each.outputs["name"] == dimensions["TableName"])
            assert index in {each["name"] for each in table.inputs["globalSecondaryIndexes"]}
        assert dimensions.keys() == {dimension}
        assert dimensions[dimension] in {resource.outputs["name"] for resource in graph.all(type_)}
