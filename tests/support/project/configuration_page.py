"""The table of docs/reference/configuration.md, generated from Pulumi.yaml.

``python -m tests.support.project.configuration_page`` writes it.
"""

from typing import Any

import yaml

from tests.support.project.documentation import ROOT

PAGE = ROOT / "docs" / "reference" / "configuration.md"
START, END = "<!-- generated from Pulumi.yaml -->\n", "<!-- end -->\n"


def table() -> str:
    """The table of every key, in the order of Pulumi.yaml."""
    keys = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    rows = ["| key | type | default | description |", "|---|---|---|---|"]
    rows += [
        f"| `{key}` | {_type(key_of)} | {_default(key_of['default'])} | {_description(key_of)} |"
        for key, key_of in keys.items()
    ]
    return "\n".join(rows) + "\n"


def _type(declared: dict[str, Any]) -> str:
    return "secret" if _is_secret(declared) else {"array": "list"}.get(declared["type"], declared["type"])


def _default(value: object) -> str:
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case "" | [] | {}:
            return ""
        case list():
            return ", ".join(f"`{item}`" for item in value)
    return f"`{value}`"


def _description(declared: dict[str, Any]) -> str:
    return str(declared["description"]).removeprefix("Secret. ")


def _is_secret(declared: dict[str, Any]) -> bool:
    return str(declared["description"]).startswith("Secret. ")


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.partition(START)[0], text.partition(END)[2]
    PAGE.write_text(before + START + table() + END + after, encoding="utf-8")
