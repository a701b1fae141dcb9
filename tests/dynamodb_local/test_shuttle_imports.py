"""What happens to a job beside its file, on the real engine: it is taken up, reported on, cancelled, lost and counted once.

The tests of tests/unit/shuttle/imports/test_worker.py that rest on conditions and transactions. What becomes of a file's
rows is the same on any table.
"""

from tests.unit.shuttle.imports.test_worker import (
    test_a_cancelled_import_stops_at_its_next_report,
    test_a_job_whose_workers_die_again_and_again_fails,
    test_a_second_delivery_waits_while_a_worker_has_the_job,
    test_a_worker_that_wakes_up_late_writes_nothing,
    test_after_a_passing_error_the_next_delivery_takes_over_at_once,
    test_an_import_that_runs_out_of_time_fails,
    test_progress_is_written_every_few_seconds,
    test_usage_is_metered_once,
    world,
)

__all__ = [
    "test_a_cancelled_import_stops_at_its_next_report",
    "test_a_job_whose_workers_die_again_and_again_fails",
    "test_a_second_delivery_waits_while_a_worker_has_the_job",
    "test_a_worker_that_wakes_up_late_writes_nothing",
    "test_after_a_passing_error_the_next_delivery_takes_over_at_once",
    "test_an_import_that_runs_out_of_time_fails",
    "test_progress_is_written_every_few_seconds",
    "test_usage_is_metered_once",
    "world",
]
