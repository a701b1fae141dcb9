"""Each block of commands in a runbook is run by a test, from the failure to its last step (tests/integration/runbooks)."""

import ast
import re

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


def test_a_test_follows_the_runbook_of_each_alarm() -> None:
    [alarms, *_] = tables_of(ROOT / "docs" / "reference" / "failures.md")
    sections = {section for row in alarms[1:] for section in re.findall(r"\]\(\.\./runbooks/(.+?)\)", row[-1])}

    assert sections - run_by_tests() == set(NEVER_RAISED_HERE)
