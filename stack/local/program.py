"""Runs the real Pulumi program in this process and creates each resource in moto.

Pulumi's mocks interface replaces the engine and the AWS provider: ``new_resource`` gets every resource's resolved inputs,
creates it with boto3, and returns the real ARN to the program (docs/adr/0002).
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.proto import source_pb2
from pulumi.runtime.stack import run_pulumi_func

from lib.platform.contract import ALL_ENTRY_POINTS
from stack.local.errors import StartError
from stack.local.resources import Blueprint, creator_of

PROJECT = "switchboard"
STACK = "local"
CONFIG_FILE = Path(__file__).resolve().parents[2] / "Pulumi.local.yaml"

# How a secret looks on the wire: https://www.pulumi.com/docs/concepts/secrets/
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a marker, no secret)


class ProgramError(StartError):
    """The config is wrong, or a resource could not be created."""


class _MotoMocks(Mocks):
    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs = as_plain(args.inputs)
        if args.typ.startswith("pulumi:") or not args.custom:
            return f"{args.name}-id", inputs
        identifier, outputs = creator_of(args.typ)(self._blueprint, args.name, inputs)
        return identifier, {**inputs, **outputs}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(f"the local cloud can't answer {args.token} yet: add it to stack/local/program.py")


def read_config(given: Mapping[str, str], path: Path = CONFIG_FILE) -> dict[str, str]:
    """The stack's config as the engine would pass it: Pulumi.local.yaml, overridden by ``given``.

    Keys of ``given`` are in the namespace ``switchboard`` unless they have one (``aws:region``).

    Raises:
        ProgramError: the file has an encrypted value that ``given`` does not override.
    """
    document = yaml.safe_load(path.read_text()) or {}
    config = dict(document.get("config") or {})
    config.update({key if ":" in key else f"{PROJECT}:{key}": value for key, value in given.items()})
    for key, value in config.items():
        if _holds_encrypted(value):
            option = f"--config {key.removeprefix(f'{PROJECT}:')}=<value>"
            raise ProgramError(
                f"{key} in {path.name} is encrypted, and the local cloud cannot decrypt it: set it with {option}, "
                "or remove it from the file."
            )
    return {key: _as_text(value) for key, value in config.items()}


def _holds_encrypted(value: Any) -> bool:
    """Whether the Pulumi CLI encrypted ``value`` or a part of it: ``{"secure": <text>}`` in the stack file."""
    if isinstance(value, Mapping):
        return "secure" in value or any(_holds_encrypted(item) for item in value.values())
    return isinstance(value, list) and any(_holds_encrypted(item) for item in value)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def run_program(blueprint: Blueprint, config: Mapping[str, str]) -> dict[str, Any]:
    """Run the program, which creates everything; the stack's outputs.

    Raises:
        ProgramError: wrong config, or a resource that could not be created.
    """
    outputs: dict[str, Any] = {}
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    logging.getLogger("pulumi").setLevel(logging.CRITICAL)  # its errors come back as exceptions

    def program() -> None:
        from stack.__main__ import deploy  # noqa: PLC0415 (the SDK must be configured first)
        from stack.settings import Settings  # noqa: PLC0415

        code = dict.fromkeys(ALL_ENTRY_POINTS, pulumi.AssetArchive({}))  # the local cloud runs the sources
        pulumi.Output.all(**deploy(Settings.load(), code, STACK)).apply(outputs.update)

    skip_stack_traces()
    try:
        set_mocks(_MotoMocks(blueprint), project=PROJECT, stack=STACK, preview=False)
        pulumi.runtime.set_all_config(dict(config))
        loop.run_until_complete(run_pulumi_func(program))
    except Exception as error:
        raise ProgramError(_sentence(error)) from error
    finally:
        loop.close()
    return outputs


def skip_stack_traces() -> None:
    """Keep the SDK from looking up, for each resource, where in the program it is declared. Only an engine shows that, and it
    takes a fifth of a run.
    """
    setattr(pulumi.runtime.resource, "_get_stack_trace", source_pb2.StackTrace)  # noqa: B010 (a function, for the type checker)


def _sentence(error: BaseException) -> str:
    cause = error.__cause__ if not isinstance(error, pulumi.RunError) and error.__cause__ else error
    if isinstance(cause, pulumi.RunError):
        return str(cause)
    return f"The program failed: {type(cause).__name__}: {cause}"


def as_plain(value: Any) -> Any:
    """Convert a resource's inputs from the SDK's wire format to boto3's.

    Secrets are unwrapped: a secret in an environment wraps all of it. A whole number becomes an ``int``: the wire format has
    only floats, and boto3 and moto refuse ``3600.0`` where AWS expects an integer.
    """
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _SECRET:
            return as_plain(value["value"])
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
