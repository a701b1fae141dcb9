"""What the AWS provider of Pulumi and the functions need, and moto 5.2.5 lacks or returns differently.

* ``GetFunctionRecursionConfig``, ``PutFunctionRecursionConfig`` and API Gateway's ``UpdateStage``: ``pulumi up`` fails
  without them.
* A function's ``LoggingConfig`` and ``SnapStart`` in every answer, and SQS's ``RedrivePolicy`` as compact JSON: without them,
  a second ``pulumi up`` reports changes.
* An event source mapping of an alias names the alias; moto names the version behind it.
* ``UpdateAlias`` refuses an old ``RevisionId``, and ``DeleteFunction`` a version that an alias names.
* ``PutFunctionEventInvokeConfig`` replaces the previous configuration: without it, a change has no effect.
* ``FilterLogEvents`` understands CloudWatch's filter patterns (``filter_patterns.py``).
* ``PutEvents`` takes no NaN for JSON.
* Completing an unknown upload is NoSuchUpload; moto fails with 500.
* CloudWatch's metrics and alarms (``monitoring/cloudwatch.py``).

moto itself never runs a function, since it would start Docker, for example when a bucket sends its test message to a queue
that feeds a function.
"""

import json
import uuid
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import unquote

from moto.apigatewayv2.responses import ApiGatewayV2Response
from moto.awslambda import urls as lambda_urls
from moto.awslambda.exceptions import ConflictException, PreconditionFailedException
from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.core.responses import ActionResult
from moto.events import models as events_models
from moto.logs import models as logs_models
from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogGroup
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import S3Backend
from moto.sqs.models import Queue

from stack.local import filter_patterns
from stack.local.monitoring import cloudwatch
from stack.local.versions import Reference

_RECURSION_PATH = r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[\w_:%-]+)/recursion-config/?$"


def fill_gaps() -> None:
    """Patch moto, before the first request. Calling it again changes nothing."""
    lambda_urls.url_paths[_RECURSION_PATH] = LambdaResponse.dispatch
    cloudwatch.patch()
    for owner, name, replacement in (
        (LambdaResponse, "get_function_recursion_config", _get_recursion_config),
        (LambdaResponse, "put_function_recursion_config", _put_recursion_config),
        (ApiGatewayV2Response, "update_stage", _update_stage),
        (LambdaFunction, "__init__", _new_function),
        (LambdaFunction, "get_configuration", _get_configuration),
        (LambdaFunction, "update_configuration", _update_configuration),
        (LambdaFunction, "_invoke_lambda", _refuse_to_run),
        (LambdaBackend, "put_function_event_invoke_config", _put_event_invoke_config),
        (LambdaBackend, "delete_function", _delete_function),
        (EventSourceMapping, "__init__", _new_event_source_mapping),
        (LambdaResponse, "update_alias", _update_alias),
        (LogGroup, "filter_log_events", _filter_log_events),
        (logs_models, "EventMessageFilter", _EventMessageFilter),
        (Queue, "attributes", property(_queue_attributes)),
        (events_models, "json", StrictJson),
        (S3Backend, "complete_multipart_upload", _complete_multipart_upload),
    ):
        setattr(owner, name, replacement)


class StrictJson:
    """JSON without NaN and Infinity, which Python's own takes. In place of the module ``json``."""

    dumps = staticmethod(json.dumps)

    @staticmethod
    def loads(text: str | bytes) -> Any:
        """The value of a text. ValueError if it is not JSON."""
        return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _function_of(response: LambdaResponse) -> Any:
    return response.backend.get_function(unquote(response.path.rstrip("/").split("/")[-2]))


def _get_recursion_config(response: LambdaResponse) -> ActionResult:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionRecursionConfig.html"""
    return ActionResult({"RecursiveLoop": getattr(_function_of(response), "recursive_loop", "Terminate")})


def _put_recursion_config(response: LambdaResponse) -> ActionResult:
    """https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionRecursionConfig.html"""
    function = _function_of(response)
    function.recursive_loop = response.json_body["RecursiveLoop"]
    return ActionResult({"RecursiveLoop": function.recursive_loop})


def _update_stage(response: ApiGatewayV2Response) -> tuple[int, dict[str, str], str]:
    """https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename.html"""
    *_, api_id, _, stage_name = response.path.rstrip("/").split("/")
    stage = response.apigatewayv2_backend.get_stage(api_id, unquote(stage_name))
    attributes = {
        "accessLogSettings": "access_log_settings",
        "autoDeploy": "auto_deploy",
        "defaultRouteSettings": "default_route_settings",
        "description": "description",
        "routeSettings": "route_settings",
        "stageVariables": "stage_variables",
    }
    for key, value in json.loads(response.body).items():
        if key in attributes:
            setattr(stage, attributes[key], value)
    return 200, {}, json.dumps(stage.to_json())


_NO_SNAPSHOT = {"ApplyOn": "None"}
_moto_new_function: Callable[..., None] = LambdaFunction.__init__
_moto_get_configuration: Callable[..., dict[str, Any]] = LambdaFunction.get_configuration
_moto_update_configuration: Callable[..., dict[str, Any]] = LambdaFunction.update_configuration


def _new_function(function: Any, account_id: str, spec: dict[str, Any], *rest: Any, **options: Any) -> None:
    _moto_new_function(function, account_id, spec, *rest, **options)
    function.logging_config = _logging(function.function_name, spec.get("LoggingConfig"))
    function.snap_start = spec.get("SnapStart") or _NO_SNAPSHOT


def _get_configuration(function: Any, on_create: bool = False) -> dict[str, Any]:
    own = {"LoggingConfig": function.logging_config, "SnapStart": {**function.snap_start, "OptimizationStatus": "Off"}}
    return {**_moto_get_configuration(function, on_create), **own}


def _update_configuration(function: Any, updates: dict[str, Any]) -> dict[str, Any]:
    if "LoggingConfig" in updates:
        function.logging_config = _logging(function.function_name, updates["LoggingConfig"])
    function.snap_start = updates.get("SnapStart", function.snap_start)
    return _moto_update_configuration(function, updates)


def _logging(function_name: str, given: dict[str, Any] | None) -> dict[str, Any]:
    return {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function_name}", **(given or {})}


def _refuse_to_run(*_: Any, **__: Any) -> tuple[str, bool, str]:
    message = "This endpoint stores functions and does not run them: use `python -m stack.local up`."
    return json.dumps({"errorMessage": message}), True, message


_moto_put_event_invoke_config: Callable[..., Any] = LambdaBackend.put_function_event_invoke_config


def _put_event_invoke_config(backend: Any, function_name: str, config: dict[str, Any]) -> Any:
    """Moto appends to a list and returns its first entry."""
    answer = _moto_put_event_invoke_config(backend, function_name, config)
    del backend.get_function(function_name).event_invoke_config[:-1]
    return answer


_moto_new_event_source_mapping: Callable[..., None] = EventSourceMapping.__init__


def _new_event_source_mapping(mapping: Any, spec: dict[str, Any]) -> None:
    function = Reference.read(spec["FunctionName"])
    _moto_new_event_source_mapping(mapping, spec)
    mapping.function_arn = f"arn:aws:lambda:{mapping.region}:{mapping.account_id}:function:{function}"


_moto_delete_function: Callable[..., None] = LambdaBackend.delete_function
_moto_update_alias: Callable[..., Any] = LambdaResponse.update_alias


def _update_alias(response: LambdaResponse) -> Any:
    """https://docs.aws.amazon.com/lambda/latest/api/API_UpdateAlias.html"""
    *_, function_name, _, alias_name = response.path.rstrip("/").split("/")
    alias = response.backend.get_alias(name=unquote(alias_name), function_name=unquote(function_name))
    if response.json_body.get("RevisionId", alias.revision_id) != alias.revision_id:
        raise PreconditionFailedException("The RevisionId provided does not match the latest RevisionId for the alias.")
    alias.revision_id = str(uuid.uuid4())
    return _moto_update_alias(response)


def _delete_function(backend: LambdaBackend, function_name: str, qualifier: str | None = None) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html"""
    if qualifier and any(alias.function_version == qualifier for alias in backend.list_aliases(function_name)):
        raise ConflictException(f"Version {qualifier} of {function_name} is referenced by an alias.")
    _moto_delete_function(backend, function_name, qualifier)


_moto_complete_multipart_upload: Callable[..., Any] = S3Backend.complete_multipart_upload


def _complete_multipart_upload(backend: S3Backend, bucket_name: str, multipart_id: str, body: Any) -> Any:
    if multipart_id not in backend.get_bucket(bucket_name).multiparts:
        raise NoSuchUpload(upload_id=multipart_id)
    return _moto_complete_multipart_upload(backend, bucket_name, multipart_id, body)


class _EventMessageFilter:
    """moto builds one for each log event."""

    def __init__(self, pattern: str | None) -> None:
        self.matches = filter_patterns.compiled(pattern or "")


_moto_filter_log_events: Callable[..., Any] = LogGroup.filter_log_events


def _filter_log_events(group: LogGroup, *args: Any) -> Any:
    *_, pattern, _ = args  # the backend passes positional arguments
    try:
        filter_patterns.compiled(pattern or "")
    except filter_patterns.FilterPatternError as error:
        raise InvalidParameterException(str(error)) from error
    return _moto_filter_log_events(group, *args)


_moto_queue_attributes: Any = Queue.attributes


def _queue_attributes(queue: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = _moto_queue_attributes.fget(queue)
    if "RedrivePolicy" in attributes:
        attributes["RedrivePolicy"] = json.dumps(queue.redrive_policy, separators=(",", ":"))
    return attributes
