"""Test support: observability."""
