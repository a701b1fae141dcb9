"""Sandbox leases: their events, their records, and the enrichment of the one with the other."""
