"""A draft as the description of a Jira issue, in the Atlassian Document Format.

Jira's API expects text fields as ADF; wiki markup would appear as one paragraph of punctuation. Text becomes text nodes, so
nothing in a draft is read as markup (https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/).
"""

import re
from collections.abc import Iterable
from typing import Any

from lib.approvals.drafts import Draft

Node = dict[str, Any]

_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")


def description(draft: Draft, footer: str) -> Node:
    """The description of the draft's issue: a heading and text for each part that is not empty, and ``footer`` at the end."""
    content = [*_section("Problem", _paragraphs(draft.problem)), *_section("Solution", _paragraphs(draft.solution))]
    for title, items in (
        ("Acceptance criteria", draft.acceptance_criteria),
        ("Constraints", draft.constraints),
        ("Risks", draft.risks),
        ("Dependencies", draft.dependencies),
    ):
        content += _section(title, _bullets(items))
    content += [{"type": "rule"}, _paragraph(footer)]
    return {"type": "doc", "version": 1, "content": content}


def _section(title: str, content: list[Node]) -> list[Node]:
    if not content:
        return []
    return [{"type": "heading", "attrs": {"level": 3}, "content": [_text(title)]}, *content]


def _paragraphs(text: str) -> list[Node]:
    parts = _BLANK_LINES.split("\n".join(text.splitlines()).strip())
    return [_paragraph(part) for part in parts if part.strip()]


def _bullets(items: Iterable[str]) -> list[Node]:
    entries = [{"type": "listItem", "content": _paragraphs(item)} for item in items]
    return [{"type": "bulletList", "content": entries}] if entries else []


def _paragraph(text: str) -> Node:
    content: list[Node] = []
    for line in text.splitlines():
        if content:
            content.append({"type": "hardBreak"})
        if line:  # a text node must not be empty
            content.append(_text(line))
    return {"type": "paragraph", "content": content}


def _text(text: str) -> Node:
    return {"type": "text", "text": text}
