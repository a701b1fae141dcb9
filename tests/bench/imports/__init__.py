"""``make bench-imports``: CPU and memory of imports, beside other ways to check a file. Writes docs/performance/imports.md."""
