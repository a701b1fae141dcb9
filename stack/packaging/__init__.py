"""The archive that the functions run from."""
