"""Reusable parts of the infrastructure: one module per kind of AWS resource."""
