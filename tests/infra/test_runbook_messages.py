"""A message that a runbook quotes is a message of the code, so that an operator finds the page by searching for it."""

import ast
import functools
import re
from pathlib import Path

import pytest

from tests.support.project.documentation import ROOT, prose_of, tables_of

RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
MESSAGE = re.compile(r"`(?!GET |POST )([^`]* [^`]*)`|\"([^\"]* [^\"]*)\"")
"""A quotation of several words."""


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


def quoted(page: Path) -> set[str]:
    """The messages in the first column of the page's tables and in its headings, in the parts between their values."""
    lines = [row[0] for table in tables_of(page) for row in table[1:]]
    lines += re.findall(r"^#+ (.*)$", prose_of(page), re.MULTILINE)
    messages = {backticks or quotes for line in lines for backticks, quotes in MESSAGE.findall(line)}
    parts = {part.strip(" :,") for message in messages for part in re.split(r"…|: |\b[NML]\b|\b\d{3}\b", message)}
    # "could not {doing}: {error}", "the rest {outcome}"; JSON is an event to invoke a function with
    return {
        re.sub(r"^(could not|the rest) ", "", part) for part in parts if len(part) > 8 and '"' not in part and "{" not in part
    }


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.name)
def test_a_message_that_a_runbook_quotes_is_in_the_code(page: Path) -> None:
    assert {message for message in quoted(page) if message not in texts_of_the_code()} == set()
