"""Test support: iam."""
