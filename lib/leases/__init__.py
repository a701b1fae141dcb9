"""Sandbox leases: their events, their records, and the enrichment of events with records."""
