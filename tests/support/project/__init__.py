"""Test support: project."""
