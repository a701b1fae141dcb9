"""``make load``: what the local cloud takes, and whether the functions' memory stays flat. The result is docs/load.md."""
