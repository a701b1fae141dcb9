"""For every test: the session ends with the report on grants."""

import pytest

from tests.support import grant_plugin


def pytest_configure(config: pytest.Config) -> None:
    # Registered, not imported into this file: pytest asks a conftest's hooks about the tests below it only, and not about
    # fixtures of the whole session.
    config.pluginmanager.register(grant_plugin, "grants")
