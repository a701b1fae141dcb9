"""Sandbox leases: the events, the record behind them, and how the two are brought together."""
