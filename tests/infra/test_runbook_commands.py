"""Each block of commands in a runbook is run by a test, from the failure to its last step (tests/integration/runbooks)."""

import ast
import contextlib
import functools
import re
import shlex

import click
import pytest

from handlers.cli.__main__ import cli
from tests.support.operations.runbook import parts
from tests.support.project.documentation import ROOT, tables_of

NOT_RUN_HERE = {
    "jira-webhooks.md#try-it-locally": "runs until Ctrl-C: tests/integration/test_local_cloud_command.py starts such a cloud",
}
"""Sections whose commands no test runs, each with the reason."""

NEVER_RAISED_HERE = {
    "functions.md#functions-are-throttled": "the local cloud does not throttle functions",
    "functions.md#lambda-stopped-a-loop": "the local cloud does not stop loops",
    "functions.md#a-table-is-throttled": "the local cloud does not throttle tables",
}
"""Sections of alarms that no test can raise, each with the reason."""


VALUES = {
    "<shop>": "shop.example.com",
    "<job id>": "01M8K4AWVQS8K3BX97SYZHYA3P",
    "<id>": "OPS-1",
    "<session_id>": "session-1",
    "<your Slack ID>": "U0ADA",
    "KEY": "OPS-1",
    "OLD": "OPS-1",
    "--project P": "--project OPS",
    "EVENT.json": str(ROOT / "pyproject.toml"),
}
"""For the placeholders of commands that the text quotes."""


def parse(command: str) -> None:
    """Let click parse a command of the command line, without running it."""
    context = cli.make_context("cli", shlex.split(command))
    while isinstance(context.command, click.Group) and (rest := [*context._protected_args, *context.args]):
        name, found, arguments = context.command.resolve_command(context, rest)
        assert name is not None
        assert found is not None
        context = found.make_context(name, arguments, parent=context)


def run_by_tests() -> set[str]:
    """The sections that tests name with ``runbook``; the fixture ``section`` checks that their last command was run."""
    calls = [
        node
        for file in (ROOT / "tests" / "integration" / "runbooks").glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "runbook"
    ]
    return {str(argument.value) for call in calls for argument in call.args if isinstance(argument, ast.Constant)}


def test_a_test_runs_the_commands_of_each_section() -> None:
    with_commands = {name for name, part in parts().items() if part.blocks}

    assert with_commands - run_by_tests() == set(NOT_RUN_HERE)


@pytest.mark.parametrize("section", parts())
def test_a_command_that_the_text_quotes_has_these_options(section: str) -> None:
    commands = [
        functools.reduce(lambda text, name: text.replace(name, VALUES[name]), VALUES, code)
        for code in parts()[section].quoted()
        if code.split()[0] in cli.list_commands(click.Context(cli)) and "…" not in code
    ]
    for command in commands:
        with contextlib.suppress(click.MissingParameter, click.exceptions.NoArgsIsHelpError):  # it is only named
            parse(command)


def test_a_test_follows_the_runbook_of_each_alarm() -> None:
    [alarms, *_] = tables_of(ROOT / "docs" / "reference" / "failures.md")
    sections = {section for row in alarms[1:] for section in re.findall(r"\]\(\.\./runbooks/(.+?)\)", row[-1])}

    assert sections - run_by_tests() == set(NEVER_RAISED_HERE)
