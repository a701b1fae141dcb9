"""Reconciliation: makes the stored issues match Jira, one project after another."""
