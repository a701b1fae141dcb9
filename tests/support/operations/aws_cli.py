"""The AWS CLI by botocore, for the machines of CI, which lack it: options of an operation, ``--query``, pages, errors."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import ListShape, OperationModel, Shape

_SERVICES = {"s3api": "s3"}
"""Commands that are not named as their service."""
_OPTIONS = {("subscribe", "Endpoint"): "--notification-endpoint"}
"""Options that are not named as their parameter, because the CLI has that option already."""


def run(client_of: Callable[[str], Any], arguments: Sequence[str], stdin: str) -> tuple[int, str, str]:
    """Run ``aws`` with arguments; its exit code, standard output and standard error.

    Args:
        client_of: the client of a service, which must be the one of ``--endpoint-url``.
        arguments: service, operation and options, and those for the whole CLI before or after them.
        stdin: what ``fileb:///dev/stdin`` reads.
    """
    general = argparse.ArgumentParser(prog="aws", add_help=False, allow_abbrev=False)
    general.add_argument("--endpoint-url", required=True)
    general.add_argument("--query", type=jmespath.compile)
    general.add_argument("--output", choices=("json", "text"))
    general.add_argument("--cli-read-timeout", type=int)
    options, rest = general.parse_known_args(arguments)
    client = client_of(_SERVICES.get(rest[0], rest[0]))
    assert options.endpoint_url == client.meta.endpoint_url
    operations = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
    model = client.meta.service_model.operation_model(operations[rest[1]])
    outfile, parameters = _parse(model, rest[1:], stdin)
    method = xform_name(model.name)
    try:
        if client.can_paginate(method):
            answer = client.get_paginator(method).paginate(**parameters).build_full_result()
        else:
            answer = getattr(client, method)(**parameters)
    except ClientError as error:
        return 255, "", f"\n{error}\n"
    answer.pop("ResponseMetadata", None)
    out = ""
    if outfile:
        assert outfile == "/dev/stdout"
        out = answer.pop(model.output_shape.serialization["payload"]).read().decode()
    if options.query:
        answer = options.query.search(answer)
    if options.output == "text":
        assert answer is None or all(isinstance(each, str) for each in answer), answer
        return 0, ("None" if answer is None else "\t".join(answer)) + "\n", ""
    return 0, out + (f"{json.dumps(answer, indent=4, default=str)}\n" if answer != {} else ""), ""


def _parse(model: OperationModel, arguments: Sequence[str], stdin: str) -> tuple[str, dict[str, Any]]:
    """The file that a streamed answer goes to, and the parameters of the operation."""
    parser = argparse.ArgumentParser(prog=f"aws … {arguments[0]}", add_help=False, allow_abbrev=False)
    members = model.input_shape.members if model.input_shape else {}
    for name, shape in members.items():
        option = _OPTIONS.get((arguments[0], name), f"--{xform_name(name, '-')}")
        if shape.type_name == "boolean":
            parser.add_argument(option, dest=name, action=argparse.BooleanOptionalAction)
        else:
            parser.add_argument(option, dest=name, nargs="+" if shape.type_name == "list" else None)
    if model.has_streaming_output:
        parser.add_argument("outfile")
    given = vars(parser.parse_args(arguments[1:]))
    outfile = given.pop("outfile", "")
    return outfile, {name: _value(members[name], text, stdin) for name, text in given.items() if text is not None}


def _value(shape: Shape, given: Any, stdin: str) -> Any:
    if isinstance(shape, ListShape):
        return json.loads(given[0]) if given[0].startswith("[") else [_value(shape.member, each, stdin) for each in given]
    match shape.type_name:
        case "boolean":
            return given
        case "structure" | "map":
            return json.loads(given)
        case "integer" | "long":
            return int(given)
        case "blob":
            path = given.removeprefix("fileb://")
            assert path != given, "AWS CLI 1 and 2 read a blob alike only from fileb://"
            return stdin.encode() if path == "/dev/stdin" else Path(path).read_bytes()
        case _:
            return given
