"""Backfill: stores the issues of a legacy table in the same way as a webhook.

The store keeps the later of two states, so a backfill may run while webhooks arrive, be stopped, and be run again. The command
line runs it on one machine (lib/operations/backfill.py), the function ``backfill`` in the cloud (:mod:`.worker`).
"""
