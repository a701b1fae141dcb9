"""The approvals for tests: builders, both stores, the whole service over fakes (``world``), and a running local cloud."""
