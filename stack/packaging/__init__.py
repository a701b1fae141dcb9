"""The archives that the functions run from."""
