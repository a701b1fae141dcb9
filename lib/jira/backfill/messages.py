"""The messages of the backfill's queue: each starts one invocation's work on one segment."""

import json
from dataclasses import asdict, dataclass

from lib.platform import errors
from lib.platform.contract import BACKFILL_MAX_SEGMENTS
from lib.platform.fields import read_object, require_integer, require_text

_KIND = "backfill"

MAX_PARTS = 2_000
"""The most invocations of a segment in a row: 19 days. It bounds the chain by which the function feeds itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One invocation's part of a segment; ``number`` counts those in a row, from 1."""

    run_id: str
    segment: int
    number: int = 1

    def to_body(self) -> str:
        """The message's body."""
        return json.dumps({"kind": _KIND, **asdict(self)}, separators=(",", ":"))


def read_part(body: str) -> Part:
    """The part of a message's body.

    Raises:
        InvalidInputError: the body is malformed.
    """
    value = read_object(body)
    if value.get("kind") != _KIND:
        raise errors.InvalidInputError("the message is not a part of a backfill")
    return Part(
        run_id=require_text(value.get("run_id"), "run_id"),
        segment=require_integer(value.get("segment"), "segment", least=0, most=BACKFILL_MAX_SEGMENTS - 1),
        number=require_integer(value.get("number"), "number", least=1, most=MAX_PARTS),
    )
