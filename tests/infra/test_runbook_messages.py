"""A message that a runbook quotes is a message of the code, so that an operator finds it by searching."""

import ast
import functools
import re
from pathlib import Path

import pytest

from tests.support.project.documentation import ROOT

RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
QUOTED = re.compile(r"^\| `([a-z …][^`|]* [^`|]*)`(?:, `([^`|]* [^`|]*)`)*(?:, `([^`|]* [^`|]*)`)* \|", re.M)


@functools.cache
def texts_of_the_code() -> str:
    """Every string of lib and handlers, with a gap where a value is filled in."""
    texts: list[str] = []
    for top in ("lib", "handlers"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Constant(value=str(text)):
                        texts.append(text)
                    case ast.JoinedStr(values=parts):
                        texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in parts))
    return "\n".join(texts)


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.name)
def test_a_message_that_a_runbook_quotes_is_in_the_code(page: Path) -> None:
    code = texts_of_the_code()
    quoted = {message for groups in QUOTED.findall(page.read_text(encoding="utf-8")) for message in groups if message}
    fragments = {
        re.sub(r"^(could not|the rest) ", "", fragment.strip(" :,"))  # "could not {doing}: {error}", "the rest {outcome}"
        for message in quoted
        if '"' not in message  # an event to invoke a function with
        for fragment in re.split(r"…|: |\b[NML]\b|\b\d{3}\b|\bKEY\b", message)
        if len(fragment.strip(" :,")) > 8
    }

    assert {fragment for fragment in fragments if fragment not in code} == set()
