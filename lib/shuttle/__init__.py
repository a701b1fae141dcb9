"""Shuttle: the multi-tenant import and export service for shops' catalogues."""
