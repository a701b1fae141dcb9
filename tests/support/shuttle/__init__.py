"""Test support: shuttle."""
