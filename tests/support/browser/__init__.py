"""What the browser tests and the screenshots share."""
