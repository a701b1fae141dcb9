"""Files of others are those of their packages, unchanged, and nothing else is served."""

import hashlib
import re
from pathlib import Path

import handlers.console

CONSOLE = Path(handlers.console.__file__).parent
VENDOR = CONSOLE / "static" / "vendor"


def test_every_file_has_the_checksum_of_the_readme() -> None:
    listed = dict(re.findall(r"^\| `([^`]+)` .* `([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text(), re.MULTILINE))
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir() if path.suffix != ".md"}
    assert found == listed


def test_the_decision_and_the_page_frame_name_the_version() -> None:
    [script] = VENDOR.glob("htmx-*.min.js")
    version = script.name.removeprefix("htmx-").removesuffix(".min.js")
    [decision] = (CONSOLE.parents[1] / "docs" / "adr").glob("*-a-console-on-loopback.md")
    assert f"htmx {version}" in " ".join(decision.read_text().split())
    assert f"vendor/{script.name}" in (CONSOLE / "templates" / "base.html").read_text()
