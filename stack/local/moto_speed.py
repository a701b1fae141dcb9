"""Patches moto 5.2.5 to give the same answers in less time: the local cloud and the tests spend most of their time in moto."""

import base64
import copy
import functools
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.core import responses, serialize
from moto.core import utils as core_utils
from moto.core.common_models import BaseModel
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser, Node  # type: ignore[attr-defined]
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.models import S3Backend
from moto.sqs import models as sqs_models
from moto.sqs.models import SQSBackend
from werkzeug.routing import Rule


def speed_up() -> None:
    """Replace slow parts of moto. Calling it again changes nothing. What they cost:

    * For each attribute of a DynamoDB item, moto asks four alias providers for the name of each of the ten types that it can
      have. In an item, the type is the only key of a dict.
    * For each request, moto lists its own folders, compares the host with the pattern of each of its services, lists the
      methods of the class that answers, compiles the patterns of conditions, and spells names in another way.
    * For each update, moto parses its expression, and copies the tree by the protocol of pickle; for each node of it, each of
      ten validators lists what it looks for.
    * For each message of a queue, moto makes three dates to know the time, and all attributes of the queue to know one.
    * For each query, moto sorts the whole table, and then the requested part.
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
        (DynamoType, "__deepcopy__", _copy_value),
        (DepthFirstTraverser, "traverse", _traverse),
        (Node, "__deepcopy__", _copy_node),
        (UpdateExpressionParser, "make", _parse_update),
        (BaseModel, "__new__", _new_model),
        (SQSBackend, "is_message_valid_based_on_retention_period", _is_retained),
        (sqs_models, "unix_time", time.time),
        (sqs_models, "unix_time_millis", lambda: time.time() * 1000),
    ):
        setattr(owner, name, replacement)


_backend_for_host = functools.lru_cache(maxsize=1024)(DomainDispatcherApplication.get_backend_for_host)
_underscores = functools.lru_cache(maxsize=4096)(core_utils.camelcase_to_underscores)
_loader = functools.cache(core_utils.create_loader)

_parse_update = functools.lru_cache(maxsize=1024)(UpdateExpressionParser.make)  # a validator works on a copy
_querying = threading.local()
_moto_query: Callable[..., Any] = Table.query
_moto_all_items: Callable[..., Any] = Table.all_items


def _query(table: Any, hash_key: Any, *args: Any, **options: Any) -> Any:
    """A query that sorts its result only: moto sorts the whole table. It reads only the items of one key."""
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
    """A transaction that restores the items under its hash keys if it fails; moto copies whole tables."""
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
    """A new object that moto does not add to its list of instances, so that it can be freed. Only S3 reads its list."""
    return _moto_new_model(kind) if kind.__module__ == S3Backend.__module__ else object.__new__(kind)


def _copy_table(table: Table, memo: dict[int, Any]) -> Any:
    """A transaction needs no copy; a backup does."""
    if getattr(_transacting, "now", False):
        return table
    copied: Any = object.__new__(type(table))
    memo[id(table)] = copied
    vars(copied).update(copy.deepcopy(vars(table), memo))
    return copied


def _copy_value(value: DynamoType, memo: dict[int, Any]) -> DynamoType:
    """Most are texts, which need no copy."""
    copied = object.__new__(DynamoType)
    copied.type = value.type
    copied.value = value.value if isinstance(value.value, str | bool) else copy.deepcopy(value.value, memo)
    return copied


def _copy_node(node: Any, memo: dict[int, Any]) -> Any:
    copied = object.__new__(type(node))
    vars(copied).update(vars(node))
    if node.children is not None:
        copied.children = [_copy_node(child, memo) if isinstance(child, Node) else child for child in node.children]
        for child in copied.children:
            if isinstance(child, Node):
                child.parent = copied
    return copied


def _traverse(traverser: Any, root: Any) -> Any:
    """Does what ``traverse_node_recursively`` does."""
    process = traverser._processing_map()
    kinds = tuple(process)

    def visit(node: Any, position: int) -> Any:
        if not isinstance(node, Node):
            return node
        parent = node.parent
        for index, child in enumerate(node.children or ()):
            traverser.pre_processing_of_child(node, index)
            visit(child, index)
        if isinstance(node, kinds):
            node = next(replace for kind, replace in process.items() if isinstance(node, kind))(node)
            node.parent = parent
            if parent:
                parent.children[position] = node
        return node

    return visit(root, -1)


def _is_retained(backend: SQSBackend, queue_name: str, message: Any) -> bool:
    queue: Any = backend.get_queue(queue_name)
    return bool(message.sent_timestamp / 1000 + queue.message_retention_period > time.time())


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
