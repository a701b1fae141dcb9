"""The fake that the other tests of Jira run on answers as the engine does: the tests of tests/property/test_fake_table.py, on the real engine."""

from tests.property.test_fake_table import *  # noqa: F403
