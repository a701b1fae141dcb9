"""Domain logic: pure decisions at the core, effects at the edge. Imports neither ``handlers`` nor ``stack``."""
