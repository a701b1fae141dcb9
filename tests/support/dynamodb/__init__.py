"""Test support: dynamodb."""
