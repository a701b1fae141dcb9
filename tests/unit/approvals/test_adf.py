"""A draft becomes headings, paragraphs and bullet lists of the Atlassian Document Format."""

from typing import Any

from lib.approvals import adf
from tests.support.approvals.builders import make_draft


def described(**given: Any) -> list[dict[str, Any]]:
    document = adf.description(make_draft(**given), "The footer.")
    assert (document["type"], document["version"]) == ("doc", 1)
    return document["content"]


def texts(node: Any) -> list[str]:
    if isinstance(node, list):
        return [text for child in node for text in texts(child)]
    return [node["text"]] if node["type"] == "text" else texts(node.get("content", []))


def test_each_part_has_a_heading_unless_it_is_empty() -> None:
    content = described(solution="Do it.", acceptance_criteria=["Done."], dependencies=["PROJ-7"])
    headings = [texts(node)[0] for node in content if node["type"] == "heading"]
    assert headings == ["Problem", "Solution", "Acceptance criteria", "Dependencies"]


def test_a_blank_line_begins_a_paragraph_and_a_line_end_breaks_a_line() -> None:
    paragraphs = [node for node in described(problem="one\r\ntwo\n\n \nthree\n") if node["type"] == "paragraph"]
    assert [texts(paragraph) for paragraph in paragraphs] == [["one", "two"], ["three"], ["The footer."]]
    assert [node["type"] for node in paragraphs[0]["content"]] == ["text", "hardBreak", "text"]


def test_a_list_is_a_bullet_list_with_an_item_each() -> None:
    (bullets,) = [node for node in described(risks=["one", "two\nlines"]) if node["type"] == "bulletList"]
    assert [texts(item) for item in bullets["content"]] == [["one"], ["two", "lines"]]
    assert all(item["content"][0]["type"] == "paragraph" for item in bullets["content"])


def test_wiki_markup_in_a_draft_stays_text() -> None:
    content = described(problem="h1. *bold* {code}x{code} [link|http://x]")
    assert texts(content)[1] == "h1. *bold* {code}x{code} [link|http://x]"


def test_no_text_node_is_empty_and_the_footer_is_last() -> None:
    content = described(problem="\n\n a \n\n\n\nb", solution=" ")
    assert all(texts(content))
    assert texts(content)[-1] == "The footer."
    assert "Solution" not in texts(content)
