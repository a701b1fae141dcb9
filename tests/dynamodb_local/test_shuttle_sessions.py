"""Sessions and settings: the tests of tests/unit/shuttle/test_sessions_api.py, on the real engine."""

from tests.unit.shuttle.conftest import api, published, sqs
from tests.unit.shuttle.test_sessions_api import *  # noqa: F403

__all__ = ["api", "published", "sqs"]
