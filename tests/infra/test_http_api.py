"""The HTTP API: which routes there are, who may call them, and where they lead."""

import json

import pytest

from stack.components.http_api import ROUTES, Authorization, Route, invocation_source, with_slashes
from tests.support.project.pulumi_graph import ALIAS, EVERYTHING, declare

ROUTE, INTEGRATION = "aws:apigatewayv2/route:Route", "aws:apigatewayv2/integration:Integration"
API, STAGE, PERMISSION = "aws:apigatewayv2/api:Api", "aws:apigatewayv2/stage:Stage", "aws:lambda/permission:Permission"


def test_these_are_the_routes() -> None:
    assert [(route.key, route.entry_point, route.authorization) for route in ROUTES] == [
        ("POST /events", "notification", Authorization.NONE),
        ("POST /webhooks/jira", "webhooks", Authorization.NONE),
        ("POST /webhooks/commits", "webhooks", Authorization.NONE),
        ("POST /drafts", "approvals", Authorization.AWS_IAM),
        ("POST /slack/interactions", "approvals", Authorization.NONE),
        ("ANY /shuttle/{proxy+}", "shuttle", Authorization.AWS_IAM),
        ("GET /health", "webhooks", Authorization.NONE),
    ]


def test_every_route_leads_to_its_function_in_payload_format_1_0() -> None:
    graph = declare()
    integrations = {f"integrations/{each.outputs['name']}-id": each.inputs for each in graph.all(INTEGRATION)}
    leads_to = {route.inputs["routeKey"]: integrations[route.inputs["target"]] for route in graph.all(ROUTE)}

    for route in with_slashes(ROUTES):
        integration = leads_to[route.key]
        assert integration["integrationUri"] == graph.arn(ALIAS, route.entry_point)
        assert integration["integrationType"] == "AWS_PROXY"
        assert integration["payloadFormatVersion"] == "1.0"
    assert len(leads_to) == len(with_slashes(ROUTES))


def test_a_post_route_with_a_trailing_slash_keeps_its_authorization() -> None:
    graph = declare()
    authorizations = {route.inputs["routeKey"]: route.inputs["authorizationType"] for route in graph.all(ROUTE)}

    for route in ROUTES:
        if route.method == "POST":
            assert authorizations[f"{route.key}/{{slash+}}"] == route.authorization.value


def test_no_route_ends_in_a_slash_since_api_gateway_refuses_that() -> None:
    assert not [route.key for route in with_slashes(ROUTES) if route.path.endswith("/")]


@pytest.mark.parametrize("route", with_slashes(ROUTES), ids=lambda route: route.key)
def test_the_api_may_invoke_a_function_by_its_route_only(route: Route) -> None:
    graph = declare()
    function = graph.one("aws:lambda/function:Function", route.entry_point).outputs["name"]
    expected = invocation_source(graph.one(API).outputs["executionArn"], route)

    [permission] = [each.inputs for each in graph.all(PERMISSION) if each.inputs["sourceArn"] == expected]
    assert permission["principal"] == "apigateway.amazonaws.com"
    assert (permission["function"], permission["qualifier"]) == (function, "live")


@pytest.mark.parametrize(
    ("route", "source"),
    [
        (Route("POST", "/webhooks/jira", "webhooks", Authorization.NONE), "arn:aws:execute-api:r:a:api/*/POST/webhooks/jira"),
        (
            Route("POST", "/drafts/{slash+}", "approvals", Authorization.AWS_IAM),
            "arn:aws:execute-api:r:a:api/*/POST/drafts/*",
        ),
        (Route("ANY", "/shuttle/{proxy+}", "shuttle", Authorization.AWS_IAM), "arn:aws:execute-api:r:a:api/*/*/shuttle/*"),
    ],
)
def test_a_variable_part_of_a_path_may_be_anything(route: Route, source: str) -> None:
    assert invocation_source("arn:aws:execute-api:r:a:api", route) == source


def test_the_stage_is_the_default_one_deploys_itself_and_throttles() -> None:
    stage = declare().one(STAGE).inputs

    assert stage["name"] == "$default"
    assert stage["autoDeploy"] is True
    assert stage["defaultRouteSettings"] == {"throttlingRateLimit": 50, "throttlingBurstLimit": 100}


def test_config_sets_the_limits_of_the_stage() -> None:
    stage = declare(*EVERYTHING).one(STAGE).inputs

    assert stage["defaultRouteSettings"] == {"throttlingRateLimit": 200, "throttlingBurstLimit": 400}


def test_every_request_leaves_a_json_line_in_the_access_log() -> None:
    graph = declare()
    settings = graph.one(STAGE).inputs["accessLogSettings"]

    assert settings["destinationArn"] == graph.arn("aws:cloudwatch/logGroup:LogGroup", "http-access")
    line = json.loads(settings["format"])
    assert {"request_id", "route", "status", "latency_ms", "integration_error"} <= line.keys()
    assert all(value.startswith("$context.") for value in line.values())


def test_the_url_is_the_apis_own_without_a_stage() -> None:
    graph = declare()

    assert graph.outputs["http_api_url"] == graph.one(API).outputs["apiEndpoint"]
