"""For every test: the session ends with the report on grants."""

from tests.support.grant_plugin import (
    pytest_configure,
    pytest_deselected,
    pytest_fixture_setup,
    pytest_runtest_protocol,
    pytest_sessionfinish,
    pytest_terminal_summary,
)

__all__ = [
    "pytest_configure",
    "pytest_deselected",
    "pytest_fixture_setup",
    "pytest_runtest_protocol",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
]
