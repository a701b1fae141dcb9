"""Approvals: a draft, one approval in Slack, and exactly one Jira issue (docs/adr/0041 describes the limits)."""
