"""Slack: the client, Block Kit blocks, and text that is safe to send."""
