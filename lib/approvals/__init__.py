"""Approvals: a draft, one person's yes in Slack, and exactly one Jira issue, as far as that can be promised."""
