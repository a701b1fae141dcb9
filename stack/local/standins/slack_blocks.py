"""Checks the limits of Block Kit, so that the stand-in accepts only messages that Slack accepts.

Source: https://docs.slack.dev/reference/block-kit/blocks. It checks the block types that Switchboard sends and ignores
the fields of others.
"""

from collections.abc import Iterator
from typing import Any

MAX_BLOCKS = 50
MAX_CHARACTERS = 12_000
"""The limit of all texts together. Slack documents it for one block type and applies it to all (slackapi/bolt-js#2509)."""

_KNOWN = frozenset(
    ("actions", "context", "divider", "file", "header", "image", "input", "markdown", "rich_text", "section", "table", "video")
)


def block_errors(blocks: list[Any]) -> tuple[list[str], bool]:
    """What is wrong with the blocks, in Slack's words, and whether all together are too long."""
    problems: list[str] = []
    if len(blocks) > MAX_BLOCKS:
        problems.append(f"no more than {MAX_BLOCKS} items allowed [json-pointer:/blocks]")
    for index, block in enumerate(blocks[:MAX_BLOCKS]):
        problems += [f"{problem} [json-pointer:/blocks/{index}{where}]" for problem, where in _check(block)]
    return problems, sum(_length(block) for block in blocks) > MAX_CHARACTERS


def _check(block: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(block, dict) or block.get("type") not in _KNOWN:
        yield "unsupported type", "/type"
        return
    if len(str(block.get("block_id", ""))) > 255:
        yield "must be less than 256 characters", "/block_id"
    match block["type"]:
        case "header":
            yield from _text(block.get("text"), 150, "/text", kinds={"plain_text"})
        case "section":
            if "text" not in block and "fields" not in block:
                yield "missing required field: text", ""
            if "text" in block:
                yield from _text(block["text"], 3000, "/text")
            yield from _list(block.get("fields", []), 10, "/fields", lambda item, at: _text(item, 2000, at))
        case "context":
            yield from _list(block.get("elements"), 10, "/elements", lambda item, at: _text(item, 2000, at, others={"image"}))
        case "actions":
            yield from _list(block.get("elements"), 25, "/elements", _element)
        case "input":
            yield from _text(block.get("label"), 2000, "/label", kinds={"plain_text"})
            yield from _input(block.get("element"))


def _element(element: Any, at: str) -> Iterator[tuple[str, str]]:
    if not isinstance(element, dict) or not isinstance(element.get("type"), str):
        yield "unsupported type", f"{at}/type"
        return
    if len(str(element.get("action_id", ""))) > 255:
        yield "must be less than 256 characters", f"{at}/action_id"
    if element["type"] == "button":
        yield from _text(element.get("text"), 75, f"{at}/text", kinds={"plain_text"})
        if len(str(element.get("value", ""))) > 2000:
            yield "must be less than 2001 characters", f"{at}/value"
        if len(str(element.get("url", ""))) > 3000:
            yield "must be less than 3001 characters", f"{at}/url"


def _input(element: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(element, dict) or element.get("type") not in {"plain_text_input", "static_select"}:
        yield "unsupported type", "/element/type"
        return
    if len(str(element.get("action_id", ""))) > 255:
        yield "must be less than 256 characters", "/element/action_id"
    if element["type"] == "static_select":
        yield from _list(element.get("options"), 100, "/element/options", _option)
    elif not 1 <= element.get("max_length", 3000) <= 3000:
        yield "must be between 1 and 3000", "/element/max_length"


def _option(option: Any, at: str) -> Iterator[tuple[str, str]]:
    given = option if isinstance(option, dict) else {}
    yield from _text(given.get("text"), 75, f"{at}/text", kinds={"plain_text"})
    if not 1 <= len(str(given.get("value", ""))) <= 150:
        yield "must be between 1 and 150 characters", f"{at}/value"


def _list(items: Any, most: int, at: str, check: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(items, list):
        yield "must be an array", at
        return
    if len(items) > most:
        yield f"no more than {most} items allowed", at
    for index, item in enumerate(items[:most]):
        yield from check(item, f"{at}/{index}")


def _text(
    text: Any, most: int, at: str, *, kinds: frozenset[str] | set[str] = frozenset({"plain_text", "mrkdwn"}), others: Any = ()
) -> Iterator[tuple[str, str]]:
    if isinstance(text, dict) and text.get("type") in others:
        return
    if not isinstance(text, dict) or text.get("type") not in kinds or not isinstance(text.get("text"), str):
        yield "failed to match all allowed schemas", at
        return
    if not text["text"]:
        yield "must be more than 0 characters", f"{at}/text"
    if len(text["text"]) > most:
        yield f"must be less than {most + 1} characters", f"{at}/text"


def _length(value: Any) -> int:
    if isinstance(value, dict):
        return sum(len(item) if key == "text" and isinstance(item, str) else _length(item) for key, item in value.items())
    return sum(map(_length, value)) if isinstance(value, list) else 0
