"""Import and export jobs: their states, limits and metering."""
