"""The HTTP API."""

from stack.local.http_gateway import HttpApi, Route
from stack.local.resources.registry import Blueprint, Created, Inputs, creates, physical_name


@creates("aws:apigatewayv2/api:Api")
def _api(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """An HTTP API; its URL is the local cloud's own."""
    name = physical_name(cloud, logical, inputs)
    api_id = cloud.client("apigatewayv2").create_api(Name=name, ProtocolType=inputs["protocolType"])["ApiId"]
    arn, execution_arn = f"arn:aws:apigateway:{cloud.region}::/apis/{api_id}", cloud.arn("execute-api", api_id)
    cloud.http_api = HttpApi(api_id, cloud.account_id, execution_arn)
    return api_id, {"name": name, "arn": arn, "executionArn": execution_arn, "apiEndpoint": cloud.http_url}


@creates("aws:apigatewayv2/integration:Integration")
def _integration(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    if inputs.get("payloadFormatVersion", "1.0") != "1.0":
        raise NotImplementedError("the local HTTP API supports payload format 1.0 only")
    integration_id = cloud.client("apigatewayv2").create_integration(
        ApiId=inputs["apiId"],
        IntegrationType=inputs["integrationType"],
        IntegrationUri=inputs["integrationUri"],
        PayloadFormatVersion="1.0",
    )["IntegrationId"]
    cloud.integrations[integration_id] = str(inputs["integrationUri"])
    return integration_id, {}


@creates("aws:apigatewayv2/route:Route")
def _route(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    target = str(inputs["target"])
    client = cloud.client("apigatewayv2")
    route_id = client.create_route(ApiId=inputs["apiId"], RouteKey=inputs["routeKey"], Target=target)["RouteId"]
    method, _, path = str(inputs["routeKey"]).partition(" ")
    cloud.http_api.routes.append(
        Route(
            method=method,
            path=path,
            function=cloud.integrations[target.removeprefix("integrations/")],
            wants_signature=inputs.get("authorizationType") == "AWS_IAM",
        )
    )
    return route_id, {}


@creates("aws:apigatewayv2/stage:Stage")
def _stage(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs)
    cloud.client("apigatewayv2").create_stage(ApiId=inputs["apiId"], StageName=name, AutoDeploy=True)
    access_log = inputs.get("accessLogSettings") or {}
    cloud.http_api.access_log_group = str(access_log.get("destinationArn", "")).removesuffix(":*").rpartition(":log-group:")[2]
    cloud.http_api.access_log_format = str(access_log.get("format", ""))
    arn = f"arn:aws:apigateway:{cloud.region}::/apis/{inputs['apiId']}/stages/{name}"
    return name, {"name": name, "arn": arn, "invokeUrl": cloud.http_url, "executionArn": cloud.arn("execute-api", name)}
