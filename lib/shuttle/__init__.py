"""Shuttle: the multi-tenant import and export service, and its one table."""
