"""docs/quickstart.md and the page that it continues with work as pasted, and print what they show."""

import dataclasses
import itertools
import json
import re
import textwrap
import time
from pathlib import Path

from stack.local.cloud import Ready
from tests.support.cloud import Cloud
from tests.support.operations.shell import Shell
from tests.support.project.documentation import ROOT

PAGE = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
NEXT_PAGE, _, _ = (
    (ROOT / "docs" / "how-to" / "onboard-a-shop.md").read_text(encoding="utf-8").partition("## The same in Python")
)
WAIT_SECONDS = 20
"""For what the page has read after a while."""

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FIRST_TERMINAL = {"make demo", "make dev > ready.json"}
_READS = ("$ ", "aws $EP sqs receive-message ")
"""How the blocks begin that may be repeated until what they read has arrived."""
# 2026-03-01 is in the commands of the page, so that day is the same at each run.
_VARIABLE = {
    r"(?!2026-03-01)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(-07:00|Z)": "<time>",
    r"\d{1,2} \w{3} \d{4} \d\d:\d\d Phoenix time": "<minute>",
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b": "<event id>",
    r'"ts":"\d+\.\d{6}"': '"ts":"<time>"',
    r"\bDEMO-\d+\b": "DEMO-<number>",
    r"(?<=\"version\":\")[\d.]+": "<version>",
    r"([ ─━])\1+": r"\1",  # the widths of columns
}


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A block of commands, and what the page shows that it prints; empty if it shows nothing."""

    commands: str
    prints: str


def steps(page: str) -> list[Step]:
    """The steps of the second terminal, in order."""
    blocks = [(language, textwrap.dedent(text).strip()) for _, language, text in _BLOCK.findall(page)]
    found = []
    for (language, text), (next_language, shown) in itertools.pairwise([*blocks, ("sh", "")]):
        if text.startswith("$ "):
            command, _, prints = text.partition("\n")
            found.append(Step(command, prints))
        elif language == "sh" and text not in _FIRST_TERMINAL:
            found.append(Step(text, "" if next_language == "sh" or shown.startswith("$ ") else shown))
    return found


def stable(text: str) -> str:
    """A text without what differs from run to run."""
    for pattern, name in _VARIABLE.items():
        text = re.sub(pattern, name, text)
    return text


def run(shell: Shell, step: Step) -> str:
    """Run a step as a person does, again until it prints what the page shows; what it has printed."""
    repeats = step.commands.startswith(_READS)
    end, printed = time.monotonic() + WAIT_SECONDS, ""
    while True:
        done = shell.run(f"set -a\n{step.commands.removeprefix('$ ')}")
        if done.out or not printed:  # a message is received once
            printed = f"{done.out}{done.errors}".strip()
        if not repeats or stable(printed) == stable(step.prints) or time.monotonic() > end:
            assert done.code == 0, done
            return printed
        time.sleep(0.2)


def test_each_step_prints_what_the_page_shows(seeded: Cloud, tmp_path: Path) -> None:
    shell = Shell(seeded, tmp_path)
    activate = tmp_path / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.touch()
    page = (PAGE + NEXT_PAGE).replace("http://127.0.0.1:4566", seeded.aws_url)
    page = page.replace("teapots.example.com", "kettles.example.com")  # the playground's shop is in the same cloud

    printed = []
    for step in steps(page.replace("http://127.0.0.1:8080", seeded.http_url)):
        printed.append(run(shell, step))
        if step.prints:
            assert stable(printed[-1]) == stable(step.prints), step.commands

    [event_id] = re.findall(r"LeaseApproved, .+, event (\S+)", "\n".join(printed))
    drifts = [line for line in seeded.log_records("notification") if line.get("message") == "schema_drift"]
    assert event_id not in {line["event_id"] for line in drifts}, "status would say that a lease needs a person"


def test_the_ready_line_of_the_page_has_its_keys_in_their_order() -> None:
    [line] = re.findall(r'^\{"http_url".+$', PAGE, re.MULTILINE)

    assert list(json.loads(line.replace("{…}", "{}"))) == [field.name for field in dataclasses.fields(Ready)]
