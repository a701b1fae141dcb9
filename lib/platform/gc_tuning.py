"""Garbage collection at a function's start: off while modules load and clients are created, on before the first event.

What an import creates stays alive, so each collection during imports would search a growing heap and find nothing: a sixth of
a cold start (docs/adr/0010). Afterwards that heap is frozen, and full collections skip it.
"""

import gc
import os


def begin() -> None:
    """Stop collecting, on Lambda only: the command line and tests import modules without ever calling :func:`end`."""
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        gc.disable()


def end() -> None:
    """Collect from now on. Each entry point calls this in its last line."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
