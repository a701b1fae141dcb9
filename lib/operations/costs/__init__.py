"""Estimates the monthly costs of every table, function and other resource, from a workload and a dated price table."""
