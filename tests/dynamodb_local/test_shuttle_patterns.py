"""Every access pattern of Shuttle, on the real engine: the tests of tests/unit/shuttle that check the requests."""

from tests.unit.shuttle.test_access_patterns import *  # noqa: F403
from tests.unit.shuttle.test_catalogue_access_patterns import *  # noqa: F403
from tests.unit.shuttle.test_job_access_patterns import *  # noqa: F403
