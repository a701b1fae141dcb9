"""Test support: leases."""
