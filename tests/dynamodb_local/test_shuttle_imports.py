"""What happens to a job during an import, on the real engine: it is started, cancelled, lost, and counted once.

The tests of tests/unit/shuttle/imports/test_worker_runs.py that rest on conditions and transactions. What becomes of a file's
rows is the same on any table.
"""

from tests.support.shuttle.importer import world
from tests.unit.shuttle.imports.test_worker_runs import (
    test_a_cancelled_import_stops_at_its_next_report,
    test_a_job_that_loses_three_workers_fails,
    test_a_second_delivery_waits_while_a_worker_has_the_job,
    test_a_worker_that_was_replaced_writes_nothing,
    test_an_import_that_runs_out_of_time_fails,
    test_progress_is_written_every_few_seconds,
    test_the_delivery_after_a_temporary_error_takes_over_at_once,
    test_usage_is_metered_once,
)

__all__ = [
    "test_a_cancelled_import_stops_at_its_next_report",
    "test_a_job_that_loses_three_workers_fails",
    "test_a_second_delivery_waits_while_a_worker_has_the_job",
    "test_a_worker_that_was_replaced_writes_nothing",
    "test_an_import_that_runs_out_of_time_fails",
    "test_progress_is_written_every_few_seconds",
    "test_the_delivery_after_a_temporary_error_takes_over_at_once",
    "test_usage_is_metered_once",
    "world",
]
