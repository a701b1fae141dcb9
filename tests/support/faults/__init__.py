"""Test support: faults."""
