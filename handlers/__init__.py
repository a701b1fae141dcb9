"""The ways in: Lambda entry points and the command line. Each parses, calls ``lib`` and answers."""

from lib.platform import gc_tuning

gc_tuning.begin()
