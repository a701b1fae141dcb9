"""Whether a CSV text has quotes that readers of CSV may take for different cells."""

import re

_DELIMITERS = b",;|\t\n"
_QUOTE, _BLANK = b'" '
_ENDS = _DELIMITERS + b" "
# An even number of quotes is text in a cell, unless it is all of the cell.
_QUOTE_AFTER_BLANK = re.compile(b' "(?:(?:"")*(?!")|"(?:"")*[' + _ENDS + b"])")
_QUOTE_BEFORE_BLANKS = re.compile(b'" +(?=["' + _DELIMITERS + b"])")
# Either of them, found in one pass: nearly all texts have none.
_EITHER = re.compile(b'"(?:(?<= ")(?:(?:"")*(?!")|"(?:"")*[' + _ENDS + b'])| +["' + _DELIMITERS + b"])")
#: The longest run of blanks and quotes in a regular CSV.
_LONGEST_RUN = 1024


class QuoteCheck:
    """Finds quotes with blanks beside them, where a cell may begin or end, also across pieces.

    An even number of quotes in the middle of a text neither begins nor ends a cell: ``"large, ""fine"" mug"`` is regular.
    """

    def __init__(self) -> None:
        self.is_regular = True
        self._before = b"\n"

    def check(self, piece: bytes) -> None:
        """Take the next piece of the text into account."""
        if not self.is_regular or not piece:
            return
        text = self._before + piece
        end = len(text.rstrip(b' "'))
        self._before = text[end - 1 :]
        self.is_regular = len(self._before) <= _LONGEST_RUN and not _has_blank_beside_quote(text[:end])


def _has_blank_beside_quote(text: bytes) -> bool:
    if b'"' not in text or _EITHER.search(text) is None:
        return False
    after = (found.start() for found in _QUOTE_AFTER_BLANK.finditer(text))
    before = (found.start() for found in _QUOTE_BEFORE_BLANKS.finditer(text))
    return any(_follows_end(text, at) for at in after) or any(_may_end_cell(text, at) for at in before)


def _follows_end(text: bytes, at: int) -> bool:
    """Whether there are only blanks between the end of a cell and the blank at ``at``."""
    while at and text[at] == _BLANK:
        at -= 1
    return text[at] in _DELIMITERS


def _may_end_cell(text: bytes, at: int) -> bool:
    """Whether the quotes up to ``at`` may end a cell: their number is odd, or they are all of it."""
    start = at
    while start and text[start] == _QUOTE:
        start -= 1
    return (at - start) % 2 == 1 or text[start] in _ENDS
