"""The runbooks as an operator uses them: the commands of a section, run in bash in the order of the page."""

import dataclasses
import functools
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.cloud import until
from tests.support.operations.shell import Done, Shell
from tests.support.project.documentation import ROOT, anchor_of

RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
CLI = "python -m handlers.cli "
NAMES = f'eval "$({CLI}names)"'

OVER_SECONDS = 1200.0
"""The evaluation of an alarm with a period of 5 minutes looks at 15."""

_HEADING = re.compile(r"^#{1,6} +(.+)$")
_FENCE = re.compile(r"^ *```(\w*)$")
_PLACEHOLDER = re.compile(r"<[a-z][^<>\n]*>")


@dataclasses.dataclass(slots=True)
class Part:
    """A section of a runbook: its blocks of commands, without those that only set the names, and its text without blocks."""

    blocks: list[str] = dataclasses.field(default_factory=list)
    text: str = ""

    def quoted(self) -> set[str]:
        """What the text has in backticks, without ``python -m handlers.cli``."""
        return {" ".join(code.split()).removeprefix(CLI) for code in re.findall(r"`([^`]+)`", self.text)}

    def has_command(self, command: str) -> bool:
        """Whether the section has a command of the command line."""
        return command in self.quoted() | {line.removeprefix(CLI) for block in self.blocks for line in block.splitlines()}


@functools.cache
def parts() -> Mapping[str, Part]:
    """The sections of all runbooks by page and anchor, as ``jobs.md#worker_lost``. The start of a page has no anchor."""
    return {f"{page.name}{anchor}": part for page in RUNBOOKS for anchor, part in _parts_of(page).items()}


def _parts_of(page: Path) -> dict[str, Part]:
    found = {"": Part()}
    part, language, block = found[""], None, ""
    for line in page.read_text(encoding="utf-8").splitlines()[1:]:  # without the title
        fence = _FENCE.match(line)
        if fence and language is None:
            language, block = fence[1], ""
        elif fence:
            block = textwrap.dedent(block).strip()
            if language == "sh" and block != NAMES:
                part.blocks.append(block)
            language = None
        elif language is not None:
            block += f"{line}\n"
        elif heading := _HEADING.match(line):
            part = found[f"#{anchor_of(heading[1])}"] = Part()
        else:
            part.text += f"{line}\n"
    return found


def runbook(*sections: str) -> pytest.MarkDecorator:
    """The fixture ``section`` of a test is these sections."""
    return pytest.mark.parametrize("section", [sections], ids=[sections[0]], indirect=True)


class Section:
    """The commands of sections in a shell that knows the names. A test runs each block once, in the order of the page."""

    def __init__(self, names: Sequence[str], shell: Shell) -> None:
        self.folder = shell.folder
        self._names = names
        self._shell = shell
        self._alarms = shell.cloud.client("cloudwatch")
        pages = {name.partition("#")[0] for name in names}
        self._parts = [part for name, part in parts().items() if name.partition("#")[0] in pages]
        self.left = [block for name in names for block in parts()[name].blocks]
        shell.run(NAMES).succeeded()

    def run(self, values: Mapping[str, str] | None = None, *, answers: str = "") -> Done:
        """Run the next block.

        Args:
            values: what replaces texts of the block, as ``{"<shop>": "a.example.com"}``.
            answers: what a person types at each question.
        """
        self._last = _filled(self.left.pop(0), values)
        return self._shell.run(self._last, answers=answers)

    def raised(self, alarm: str, *, runbook: str = "", after: float = 0) -> None:
        """Wait until an alarm is on, and follow its description: it leads to ``runbook``, and its first command runs.

        Args:
            alarm: its logical name.
            runbook: the page and section; by default one of the test's.
            after: for an alarm on silence, so many seconds from now if nothing else happens.
        """
        until(
            lambda: self._state(alarm, after) == "ALARM" and (after or self._described(alarm)["StateValue"] == "ALARM"),
            every=0.2,
        )
        _, first, page = self._described(alarm)["AlarmDescription"].splitlines()
        assert page.rpartition("/")[2] in ([runbook] if runbook else self._names)
        done = self._shell.run(re.sub(r"^First: | --stack \S+", "", first))
        assert done.code in {0, 1}, done.errors

    def over(self, alarm: str) -> None:
        """Check that an alarm ends if its failure does not come back."""
        assert self._state(alarm, OVER_SECONDS) == "OK"

    def _state(self, alarm: str, after: float) -> str:
        answer = requests.get(f"{self._shell.cloud.aws_url}/_local/alarms", params={"after": after}, timeout=10)
        states: dict[str, str] = answer.json()
        return states[self._described(alarm)["AlarmName"]]

    def _described(self, alarm: str) -> Mapping[str, Any]:
        found: list[dict[str, Any]] = self._alarms.describe_alarms(AlarmNamePrefix=f"{alarm}-")["MetricAlarms"]
        [described] = [each for each in found if each["AlarmName"].rpartition("-")[0] == alarm]  # Pulumi appends a suffix
        return described

    def again(self) -> Done:
        """Run the last block once more."""
        return self._shell.run(self._last)

    def do(self, command: str, values: Mapping[str, str] | None = None, *, answers: str = "") -> Done:
        """Run a command of the page: one that its text quotes, or once more one of a block."""
        assert any(part.has_command(command) for part in self._parts), f"the page does not have {command}"
        return self._shell.run(CLI + _filled(command, values), answers=answers)


def _filled(text: str, values: Mapping[str, str] | None) -> str:
    for placeholder, value in (values or {}).items():
        assert placeholder in text, f"{placeholder} is not in the block:\n{text}"
        text = text.replace(placeholder, value)
    assert _PLACEHOLDER.findall(text) == [], f"placeholders are left:\n{text}"
    return text
