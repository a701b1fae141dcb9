"""Jira issues: deliveries of webhooks, the store of issues, commits, and reconciliation with Jira."""
