"""The Markdown of the repository as a reader sees it: headings, links and tables. Text in code is not."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]

_FENCED = re.compile(r"^( *)(```|~~~).*?^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(<?([^)\s>]+)>?\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """A link to another place of the repository: the page it is on, and its target."""

    page: Path
    target: str

    @property
    def file(self) -> Path:
        """The file or folder that it leads to."""
        path = self.target.partition("#")[0]
        return (self.page.parent / path).resolve() if path else self.page

    @property
    def anchor(self) -> str:
        """The section of the file; empty for the whole of it."""
        return self.target.partition("#")[2]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)} -> {self.target}"


def pages() -> list[Path]:
    """Every page of Markdown: those at the root, and all below docs/."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def links_of(page: Path) -> list[Link]:
    """The links of a page to other places of the repository, in order. Those to the web are left out."""
    text = re.sub(r"`[^`\n]*`", "", prose_of(page))
    return [Link(page, target) for target in _LINK.findall(text) if not re.match(r"[a-z]+:", target)]


def anchors_of(page: Path) -> list[str]:
    """What a link may name of a page, as GitHub makes it from the headings: lower case, no punctuation, blanks as hyphens."""
    names: list[str] = []
    for heading in _HEADING.findall(prose_of(page)):
        name = anchor_of(heading)
        names.append(f"{name}-{names.count(name)}" if name in names else name)
    return names


def anchor_of(heading: str) -> str:
    """What a link names a heading, the first of its text on a page."""
    plain = _LINK.sub(lambda link: link[0].partition("](")[0].strip("["), heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def tables_of(page: Path) -> list[list[list[str]]]:
    """The tables of a page: rows of cells, the heading first, without the line of dashes."""
    tables: list[list[list[str]]] = []
    ended = True
    for line in prose_of(page).splitlines():
        if not line.startswith("|"):
            ended = True
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if ended:
            tables.append([])
        ended = False
        if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            tables[-1].append(cells)
    return tables


def prose_of(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def read_yaml(path: Path) -> Any:
    """What a YAML file says, by the parser in C where there is one: it takes a tenth of the time."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
