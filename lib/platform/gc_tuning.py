"""The garbage collector at a function's start: off while modules load and clients are made, on before the first event.

What an import makes stays, so that the collector finds nothing, again and again, in a heap that grows: a sixth of a cold
start (docs/adr/0010). Afterwards that heap is frozen: it is not looked through again at every full collection.
"""

import gc
import os


def begin() -> None:
    """Stop collecting, on Lambda. A person's command line, or a test, imports a part and never comes to the end."""
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        gc.disable()


def end() -> None:
    """Collect from now on. Each entry point calls it last of all; a test holds it to that."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
