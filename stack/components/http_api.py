"""The HTTP API: which route goes to which function, and who may call it. What a route means is its handler's business.

The payload format is 1.0 and the stage ``$default``, because aws-wsgi understands nothing else (docs/adr/0001).
"""

import dataclasses
import enum
import json
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from stack.components.function import Function

TIMEOUT_MILLISECONDS = 30_000
"""The most an HTTP API allows."""

_ACCESS_LOG_FORMAT = {
    "request_id": "$context.requestId",
    "requested_at": "$context.requestTime",
    "source_ip": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "status": "$context.status",
    "latency_ms": "$context.responseLatency",
    "integration_latency_ms": "$context.integrationLatency",
    "integration_error": "$context.integrationErrorMessage",
    "authorizer_error": "$context.authorizer.error",
}


class Authorization(enum.Enum):
    """Who may call a route: anybody (the handler checks a signature, or there is nothing to guard), or an IAM principal."""

    NONE = "NONE"
    AWS_IAM = "AWS_IAM"


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """A way in. ``path`` may end in ``{proxy+}``; ``entry_point`` is the function's module in handlers/."""

    method: str
    path: str
    entry_point: str
    authorization: Authorization

    @property
    def key(self) -> str:
        """The route as API Gateway writes it: ``POST /events``."""
        return f"{self.method} {self.path}"


_SLASH = "/{slash+}"
"""What a sender may put after the path of a route. API Gateway takes no route that ends in a slash, and matches a variable
like this one with the empty rest after a slash too. The function answers 404 to a rest that is not empty."""

ROUTES = (
    Route("POST", "/events", "notification", Authorization.NONE),  # signed: X-Hub-Signature
    Route("POST", "/webhooks/jira", "webhooks", Authorization.NONE),  # signed: X-Hub-Signature
    Route("POST", "/webhooks/commits", "webhooks", Authorization.NONE),  # signed: X-Hub-Signature(-256)
    Route("POST", "/drafts", "approvals", Authorization.AWS_IAM),
    Route("POST", "/slack/interactions", "approvals", Authorization.NONE),  # signed: X-Slack-Signature
    Route("ANY", "/shuttle/{proxy+}", "shuttle", Authorization.AWS_IAM),  # the function itself answers 404 and 405
    Route("GET", "/health", "webhooks", Authorization.NONE),  # unsigned: no AWS call, version and time only
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HttpApi:
    """The API as its users and watchers need it."""

    id: pulumi.Output[str]
    url: pulumi.Output[str]


def create(
    routes: Sequence[Route],
    functions: Mapping[str, Function],
    *,
    log_retention_days: int,
    rate_limit: int,
    burst_limit: int,
) -> HttpApi:
    """Create the API with ``routes``, each to its entry point's function.

    Args:
        routes: what is served.
        functions: by entry point.
        log_retention_days: how long the access log is kept.
        rate_limit: requests a second, on all routes together, beyond which the API answers 429.
        burst_limit: how many more may come at once.

    Raises:
        KeyError: a route leads to a function that is not there.
    """
    api = aws.apigatewayv2.Api("switchboard", protocol_type="HTTP", description="Switchboard")
    integrations = {
        entry_point: aws.apigatewayv2.Integration(
            entry_point,
            api_id=api.id,
            integration_type="AWS_PROXY",
            integration_method="POST",
            integration_uri=functions[entry_point].arn,
            payload_format_version="1.0",
            timeout_milliseconds=TIMEOUT_MILLISECONDS,
        )
        for entry_point in dict.fromkeys(route.entry_point for route in routes)
    }
    for route in with_slashes(routes):
        _create_route(api, route, integrations[route.entry_point], functions[route.entry_point])
    stage = _create_stage(api, log_retention_days, rate_limit=rate_limit, burst_limit=burst_limit)
    # The endpoint answers once the stage stands.
    return HttpApi(id=api.id, url=pulumi.Output.all(api.api_endpoint, stage.id).apply(lambda known: str(known[0]).rstrip("/")))


def with_slashes(routes: Sequence[Route]) -> list[Route]:
    """``routes``, and each POST route again with a slash after its path: to people it is the same URL."""
    again = [dataclasses.replace(route, path=route.path + _SLASH) for route in routes if route.method == "POST"]
    return [*routes, *again]


def invocation_source(execution_arn: str, route: Route) -> str:
    """The ARN by which Lambda knows a call by ``route``: any stage (there is one), this method and this path."""
    path = "/".join("*" if part.startswith("{") else part for part in route.path.split("/"))
    method = "*" if route.method == "ANY" else route.method
    return f"{execution_arn}/*/{method}{path}"


def _create_route(
    api: aws.apigatewayv2.Api, route: Route, integration: aws.apigatewayv2.Integration, function: Function
) -> None:
    name = "-".join([route.method.lower(), *(part.strip("{+}") for part in route.path.split("/") if part)])
    aws.apigatewayv2.Route(
        name,
        api_id=api.id,
        route_key=route.key,
        target=integration.id.apply(lambda id_: f"integrations/{id_}"),
        authorization_type=route.authorization.value,
    )
    aws.lambda_.Permission(
        name,
        action="lambda:InvokeFunction",
        function=function.name,
        principal="apigateway.amazonaws.com",
        source_arn=api.execution_arn.apply(lambda arn: invocation_source(arn, route)),
    )


def _create_stage(
    api: aws.apigatewayv2.Api, log_retention_days: int, *, rate_limit: int, burst_limit: int
) -> aws.apigatewayv2.Stage:
    log_group = aws.cloudwatch.LogGroup("http-access", retention_in_days=log_retention_days)
    return aws.apigatewayv2.Stage(
        "default",
        api_id=api.id,
        name="$default",
        auto_deploy=True,
        access_log_settings={
            "destination_arn": log_group.arn,
            "format": json.dumps(_ACCESS_LOG_FORMAT),
        },
        default_route_settings={"throttling_rate_limit": rate_limit, "throttling_burst_limit": burst_limit},
    )
