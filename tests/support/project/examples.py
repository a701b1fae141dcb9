"""How many examples a property is tried on: what a minute has time for, or in the profile ``thorough`` what a night has."""

import os

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
TIMES = 10


def examples(number: int, *, thorough: int = 0) -> int:
    """``number``; in the profile ``thorough`` ten times as many, or as many as ``thorough`` says."""
    return (thorough or number * TIMES) if THOROUGH else number
