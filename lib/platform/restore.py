"""Refreshes what copies of a function's process must not share, if Lambda starts them from a snapshot (docs/adr/0082).

SnapStart takes the snapshot after the imports. Each copy continues from it, days later perhaps, with the same random state, the
same cached values, and connections that the other end has closed. An object with such state registers a hook to reset it::

    import ─► register(secret, forget) ─► snapshot ─┬─► copy 1: run() ─► first event
                                                    └─► copy 2: run() ─► first event

Tokens, ULIDs and UUIDs need nothing: they come from the operating system, which is not part of the random state here.
"""

import os
import sys
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

Owner = TypeVar("Owner")

_hooks: "weakref.WeakKeyDictionary[Any, Callable[[Any], object]]" = weakref.WeakKeyDictionary()


def register(owner: Owner, hook: Callable[[Owner], object]) -> None:
    """Call ``hook(owner)`` in each copy before its first event, as long as ``owner`` exists. The hook must not fail."""
    _hooks[owner] = hook


def run() -> None:
    """Make this copy differ from the others: seed :mod:`random`, then run every hook."""
    if "random" in sys.modules:  # it seeds itself if it is imported later
        sys.modules["random"].seed()
    for owner, hook in list(_hooks.items()):
        hook(owner)


if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
    # A package of Lambda's runtime, not of the archive: its client runs what is registered there.
    from snapshot_restore_py import register_after_restore  # type: ignore[import-untyped]

    register_after_restore(run)
