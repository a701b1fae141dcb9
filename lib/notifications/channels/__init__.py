"""The notification channels, one module each."""
