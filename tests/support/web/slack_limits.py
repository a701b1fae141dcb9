"""Slack's limits on a message's blocks: https://docs.slack.dev/reference/block-kit/blocks."""

from collections.abc import Sequence
from typing import Any


def check_blocks(blocks: Sequence[dict[str, Any]]) -> None:
    """Fail if Slack would refuse these blocks."""
    assert 0 < len(blocks) <= 50
    total = 0
    for block in blocks:
        texts = _texts(block)
        most = {"header": 150, "section": 3000, "context": 2000, "actions": 75, "input": 75}[block["type"]]
        for element in texts:
            text = element
            if element["type"] == "button":
                assert len(element["value"]) <= 2000
                assert len(element["action_id"]) <= 255
                text = element["text"]
            assert 0 < len(text["text"]) <= most
            total += len(text["text"])
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
        if block["type"] == "context":
            assert len(texts) <= 10
    assert total <= 12_000


def shown(blocks: Sequence[dict[str, Any]]) -> str:
    """All that a person reads."""
    parts = [part for block in blocks for part in _texts(block)]
    return "\n".join(part["text"]["text"] if part["type"] == "button" else part["text"] for part in parts)


def _texts(block: dict[str, Any]) -> list[dict[str, Any]]:
    if block["type"] == "input":
        return [block["label"], *(option["text"] for option in block["element"].get("options", []))]
    return [block["text"]] if "text" in block else block.get("elements", [])
