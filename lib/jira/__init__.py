"""Jira issues: what deliveries say, the store that always converges, and its reconciliation with Jira itself."""
