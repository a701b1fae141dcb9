"""Every AWS command in the documentation works as pasted, with AWS CLI 1 and 2.

Version 1 sends ``aws sqs`` to the real service even if AWS_ENDPOINT_URL is set, does not read AWS_REGION, and has no
``--cli-binary-format``. Version 2 takes an inline ``--payload`` for base64. So: ``$EP`` in every command, which is
``--endpoint-url=…`` for the local cloud and empty in AWS (the command ``names`` sets it); AWS_DEFAULT_REGION; payloads by ``fileb://``.
"""

import dataclasses
import json
import re
import shlex
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from tests.support.project.documentation import ROOT, pages

OPTIONS_OF_BOTH_VERSIONS = {"--output", "--query", "--cli-read-timeout", "--no-paginate", "--region"}
RENAMED = {("sns", "--endpoint"): "--notification-endpoint"}
"""Parameters that the CLI names otherwise, since they would hide an option of its own."""

_BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_START = re.compile(r"(?:^|\$\(|[|;&] ?|do )\s*(aws )", re.MULTILINE)
_DEFINES_EP = re.compile(r"^ *(EP=|eval \"\$\(python -m handlers.cli names\)\")", re.MULTILINE)
_INLINE = re.compile(r"`(aws [a-z$][^`\n]*)`")


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """A command of a page, in words as the shell makes them."""

    page: Path
    words: tuple[str, ...]
    redirects: bool
    defined: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {' '.join(self.words[:4])}"


def commands_of(page: Path) -> list[Command]:
    text = page.read_text(encoding="utf-8")
    found = []
    for block in _BLOCK.finditer(text):
        code = block[2].replace("\\\n", " ")
        for start in _START.finditer(code):
            before = text[: block.start()] + code[: start.start(1)]
            found.append(command_of(page, code[start.start(1) :], before))
    return found + [command_of(page, inline, text) for inline in _INLINE.findall(text)]


def command_of(page: Path, code: str, before: str) -> Command:
    words = words_of(code)
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", code.partition("\n")[0])
    return Command(page, words, re.search(r"<[\w ]+>", unquoted) is not None, _DEFINES_EP.search(before) is not None)


def words_of(code: str) -> tuple[str, ...]:
    """The words of the command at the start of ``code``: up to what ends it outside of quotes."""
    quote, end = "", len(code)
    for index, character in enumerate(code):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "\n|;)" or code[index:].startswith((" #", " &&")):
            end = index
            break
    return tuple(shlex.split(code[:end]))


COMMANDS = [command for page in pages() for command in commands_of(page)]
SESSION = botocore.session.get_session()


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) > 15


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_goes_to_the_endpoint_that_its_page_defines(command: Command) -> None:
    assert command.words[:2] == ("aws", "$EP")
    assert command.defined, "the page defines EP before its first use"


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_is_one_that_aws_knows(command: Command) -> None:
    _, _, service, name, *arguments = command.words
    model = SESSION.get_service_model({"s3api": "s3"}.get(service, service))
    if name == "wait":
        waiter, *arguments = arguments
        waiters = SESSION.get_waiter_model(service)
        [named] = [each for each in waiters.waiter_names if xform_name(each, "-") == waiter]
        name = xform_name(waiters.get_waiter(named).operation, "-")
    [operation] = [model.operation_model(each) for each in model.operation_names if xform_name(each, "-") == name]
    members: dict[str, Any] = operation.input_shape.members if operation.input_shape else {}
    names = {member: f"--{xform_name(member, '-')}" for member in members}
    names = {member: RENAMED.get((service, option), option) for member, option in names.items()}
    given = {word for word in arguments if word.startswith("--")}

    assert given <= {*names.values(), *OPTIONS_OF_BOTH_VERSIONS}
    required = operation.input_shape.required_members if operation.input_shape else []
    assert {names[member] for member in required} <= given


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_the_values_of_a_command_need_no_quoting_and_no_encoding(command: Command) -> None:
    for option, value in zip(command.words, command.words[1:], strict=False):
        if option == "--payload":
            assert value.startswith("fileb://"), "CLI 2 takes an inline payload for base64"
        elif option.startswith("--") and value.startswith(("{", "[")) and option not in ("--query", "--filter-pattern"):
            json.loads(value.replace("…", ""))

    assert not command.redirects, "a placeholder outside of quotes is a redirection"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_sets_the_region_by_the_variable_that_both_versions_read(page: Path) -> None:
    blocks = "".join(block[2] for block in _BLOCK.finditer(page.read_text(encoding="utf-8")))

    assert not re.search(r"\bAWS_REGION=|\bAWS_ENDPOINT_URL=", blocks)
