"""Test support: aws."""
