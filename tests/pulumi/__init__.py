"""The program under the Pulumi CLI: ``make test-pulumi``."""
