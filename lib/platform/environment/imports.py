"""The environment of the function imports."""

from dataclasses import dataclass

from lib.platform.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportsEnvironment(Environment):
    """handlers/imports.py"""

    shuttle_table_name: str
    import_bucket_name: str
    job_queue_url: str
    event_bus_name: str
