"""docs/local.md works as pasted: its commands run in bash, and print what their comments say."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud import Cloud, running_cloud, until
from tests.support.operations.shell import Shell
from tests.support.project.documentation import ROOT

PAGE = ROOT / "docs" / "local.md"
ANSWERS = "y\n1\n"
"""To the two questions before one dead letter is dropped."""
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PRINTS = re.compile(r"# prints: (.+)$", re.MULTILINE)
_FAILED = re.compile(r'^(?:Error: |Usage: |\{"error": |An error occurred |bash: ).+$', re.MULTILINE)


def sections() -> dict[str, str]:
    """The commands of each section, by its heading."""
    _, *parts = re.split(r"^##+ (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    commands = {name: "\n".join(_BLOCK.findall(text)) for name, text in zip(parts[::2], parts[1::2], strict=True)}
    return {name: block for name, block in commands.items() if block}


SECTIONS = sections()
SETUP = SECTIONS.pop("Start").replace(". .venv/bin/activate\n", "")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud("--seed") as started:
        until(lambda: started.jira_row("DEMO-5"))
        yield started


def missing_in(printed: str, commands: str) -> list[str]:
    """The texts that the comments promise, and that did not come in their order."""
    at, missing = 0, []
    for text in _PRINTS.findall(commands):
        found = printed.find(text, at)
        if found < 0:
            missing.append(text)
        else:
            at = found + len(text)
    return missing


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_works_as_pasted(cloud: Cloud, tmp_path: Path, section: str) -> None:
    commands = f"set +o pipefail\nunset COLUMNS\n{SETUP}\n{SECTIONS[section]}"

    done = Shell(cloud, tmp_path).run(commands.replace("http://127.0.0.1:4566", cloud.aws_url), answers=ANSWERS)

    assert missing_in(done.out, SECTIONS[section]) == [], done
    assert _FAILED.findall(done.out + done.errors) == []


def test_each_runbook_has_a_drill() -> None:
    drills = PAGE.read_text(encoding="utf-8").partition("## Drills\n")[2]
    named = set(re.findall(r"\]\(runbooks/([\w-]+\.md)", drills))

    assert named == {page.name for page in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README.md"}
