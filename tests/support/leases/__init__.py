"""Lease events, lease records and notification messages to build tests from."""
