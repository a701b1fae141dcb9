"""``make soak``: an hour of mixed load with faults on a local cloud, and what came of it. Writes docs/performance/soak.md."""
