"""The tests. Only ``tests.support`` is imported by name."""
