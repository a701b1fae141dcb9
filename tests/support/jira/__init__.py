"""Test support: jira."""
