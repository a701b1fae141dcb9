"""Shuttle for tests: builders over a table and a clock, and its HTTP API as callers use it."""
