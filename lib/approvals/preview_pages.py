"""A whole draft as blocks for Slack, divided into as many messages as it needs: people approve what they can read.

The first page is the preview, the others are replies in its thread. Slack's limits: 3,000 characters per text, 50 blocks per
message, 12,000 characters in all blocks of a message (docs/adr/0042). Sizes are counted after escaping and in UTF-16 code
units, which gives the larger number. Nothing here does input or output.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lib.approvals.drafts import Draft
from lib.platform import characters, errors
from lib.platform.wording import counted
from lib.slack import blocks
from lib.slack.blocks import Block
from lib.slack.text import escape

MAX_MESSAGES = 10
"""A preview and nine replies: nobody reads more, and Slack accepts about one message per second."""

_MAX_TEXT = 2_900
_MAX_PAGE = 10_000
_MAX_BLOCKS = 40
"""These leave room for the header, the facts, the notes and the buttons of the preview."""

_LEAST_ROOM = 300
"""A text starts on the next page if less than this fits on the current one."""


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a draft that one message shows: its ``blocks``, and how many ``characters`` of the text they have."""

    blocks: tuple[Block, ...]
    characters: int


def pages_of(draft: Draft) -> tuple[Page, ...]:
    """All text of the draft, in order."""
    writer = _Writer()
    for title, text in _sections(draft):
        writer.write(title, text)
    return writer.pages()


def check(draft: Draft) -> None:
    """Check that people can read the whole draft in Slack.

    Raises:
        InvalidInputError: it needs too many messages.
    """
    needed = len(pages_of(draft))
    if needed > MAX_MESSAGES:
        raise errors.InvalidInputError(
            f"the draft needs {counted(needed, 'message')} in Slack, and at most {MAX_MESSAGES} are allowed: shorten it"
        )


def _sections(draft: Draft) -> Iterator[tuple[str, str]]:
    yield "Title", draft.title
    yield "Problem", draft.problem
    yield "Solution", draft.solution
    yield "Acceptance criteria", _bullets(draft.acceptance_criteria)
    yield "Constraints", _bullets(draft.constraints)
    yield "Risks", _bullets(draft.risks)
    yield "Dependencies", _bullets(draft.dependencies)


def _bullets(items: tuple[str, ...]) -> str:
    return "\n".join(f"• {item}" for item in items)


@dataclass(slots=True)
class _Writer:
    """Fills one page after another."""

    done: list[Page] = field(default_factory=list)
    current: list[Block] = field(default_factory=list)
    shown: int = 0
    used: int = 0

    def write(self, title: str, text: str) -> None:
        heading = title
        while text:
            if self.used > _MAX_PAGE - _LEAST_ROOM or len(self.current) > _MAX_BLOCKS - 2:
                self._turn()
                heading = heading or f"{title} (continued)"
            piece = _beginning(text, min(_MAX_TEXT, _MAX_PAGE - self.used))
            text = text[len(piece) :]
            if piece.strip():  # Slack refuses a blank text
                self._show(heading, piece)
                heading = ""

    def pages(self) -> tuple[Page, ...]:
        if self.current:
            self._turn()
        return tuple(self.done)

    def _show(self, heading: str, piece: str) -> None:
        if heading:
            self.current.append(blocks.section(f"*{heading}*"))
        self.current.append(blocks.verbatim(piece))
        self.shown += len(piece)
        self.used += len(heading) + sum(map(_size, piece))

    def _turn(self) -> None:
        self.done.append(Page(tuple(self.current), self.shown))
        self.current, self.shown, self.used = [], 0, 0


def _beginning(text: str, most: int) -> str:
    """The beginning of ``text`` with at most the size ``most``. It ends at a space if there is one near the end, and never
    separates a letter from its accent."""
    size = space = 0
    for end, character in enumerate(text):
        size += _size(character)
        if size > most:
            break
        if character.isspace():
            space = end + 1
    else:
        return text
    if space > end * 3 // 4:
        return text[:space]
    whole = end
    while whole > end * 3 // 4 and (characters.is_mark(text[whole]) or characters.is_mark(text[whole - 1])):
        whole -= 1
    return text[: whole if whole > end * 3 // 4 else end]


def _size(character: str) -> int:
    return _ESCAPED.get(character) or characters.utf16_length(character)


_ESCAPED = {character: len(escape(character)) for character in "&<>"}
