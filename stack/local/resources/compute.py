"""Functions, and what invokes them."""

import io
import zipfile

from stack.local.functions import LATEST
from stack.local.iam.services import InvokePermission
from stack.local.invocations import AsyncConfig
from stack.local.queues import EventSource
from stack.local.resources.registry import Blueprint, Created, Inputs, creates, pascal, physical_name
from stack.local.versions import Reference


@creates("aws:lambda/function:Function")
def _function(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """A Lambda function and its first version: moto has their configuration, the local cloud runs them from the sources."""
    name = physical_name(cloud, logical, inputs)
    variables = {key: str(value) for key, value in ((inputs.get("environment") or {}).get("variables") or {}).items()}
    logging = inputs.get("loggingConfig") or {}
    arn = cloud.client("lambda").create_function(
        FunctionName=name,
        Runtime=inputs["runtime"],
        Role=inputs["role"],
        Handler=inputs["handler"],
        Code={"ZipFile": _empty_archive()},
        Timeout=inputs.get("timeout") or 3,
        MemorySize=inputs.get("memorySize") or 128,
        EphemeralStorage={"Size": (inputs.get("ephemeralStorage") or {}).get("size") or 512},
        Architectures=inputs.get("architectures") or ["x86_64"],
        Environment={"Variables": variables},
        Description=inputs.get("description") or "",
        LoggingConfig=pascal(logging),
        SnapStart=pascal(inputs.get("snapStart") or {"applyOn": "None"}),
    )["FunctionArn"]
    version = cloud.client("lambda").publish_version(FunctionName=name)["Version"] if inputs.get("publish") else LATEST
    if reserved := inputs.get("reservedConcurrentExecutions"):
        cloud.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(reserved))
    cloud.functions.append(name)
    invoke_arn = f"arn:aws:apigateway:{cloud.region}:lambda:path/2015-03-31/functions/{arn}/invocations"
    return name, {"name": name, "arn": arn, "invokeArn": invoke_arn, "qualifiedArn": f"{arn}:{version}", "version": version}


@creates("aws:lambda/alias:Alias")
def _alias(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs)
    arn = cloud.client("lambda").create_alias(
        FunctionName=inputs["functionName"], Name=name, FunctionVersion=str(inputs["functionVersion"])
    )["AliasArn"]
    return arn, {"name": name, "arn": arn}


def _empty_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("README", "The local cloud runs the sources, not this archive.\n")
    return buffer.getvalue()


@creates("aws:lambda/permission:Permission")
def _permission(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    statement_id = physical_name(cloud, logical, inputs, "statementId")
    function = Reference.read(str(inputs["function"]), inputs.get("qualifier") or "")
    given = pascal({key: inputs[key] for key in ("action", "principal", "sourceArn", "qualifier") if inputs.get(key)})
    cloud.client("lambda").add_permission(FunctionName=function.name, StatementId=statement_id, **given)
    statement = InvokePermission(
        function_arn=cloud.arn("lambda", f"function:{function}"),
        principal=inputs["principal"],
        action=inputs["action"],
        source_arn=inputs.get("sourceArn") or "",
    )
    cloud.resource_policies.append((statement.function_arn, statement.document()))
    return statement_id, {"statementId": statement_id}


@creates("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
def _event_invoke_config(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    function = Reference.read(str(inputs["functionName"]), inputs.get("qualifier") or "")
    on_failure = ((inputs.get("destinationConfig") or {}).get("onFailure") or {}).get("destination") or ""
    retries = 2 if inputs.get("maximumRetryAttempts") is None else inputs["maximumRetryAttempts"]
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName=function.name,
        **({"Qualifier": function.qualifier} if function.qualifier else {}),
        MaximumRetryAttempts=retries,
        MaximumEventAgeInSeconds=inputs.get("maximumEventAgeInSeconds") or 21600,
        DestinationConfig={"OnFailure": {"Destination": on_failure}} if on_failure else {},
    )
    cloud.async_configs[str(function)] = AsyncConfig(retries, on_failure)
    return str(function), {}


@creates("aws:lambda/eventSourceMapping:EventSourceMapping")
def _event_source_mapping(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    cloud.event_sources.append(
        EventSource(
            queue_arn=inputs["eventSourceArn"],
            function=str(inputs["functionName"]),
            batch_size=inputs.get("batchSize") or 10,
            window_seconds=float(inputs.get("maximumBatchingWindowInSeconds") or 0),
            reports_item_failures="ReportBatchItemFailures" in (inputs.get("functionResponseTypes") or []),
        )
    )
    return physical_name(cloud, logical, {}), {}


@creates("aws:lambda/functionRecursionConfig:FunctionRecursionConfig")
def _recursion_config(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    """Whether a function may call itself in a chain; not enforced here."""
    cloud.client("lambda").put_function_recursion_config(
        FunctionName=inputs["functionName"], RecursiveLoop=inputs["recursiveLoop"]
    )
    return str(inputs["functionName"]), {}
