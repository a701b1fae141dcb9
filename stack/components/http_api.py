"""The HTTP API: which route invokes which function, and who may call it.

The payload format is 1.0 and the stage is ``$default``, because aws-wsgi supports nothing else (docs/adr/0001).
"""

import dataclasses
import enum
import json
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from stack.components.component import Component
from stack.components.function import Function

TIMEOUT_MILLISECONDS = 30_000
"""The most that an HTTP API allows."""

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
    """A route. ``path`` may end in ``{proxy+}``; ``entry_point`` is the function's module in handlers/."""

    method: str
    path: str
    entry_point: str
    authorization: Authorization

    @property
    def key(self) -> str:
        """The route as API Gateway writes it: ``POST /events``."""
        return f"{self.method} {self.path}"

    @property
    def logical_name(self) -> str:
        """The name of its resources: ``post-events``."""
        return "-".join([self.method.lower(), *(part.strip("{+}") for part in self.path.split("/") if part)])


_SLASH = "/{slash+}"
"""Appended to the path of a route, so that a trailing slash is accepted. API Gateway allows no route that ends in a slash, but
matches this variable with nothing after the slash too. The function answers 404 to anything else after it."""

ROUTES = (
    Route("POST", "/events", "notification", Authorization.NONE),  # signed: X-Hub-Signature
    Route("POST", "/webhooks/jira", "webhooks", Authorization.NONE),  # signed: X-Hub-Signature
    Route("POST", "/webhooks/commits", "webhooks", Authorization.NONE),  # signed: X-Hub-Signature(-256)
    Route("POST", "/drafts", "approvals", Authorization.AWS_IAM),
    Route("POST", "/slack/interactions", "approvals", Authorization.NONE),  # signed: X-Slack-Signature
    Route("ANY", "/shuttle/{proxy+}", "shuttle", Authorization.AWS_IAM),  # the function itself answers 404 and 405
    Route("GET", "/health", "webhooks", Authorization.NONE),  # unsigned: no AWS call, version and time only
)


class HttpApi(Component):
    """The API, as its users and the monitoring see it.

    Attributes:
        api_id: its ID, a dimension of its metrics.
        url: where it is served, without a slash at the end.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        functions: Mapping[str, Function],
        *,
        log_retention_days: int,
        rate_limit: int,
        burst_limit: int,
    ) -> None:
        """Create the API with ``routes``, each to the function of its entry point.

        Args:
            routes: what is served.
            functions: by entry point.
            log_retention_days: how long the access log is kept.
            rate_limit: requests per second, over all routes, above which the API answers 429.
            burst_limit: how many may arrive at once, beyond the rate.

        Raises:
            KeyError: the function of a route does not exist.
        """
        super().__init__("http-api")
        api = aws.apigatewayv2.Api("switchboard", protocol_type="HTTP", description="Switchboard", opts=self.child())
        slashed = with_slashes(routes)
        permissions = [self._permit(api, route, functions[route.entry_point]) for route in slashed]
        integrations = {
            entry_point: aws.apigatewayv2.Integration(
                entry_point,
                api_id=api.id,
                integration_type="AWS_PROXY",
                integration_method="POST",
                integration_uri=functions[entry_point].live_arn,
                payload_format_version="1.0",
                timeout_milliseconds=TIMEOUT_MILLISECONDS,
                # An update permits the invocation before a route uses it.
                opts=self.child(depends_on=permissions),
            )
            for entry_point in dict.fromkeys(route.entry_point for route in routes)
        }
        for route in slashed:
            self._create_route(api, route, integrations[route.entry_point])
        log_group = aws.cloudwatch.LogGroup("http-access", retention_in_days=log_retention_days, opts=self.child())
        stage = aws.apigatewayv2.Stage(
            "default",
            api_id=api.id,
            name="$default",
            auto_deploy=True,
            access_log_settings={"destination_arn": log_group.arn, "format": json.dumps(_ACCESS_LOG_FORMAT)},
            default_route_settings={"throttling_rate_limit": rate_limit, "throttling_burst_limit": burst_limit},
            opts=self.child(),
        )
        self.api_id = api.id
        # The endpoint answers once the stage exists.
        self.url = pulumi.Output.all(api.api_endpoint, stage.id).apply(lambda known: str(known[0]).rstrip("/"))
        self.register_outputs({"url": self.url})

    def _create_route(self, api: aws.apigatewayv2.Api, route: Route, integration: aws.apigatewayv2.Integration) -> None:
        aws.apigatewayv2.Route(
            route.logical_name,
            api_id=api.id,
            route_key=route.key,
            target=integration.id.apply(lambda id_: f"integrations/{id_}"),
            authorization_type=route.authorization.value,
            opts=self.child(),
        )

    def _permit(self, api: aws.apigatewayv2.Api, route: Route, function: Function) -> aws.lambda_.Permission:
        return aws.lambda_.Permission(
            route.logical_name,
            action="lambda:InvokeFunction",
            function=function.name,
            qualifier=function.alias,
            principal="apigateway.amazonaws.com",
            source_arn=api.execution_arn.apply(lambda arn: invocation_source(arn, route)),
            opts=self.child(),
        )


def with_slashes(routes: Sequence[Route]) -> list[Route]:
    """``routes``, and a second route with a trailing slash for each POST route: to people it is the same URL."""
    slashed = [dataclasses.replace(route, path=route.path + _SLASH) for route in routes if route.method == "POST"]
    return [*routes, *slashed]


def invocation_source(execution_arn: str, route: Route) -> str:
    """The source ARN of a call to ``route``: any stage (there is only one), this method and this path."""
    path = "/".join("*" if part.startswith("{") else part for part in route.path.split("/"))
    method = "*" if route.method == "ANY" else route.method
    return f"{execution_arn}/*/{method}{path}"
