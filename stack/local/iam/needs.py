"""What a request of the AWS API needs: the (action, resource) pairs that IAM asks the caller's policies about.

Only operations that are known here have needs. Any other is an :class:`UnknownOperationError`, and the guard refuses it:
what nobody mapped, nobody granted. The pairs are those of
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from stack.local.iam.policy import Access


class UnknownOperationError(LookupError):
    """The request is of an operation whose needs are not known here. The text names it."""


class MalformedRequestError(ValueError):
    """The request can't be read, so that nobody can say what it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A signed request as far as its needs depend on it.

    Attributes:
        service: the service that the signature is for, by its signing name.
        region: the same.
        account_id: the account that everything is in.
        method: of HTTP.
        path: decoded.
        query: decoded; the last of repeated names.
        headers: names in lower case.
        read_body: reads the body, which stays there to be read again.
    """

    service: str
    region: str
    account_id: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    read_body: Callable[[], bytes]

    def arn(self, resource: str, service: str = "") -> str:
        """An ARN of this account and region."""
        return f"arn:aws:{service or self.service}:{self.region}:{self.account_id}:{resource}"

    def operation(self) -> str:
        """The name that ``X-Amz-Target`` (JSON protocols) has after its point."""
        prefix, _, name = self.headers.get("x-amz-target", "").partition(".")
        if self.method != "POST" or self.path != "/" or prefix != _TARGETS.get(self.service):
            raise UnknownOperationError(f"{self.service}: {self.method} {self.path} ({prefix or 'no target'})")
        return name

    def parameters(self) -> dict[str, Any]:
        """The JSON object of the body."""
        try:
            parameters = json.loads(self.read_body() or b"{}")
        except (ValueError, RecursionError):
            parameters = None
        if not isinstance(parameters, dict):
            raise MalformedRequestError("the body is no JSON object")
        return parameters

    def form(self) -> dict[str, str]:
        """The fields of a form body (Query protocol)."""
        if self.method != "POST" or self.path != "/" or self.query or "x-amz-target" in self.headers:
            raise UnknownOperationError(f"{self.service}: {self.method} {self.path}")
        return dict(parse_qsl(self.read_body().decode("utf-8", "replace"), keep_blank_values=True))


def needs_of(call: Call) -> list[Access]:
    """What ``call`` needs, all of it.

    Raises:
        UnknownOperationError, MalformedRequestError
    """
    from stack.local.iam import needs_dynamodb, needs_s3  # noqa: PLC0415 (they use this module's names)

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


def text_of(parameters: Mapping[str, Any], name: str) -> str:
    """A parameter that must be there."""
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedRequestError(f"{name} is missing")
    return value


_TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "sqs": "AmazonSQS",
    "secretsmanager": "secretsmanager",
    "logs": "Logs_20140328",
    "events": "AWSEvents",
}

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
        raise MalformedRequestError("QueueUrl names no queue")
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
    # A name alone lacks the six characters at the end of the ARN, so that a grant on the ARN does not cover it.
    return [Access(f"secretsmanager:{operation}", secret if secret.startswith("arn:") else call.arn(f"secret:{secret}"))]


_INVOCATION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")


def _lambda(call: Call) -> list[Access]:
    match = _INVOCATION.fullmatch(call.path)
    if match is None or call.method != "POST" or "Qualifier" in call.query:
        raise UnknownOperationError(f"lambda: {call.method} {call.path}")
    # A name, an ARN, or `<account>:function:<name>`.
    name = unquote(match[1]).removesuffix(":$LATEST").rpartition("function:")[2]
    return [Access("lambda:InvokeFunction", call.arn(f"function:{name}"))]


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
