"""A signed request of the AWS API: the parts that decide which permissions it needs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "sqs": "AmazonSQS",
    "secretsmanager": "secretsmanager",
    "logs": "Logs_20140328",
    "events": "AWSEvents",
}
"""What ``X-Amz-Target`` starts with, by the signing name of a service with a JSON protocol."""


class UnknownOperationError(LookupError):
    """The needs of the operation, which the text names, are unknown."""


class MalformedRequestError(ValueError):
    """The request can't be read, so its needs are unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A signed request.

    Attributes:
        service: the signing name of the service in its signature.
        region: the region in its signature.
        account_id: the account of the local cloud.
        method: of HTTP.
        path: decoded.
        query: decoded; the last of repeated names.
        headers: names in lower case.
        read_body: reads the body, which can be read again.
        hash_key: the partition key's attribute of a DynamoDB table or index, by its ARN; None if it does not exist.
    """

    service: str
    region: str
    account_id: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    read_body: Callable[[], bytes]
    hash_key: Callable[[str], str | None] = lambda _: None

    def arn(self, resource: str, service: str = "") -> str:
        """An ARN of this account and region."""
        return f"arn:aws:{service or self.service}:{self.region}:{self.account_id}:{resource}"

    def operation(self) -> str:
        """The operation in ``X-Amz-Target`` (JSON protocols)."""
        prefix, _, name = self.headers.get("x-amz-target", "").partition(".")
        if self.method != "POST" or self.path != "/" or prefix != TARGETS.get(self.service):
            raise UnknownOperationError(f"{self.service}: {self.method} {self.path} ({prefix or 'no target'})")
        return name

    def parameters(self) -> dict[str, Any]:
        """The JSON object of the body."""
        try:
            parameters = json.loads(self.read_body() or b"{}")
        except (ValueError, RecursionError):
            parameters = None
        if not isinstance(parameters, dict):
            raise MalformedRequestError("the body is not a JSON object")
        return parameters

    def form(self) -> dict[str, str]:
        """The fields of a form body (Query protocol)."""
        if self.method != "POST" or self.path != "/" or self.query or "x-amz-target" in self.headers:
            raise UnknownOperationError(f"{self.service}: {self.method} {self.path}")
        return dict(parse_qsl(self.read_body().decode("utf-8", "replace"), keep_blank_values=True))


def text_of(parameters: Mapping[str, Any], name: str) -> str:
    """A required parameter."""
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedRequestError(f"{name} is missing")
    return value
