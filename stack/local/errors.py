"""The error of a local cloud that can't start."""


class StartError(Exception):
    """The local cloud can't start. The text is one sentence for the person who started it."""
