"""Watches which IAM grants the local clouds use, and reports grants that no test used and calls that were refused."""
