"""The environment of the function shuttle."""

from dataclasses import dataclass

from lib.platform.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuttleEnvironment(Environment):
    """handlers/shuttle.py

    It sends exports to the job queue, and events of Shuttle to the bus.
    """

    shuttle_table_name: str
    import_bucket_name: str
    job_queue_url: str
    event_bus_name: str
