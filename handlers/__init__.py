"""Lambda handlers and the command line. Each module parses its input, calls ``lib`` and answers."""

from lib.platform import gc_tuning, precompiled

gc_tuning.begin()
precompiled.use()
