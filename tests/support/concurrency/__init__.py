"""Test support: concurrency."""
