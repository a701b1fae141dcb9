"""Test support: approvals."""
