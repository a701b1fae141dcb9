"""What a request of the AWS API needs: the (action, resource) pairs that IAM checks against the caller's policies.

An operation that is not listed here is an :class:`UnknownOperationError`, and the guard refuses it.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import re
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from stack.local.iam import needs_dynamodb, needs_s3
from stack.local.iam.call import Call, MalformedRequestError, UnknownOperationError, text_of
from stack.local.iam.policy import Access


def needs_of(call: Call) -> list[Access]:
    """Everything that ``call`` needs.

    Raises:
        UnknownOperationError, MalformedRequestError
    """
    readers: dict[str, Callable[[Call], list[Access]]] = {
        "dynamodb": needs_dynamodb.needs_of,
        "s3": needs_s3.needs_of,
        "sqs": _sqs,
        "sns": _sns,
        "secretsmanager": _secrets_manager,
        "lambda": _lambda,
        "logs": _logs,
        "events": _events,
        "sts": _sts,
    }
    if call.service not in readers:
        raise UnknownOperationError(f"{call.service}: {call.headers.get('x-amz-target') or f'{call.method} {call.path}'}")
    return readers[call.service](call)


_SQS_ACTIONS = {
    "SendMessage": "SendMessage",
    "SendMessageBatch": "SendMessage",
    "ReceiveMessage": "ReceiveMessage",
    "DeleteMessage": "DeleteMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibility": "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "GetQueueAttributes": "GetQueueAttributes",
    "PurgeQueue": "PurgeQueue",
}


def _sqs(call: Call) -> list[Access]:
    operation = call.operation()
    if operation == "GetQueueUrl":
        return [Access("sqs:GetQueueUrl", call.arn(text_of(call.parameters(), "QueueName")))]
    if operation not in _SQS_ACTIONS:
        raise UnknownOperationError(f"sqs: {operation}")
    # https://sqs.<region>.amazonaws.com/<account>/<queue>
    parts = urlsplit(text_of(call.parameters(), "QueueUrl")).path.strip("/").split("/")
    if len(parts) != 2:
        raise MalformedRequestError("QueueUrl is not the URL of a queue")
    return [Access(f"sqs:{_SQS_ACTIONS[operation]}", f"arn:aws:sqs:{call.region}:{parts[0]}:{parts[1]}")]


def _sns(call: Call) -> list[Access]:
    form = call.form()
    if form.get("Action") not in {"Publish", "PublishBatch"} or form.get("PhoneNumber"):
        raise UnknownOperationError(f"sns: {form.get('Action')}")
    return [Access("sns:Publish", form.get("TopicArn") or text_of(form, "TargetArn"))]


def _secrets_manager(call: Call) -> list[Access]:
    operation = call.operation()
    if operation not in {"GetSecretValue", "DescribeSecret", "PutSecretValue"}:
        raise UnknownOperationError(f"secretsmanager: {operation}")
    secret = text_of(call.parameters(), "SecretId")
    # A name lacks the six characters at the end of the ARN, so a grant on the ARN does not cover it.
    return [Access(f"secretsmanager:{operation}", secret if secret.startswith("arn:") else call.arn(f"secret:{secret}"))]


_INVOCATION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")


def _lambda(call: Call) -> list[Access]:
    match = _INVOCATION.fullmatch(call.path)
    if match is None or call.method != "POST":
        raise UnknownOperationError(f"lambda: {call.method} {call.path}")
    # A name, an ARN, or `<account>:function:<name>`.
    name = unquote(match[1]).removesuffix(":$LATEST").rpartition("function:")[2]
    qualifier = call.query.get("Qualifier", "")
    return [Access("lambda:InvokeFunction", call.arn(f"function:{name}:{qualifier}" if qualifier else f"function:{name}"))]


def _logs(call: Call) -> list[Access]:
    operation = call.operation()
    if operation not in {"CreateLogStream", "PutLogEvents"}:
        raise UnknownOperationError(f"logs: {operation}")
    parameters = call.parameters()
    group, stream = text_of(parameters, "logGroupName"), text_of(parameters, "logStreamName")
    return [Access(f"logs:{operation}", call.arn(f"log-group:{group}:log-stream:{stream}"))]


def _events(call: Call) -> list[Access]:
    operation = call.operation()
    entries = call.parameters().get("Entries")
    if operation != "PutEvents" or not isinstance(entries, list):
        raise UnknownOperationError(f"events: {operation}")
    buses = {str(entry.get("EventBusName") or "default") for entry in entries if isinstance(entry, dict)}
    if not buses:
        raise MalformedRequestError("there are no entries")
    arns = (bus if bus.startswith("arn:") else call.arn(f"event-bus/{bus}") for bus in sorted(buses))
    return [Access("events:PutEvents", arn) for arn in arns]


def _sts(call: Call) -> list[Access]:
    form = call.form()
    if form.get("Action") == "GetCallerIdentity":
        return []  # needs no permission: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    if form.get("Action") == "AssumeRole":
        return [Access("sts:AssumeRole", text_of(form, "RoleArn"))]
    raise UnknownOperationError(f"sts: {form.get('Action')}")
