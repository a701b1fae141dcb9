"""What the AWS provider of Pulumi and the functions need, and moto 5.2.5 lacks or returns differently.

* ``GetFunctionRecursionConfig``, ``PutFunctionRecursionConfig`` and API Gateway's ``UpdateStage``: ``pulumi up`` fails
  without them.
* A function's ``LoggingConfig`` and ``SnapStart`` in every answer, and SQS's ``RedrivePolicy`` as compact JSON: without them,
  a second ``pulumi up`` reports changes.
* An event source mapping of an alias names the alias; moto names the version behind it.
* ``UpdateAlias`` refuses an old ``RevisionId``, and ``DeleteFunction`` a version that an alias names.
* ``PutFunctionEventInvokeConfig`` replaces the previous configuration: without it, a change has no effect.
* ``FilterLogEvents`` understands CloudWatch's filter patterns (``filter_patterns.py``).
* Completing an unknown upload is NoSuchUpload; moto fails with 500.
* CloudWatch's metrics and alarms (``monitoring/cloudwatch.py``).

moto itself never runs a function, since it would start Docker, for example when a bucket sends its test message to a queue
that feeds a function.
"""

import base64
import copy
import functools
import json
import threading
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from moto.apigatewayv2.responses import ApiGatewayV2Response
from moto.awslambda import urls as lambda_urls
from moto.awslambda.exceptions import ConflictException, PreconditionFailedException
from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.core import responses, serialize
from moto.core import utils as core_utils
from moto.core.common_models import BaseModel
from moto.core.responses import ActionResult
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.logs import models as logs_models
from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogGroup
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import S3Backend
from moto.sqs import models as sqs_models
from moto.sqs.models import Queue
from werkzeug.routing import Rule

from stack.local import filter_patterns
from stack.local.monitoring import cloudwatch
from stack.local.versions import Reference

_RECURSION_PATH = r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[\w_:%-]+)/recursion-config/?$"


def fill_gaps() -> None:
    """Add all of it to moto, before the first request. Calling it again changes nothing."""
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
        (S3Backend, "complete_multipart_upload", _complete_multipart_upload),
    ):
        setattr(owner, name, replacement)


def speed_up() -> None:
    """Make moto answer in a part of the time, and begin sooner. Calling it again changes nothing.

    * For each attribute of a DynamoDB item, moto asks four alias providers for the name of each of the ten types that it can
      have. In an item, the type is the only key of a dict.
    * For each request, moto lists its own folders, compares the host with the pattern of each of its services, lists the
      methods of the class that answers, compiles the patterns of conditions, and spells names in another way.
    * For each query, moto sorts the whole table, and then the part that it asks for.
    * For each transaction, moto copies every table that it writes to, so that it can go back.
    * Of each item, message and metric that it made since its start, moto keeps every version.
    * For each of the thousand paths that moto serves, werkzeug compiles a function that makes a URL of it, which nobody needs.
    * For each model of a service, botocore lists all services that it has.
    """
    for owner, name, replacement in (
        (Rule, "_compile_builder", _compile_when_called),
        (DomainDispatcherApplication, "get_backend_for_host", _backend_for_host),
        (responses, "method_names_from_class", _method_names),
        (responses, "camelcase_to_underscores", _underscores),
        (sqs_models, "camelcase_to_underscores", _underscores),
        (core_utils, "create_loader", _loader),
        (ConditionExpressionParser, "_lex_one_node", _lex_one_node),
        (serialize.BaseJSONSerializer, "_serialize_type_structure", _serialize_structure),
        (Table, "query", _query),
        (Table, "all_items", _all_items),
        (Table, "__deepcopy__", _copy_table),
        (DynamoDBBackend, "transact_write_items", _transact_write_items),
        (BaseModel, "__new__", _new_model),
    ):
        setattr(owner, name, replacement)


_backend_for_host = functools.lru_cache(maxsize=1024)(DomainDispatcherApplication.get_backend_for_host)
_underscores = functools.lru_cache(maxsize=4096)(core_utils.camelcase_to_underscores)
_loader = functools.cache(core_utils.create_loader)

_querying = threading.local()
_moto_query: Callable[..., Any] = Table.query
_moto_all_items: Callable[..., Any] = Table.all_items


def _query(table: Any, hash_key: Any, *args: Any, **options: Any) -> Any:
    """A query sorts what it finds: it needs no sorted table, and of the table itself only the items of one key."""
    index_name, of_key = args[6], table.items.get(hash_key)
    _querying.groups = list(table.items.values()) if index_name else [of_key] if of_key else []
    try:
        return _moto_query(table, hash_key, *args, **options)
    finally:
        _querying.groups = None


def _all_items(table: Any) -> list[Any]:
    groups = getattr(_querying, "groups", None)
    if groups is None:
        return list(_moto_all_items(table))
    return [item for group in groups for item in (group.values() if table.range_key_attr else [group])]


_transacting = threading.local()
_moto_transact_write_items: Callable[..., Any] = DynamoDBBackend.transact_write_items


def _transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    """A transaction that fails changes nothing: keep the items under its hash keys, and put them back."""
    kept: list[tuple[Table, DynamoType, Any]] = []
    for request in (next(iter(item.values())) for item in transact_items):
        table = backend.tables.get(request.get("TableName"))
        if hash_value := table and request.get("Key", request.get("Item", {})).get(table.hash_key_attr):
            hash_key = DynamoType(hash_value)
            kept.append((table, hash_key, copy.deepcopy(table.items.get(hash_key))))
    _transacting.now = True
    try:
        _moto_transact_write_items(backend, transact_items)
    except Exception:
        for table, hash_key, group in kept:
            table.items.pop(hash_key, None)
            if group is not None:
                table.items[hash_key] = group
        raise
    finally:
        _transacting.now = False


_moto_new_model: Callable[..., Any] = BaseModel.__new__


def _new_model(kind: type[BaseModel], *_: Any, **__: Any) -> Any:
    """What is replaced or deleted is freed. Only S3 reads its list, to close the files of objects."""
    return _moto_new_model(kind) if kind.__module__ == S3Backend.__module__ else object.__new__(kind)


def _copy_table(table: Table, memo: dict[int, Any]) -> Any:
    """A transaction needs no copy; a backup does."""
    if getattr(_transacting, "now", False):
        return table
    copied: Any = object.__new__(type(table))
    memo[id(table)] = copied
    vars(copied).update(copy.deepcopy(vars(table), memo))
    return copied


_compile_builder: Callable[..., Callable[..., Any]] = Rule._compile_builder


def _compile_when_called(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
    compiled = functools.cache(lambda: _compile_builder(rule, append_unknown))

    def build(*args: Any, **values: Any) -> Any:
        return compiled()(*args, **values)

    return build


_serialize_structure_by_member: Callable[..., None] = serialize.BaseJSONSerializer._serialize_type_structure


def _serialize_structure(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    if shape.name == "AttributeValue":
        serialized[key] = _attribute(value)
    else:
        _serialize_structure_by_member(serializer, serialized, value, shape, key)


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute of an item, with its bytes in Base64."""
    ((kind, content),) = value.items()
    if kind == "M":
        content = {name: _attribute(each) for name, each in content.items()}
    elif kind == "L":
        content = [_attribute(each) for each in content]
    elif kind == "B":
        content = base64.b64encode(content).decode()
    elif kind == "BS":
        content = [base64.b64encode(each).decode() for each in content]
    return {kind: content}


_method_names = functools.cache(responses.method_names_from_class)
_lex_without_memory: Callable[..., Any] = ConditionExpressionParser._lex_one_node


@functools.lru_cache(maxsize=4096)
def _first_token(expression: str) -> Any:
    return _lex_without_memory(ConditionExpressionParser, expression)


def _lex_one_node(_: Any, remaining_expression: str) -> Any:
    return _first_token(remaining_expression)


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
