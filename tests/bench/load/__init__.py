"""``make load``: the load that the local cloud takes, and the memory of each function. Writes docs/performance/load.md."""
