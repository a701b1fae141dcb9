"""Slack: the client, Block Kit messages, and text that is safe to send."""
