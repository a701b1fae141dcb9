"""Slack's limits on a message's blocks: https://docs.slack.dev/reference/block-kit/blocks."""

from collections.abc import Sequence
from typing import Any


def check_blocks(blocks: Sequence[dict[str, Any]]) -> None:
    """Fail if Slack would refuse these blocks."""
    assert 0 < len(blocks) <= 50
    total = 0
    for block in blocks:
        texts = [block["text"]] if "text" in block else block.get("elements", [])
        most = {"header": 150, "section": 3000, "context": 2000, "actions": 75}[block["type"]]
        for text in texts:
            if text["type"] == "button":
                assert len(text["value"]) <= 2000
                assert len(text["action_id"]) <= 255
                text = text["text"]
            assert 0 < len(text["text"]) <= most
            total += len(text["text"])
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
        if block["type"] == "context":
            assert len(texts) <= 10
    assert total <= 12_000


def shown(blocks: Sequence[dict[str, Any]]) -> str:
    """All that a person reads."""
    lines = []
    for block in blocks:
        for text in [block["text"]] if "text" in block else block["elements"]:
            lines.append(text["text"]["text"] if text["type"] == "button" else text["text"])
    return "\n".join(lines)
